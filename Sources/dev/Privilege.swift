import Glibc

/// How dev runs what only root may: as root, or through a sudo that does not ask.
struct Privilege {
    private let prefix: [String]

    /// Nil when neither is possible.
    static func available() throws -> Privilege? {
        if geteuid() == 0 { return Privilege(prefix: []) }
        guard let probe = try? Command("sudo", "-n", "true").run(), probe.succeeded else { return nil }
        return Privilege(prefix: ["sudo", "-n"])
    }

    func command(_ arguments: [String]) -> Command { Command(prefix + arguments) }
}
