/// The rule for names of files in a package.
enum PackagePath {
    /// Refuses everything that is not `name` or `name/name/…` of printable ASCII: what leaves the tree (`..`, `/etc`),
    /// what looks harmless and is not (control characters, backslashes), and what only confuses (`a//b`, `./a`).
    static func check(_ path: String) throws(PackageError) {
        let bytes = Array(path.utf8)
        let parts = bytes.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        let isPlain = parts.allSatisfy { part in
            !part.isEmpty && !part.elementsEqual(".".utf8) && !part.elementsEqual("..".utf8)
                && part.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "\\") }
        }
        guard isPlain, bytes.count <= PackageLimits.pathBytes else {
            throw PackageError(
                .unsafePath,
                "The package names the file \"\(shown(bytes))\", which may not be unpacked. Do not use this package.")
        }
    }

    /// Without control characters, which would reach the terminal of whoever reads the message.
    private static func shown(_ bytes: [UInt8]) -> String {
        String(decoding: bytes.prefix(200).map { $0 >= 0x20 && $0 < 0x7F ? $0 : UInt8(ascii: "?") }, as: UTF8.self)
    }
}
