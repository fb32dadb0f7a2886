/// Passwords for clusters that dev makes.
enum Secrets {
    static func password() -> String {
        var random = SystemRandomNumberGenerator()
        // No characters that look alike, nor any that a shell treats specially.
        let letters = Array("abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789")
        return String((0..<24).map { _ in letters.randomElement(using: &random)! })
    }
}
