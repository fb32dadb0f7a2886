import FoundationEssentials
package import Primitives

/// What a package is and what is in it. Its bytes are what is signed; everything else follows from their digests.
package struct PackageManifest: Codable, Equatable, Sendable {
    /// Raised when an older `tarn` could no longer unpack the package rightly.
    package static let currentFormat = 1

    package struct File: Codable, Equatable, Sendable {
        /// Relative to the directory of the version, e.g. `bin/tarn-proxy`.
        package var path: String
        /// 0644 or 0755; nothing else is ever needed.
        package var isExecutable: Bool
        package var size: Int64
        /// Lower-case hexadecimal.
        package var sha256: String

        package var mode: UInt32 { isExecutable ? 0o755 : 0o644 }

        package init(path: String, isExecutable: Bool, size: Int64, sha256: String) {
            self.path = path
            self.isExecutable = isExecutable
            self.size = size
            self.sha256 = sha256
        }

        enum CodingKeys: String, CodingKey {
            case path, sha256
            case isExecutable = "executable"
            case size = "size_bytes"
        }
    }

    package var format: Int
    package var name: String
    package var version: String
    /// As `uname -m` says.
    package var architecture: String
    package var builtAt: WallTime
    /// Versions by name: `tarn`, `redis-server`, `etcd`, `openssl`.
    package var components: [String: String]
    /// The oldest glibc that has everything the programs and libraries ask for, e.g. `2.36`.
    package var glibc: String
    /// Sorted by path.
    package var files: [File]

    package init(
        version: String, architecture: String, builtAt: WallTime, components: [String: String], glibc: String,
        files: [File]
    ) {
        format = Self.currentFormat
        name = "tarn"
        self.version = version
        self.architecture = architecture
        self.builtAt = builtAt
        self.components = components
        self.glibc = glibc
        self.files = files
    }

    enum CodingKeys: String, CodingKey {
        case name, version, architecture, components, glibc, files
        case format = "format_version"
        case builtAt = "built_at_ms"
    }

    /// The name that a package of this content has: `tarn-0.1.0-linux-x86_64.tar.zst`.
    package var fileName: String { "\(name)-\(version)-linux-\(architecture).tar.zst" }

    package var unpackedBytes: Int64 { files.reduce(0) { $0 + $1.size } }
}

extension PackageManifest {
    /// The one form in which equal manifests have equal bytes: sorted keys, fixed white space, line feed at the end.
    package func canonicalBytes() -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        // Strings, integers and arrays of them: nothing in here can fail to encode.
        guard let data = try? encoder.encode(self) else { preconditionFailure("manifest does not encode") }
        return Array(data) + [0x0A]
    }

    /// - Throws: ``PackageError``: `formatTooNew`, `manifestInvalid`, `unsafePath`, `entryDuplicate`, `tooLarge`.
    package init(parsing bytes: [UInt8]) throws(PackageError) {
        struct Probe: Decodable {
            var format_version: Int
        }
        let data = Data(bytes)
        guard let format = try? JSONDecoder().decode(Probe.self, from: data).format_version else {
            throw PackageError(.manifestInvalid, "The manifest of the package cannot be read. Download it again.")
        }
        guard format <= Self.currentFormat else {
            throw PackageError(
                .formatTooNew,
                "The package has format \(format), this tarn reads up to \(Self.currentFormat): use the tarn program"
                    + " that was published beside the package.")
        }
        do {
            self = try JSONDecoder().decode(PackageManifest.self, from: data)
        } catch {
            throw PackageError(.manifestInvalid, "The manifest of the package is incomplete: \(error).")
        }
        try check()
    }

    private func check() throws(PackageError) {
        let isVersion =
            !version.isEmpty && version.utf8.count <= 64
            && version.utf8.allSatisfy { Self.versionCharacters.contains($0) } && version.first != "."
        guard name == "tarn", isVersion else {
            throw PackageError(.manifestInvalid, "The manifest names no version of Tarn.")
        }
        guard files.count <= PackageLimits.fileCount else {
            throw PackageError(.tooLarge, "The package lists \(files.count) files; \(PackageLimits.fileCount) may be.")
        }
        var seen: Set<String> = []
        var total: Int64 = 0
        for file in files {
            try PackagePath.check(file.path)
            guard seen.insert(file.path).inserted else {
                throw PackageError(.entryDuplicate, "The manifest lists \(file.path) twice.")
            }
            guard file.size >= 0, Hex.decode(file.sha256)?.count == 32 else {
                throw PackageError(.manifestInvalid, "The manifest has no proper size or digest for \(file.path).")
            }
            guard file.size <= PackageLimits.fileBytes, total + file.size <= PackageLimits.totalBytes else {
                throw PackageError(.tooLarge, "\(file.path) makes the package larger than any release of Tarn.")
            }
            total += file.size
        }
    }

    /// It becomes a directory name, so no slash and no leading dot.
    private static let versionCharacters = Set(
        "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-+_".utf8)
}
