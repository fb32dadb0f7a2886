import FoundationEssentials
import Primitives
import TLS

/// Gives the body a new directory and takes it away afterwards.
func withTemporaryDirectory<Result>(_ body: (String) throws -> Result) throws -> Result {
    let path = "/tmp/tarn-package-\(Hex.encode(Crypto.randomBytes(8)))"
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: path) }
    return try body(path)
}

func save(_ data: Data, to path: String) throws {
    try data.write(to: URL(filePath: path))
}
