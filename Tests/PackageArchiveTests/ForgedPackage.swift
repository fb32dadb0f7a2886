import CArchive
import Glibc
import PackageArchive
import Primitives
import TLS

/// A package made by libarchive's own writer, with whatever lies a test wants to tell.
struct ForgedPackage {
    struct Entry {
        enum Kind { case file, symbolicLink(String), hardLink(String), directory, fifo }
        var path: String
        var content: [UInt8] = []
        var mode: UInt32 = 0o644
        var kind = Kind.file
    }

    static let proxy = Entry(path: "bin/tarn-proxy", content: Array("#!/bin/sh\n".utf8), mode: 0o755)
    static let library = Entry(path: "lib/libx.so.1", content: [UInt8](repeating: 7, count: 100_000))

    /// What the manifest is made from.
    var listed = [Self.proxy, Self.library]
    /// What follows the manifest in the archive.
    var entries = [Self.proxy, Self.library]
    var architecture = "x86_64"
    var format = PackageManifest.currentFormat
    var signer = Self.trustedKey
    /// Stands in the signature; nil: the signer's own.
    var claimedKey: PublicKey?
    /// Changes the signed manifest afterwards.
    var alterManifest: ([UInt8]) -> [UInt8] = { $0 }
    var alterManifestFiles: (inout [PackageManifest.File]) -> Void = { _ in }
    var firstEntryName = "manifest.json"

    static let trustedKey = try! SigningKey.generate()
    static let otherKey = try! SigningKey.generate()
    static var trusted: [PublicKey] { [try! PublicKey(bytes: trustedKey.publicKey)] }

    func write(to path: String) throws {
        let archive = archive_write_new()
        defer { archive_write_free(archive) }
        archive_write_add_filter_zstd(archive)
        archive_write_set_format_pax_restricted(archive)
        guard archive_write_open_filename(archive, path) == ARCHIVE_OK else { throw Failure(archive) }
        let manifest = manifestBytes()
        let identifier = try (claimedKey ?? PublicKey(bytes: signer.publicKey)).identifier
        let signature = PackageSignature(keyIdentifier: identifier, signature: try signer.sign(manifest))
        try add(Entry(path: firstEntryName, content: alterManifest(manifest)), archive)
        try add(Entry(path: "manifest.sig", content: signature.bytes()), archive)
        for entry in entries { try add(entry, archive) }
        guard archive_write_close(archive) == ARCHIVE_OK else { throw Failure(archive) }
    }

    private func manifestBytes() -> [UInt8] {
        var files = listed.map { entry in
            PackageManifest.File(
                path: entry.path, isExecutable: entry.mode == 0o755, size: Int64(entry.content.count),
                sha256: Hex.encode(Crypto.sha256(entry.content)))
        }
        alterManifestFiles(&files)
        var manifest = PackageManifest(
            version: "9.9.9", architecture: architecture, builtAt: WallTime(milliseconds: 0), components: [:],
            glibc: "2.36", files: files)
        manifest.format = format
        return manifest.canonicalBytes()
    }

    private func add(_ entry: Entry, _ archive: OpaquePointer?) throws {
        let header = archive_entry_new()
        defer { archive_entry_free(header) }
        archive_entry_set_pathname(header, entry.path)
        archive_entry_set_perm(header, entry.mode)
        archive_entry_set_size(header, Int64(entry.content.count))
        archive_entry_set_filetype(header, S_IFREG)
        switch entry.kind {
        case .file: break
        case .symbolicLink(let target):
            archive_entry_set_filetype(header, S_IFLNK)
            archive_entry_set_symlink(header, target)
        case .hardLink(let target): archive_entry_set_hardlink(header, target)
        case .directory: archive_entry_set_filetype(header, S_IFDIR)
        case .fifo: archive_entry_set_filetype(header, S_IFIFO)
        }
        guard archive_write_header(archive, header) == ARCHIVE_OK else { throw Failure(archive) }
        let count = archive_write_data(archive, entry.content, entry.content.count)
        guard count == entry.content.count else { throw Failure(archive) }
    }

    struct Failure: Error {
        var text: String
        init(_ archive: OpaquePointer?) { text = archive_error_string(archive).map { String(cString: $0) } ?? "" }
    }
}
