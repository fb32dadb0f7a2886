import Glibc

/// Where things lie in this checkout.
struct Workspace {
    let root: String

    var build: String { root + "/.build" }
    var release: String { build + "/release-static" }
    /// Holds the four programs after a release build.
    var programs: String { release + "/release" }
    var package: String { build + "/package" }
    var stamps: String { build + "/dev-stamps" }

    static let programNames = ["tarn", "tarn-manager", "tarn-proxy", "tarn-watchdog"]

    /// The checkout that the current directory lies in.
    static func find() throws -> Workspace {
        var buffer = [CChar](repeating: 0, count: 4096)
        guard getcwd(&buffer, buffer.count) != nil else {
            throw Failure(.environment, "the current directory is gone")
        }
        var path = buffer.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
        while !Files.exists(path + "/Package.swift") || !Files.isDirectory(path + "/Sources/dev") {
            guard let slash = path.lastIndex(of: "/"), path != "/" else {
                throw Failure(.environment, "no Tarn checkout here or above; run it inside the repository")
            }
            path = String(path[..<slash])
        }
        try Files.makeDirectory(path + "/.build/dev-stamps")
        return Workspace(root: path)
    }
}
