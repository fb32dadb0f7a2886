import Primitives
import TLS

/// Reads a package once, from front to back, and believes nothing that the signature does not cover.
/// ```
///  manifest.json ─▶ manifest.sig ─▶ bin/etcd ─▶ bin/redis-server ─▶ … ─▶ end: is every listed file here?
///  kept as bytes    is it a trusted  listed? once? size? mode? plain file?
///                   key's? parse     digest while its bytes pass by
/// ```
package struct PackageReader {
    private let path: String
    private let trusted: [PublicKey]

    /// - Parameter trusted: Any of them may have signed the package.
    package init(path: String, trusted: [PublicKey]) {
        self.path = path
        self.trusted = trusted
    }

    /// The manifest and who signed it, the signature checked, the files not looked at.
    package func head() throws(PackageError) -> (manifest: PackageManifest, signature: PackageSignature) {
        let head = try readHead(ArchiveStream(path: path))
        return (head.manifest, head.signature)
    }

    /// What the package says of itself, whoever signed it. For showing only, never for installing.
    package func unverifiedHead() throws(PackageError) -> (manifest: PackageManifest, signature: PackageSignature) {
        let stream = try ArchiveStream(path: path)
        let manifest = try readWhole("manifest.json", PackageLimits.manifestBytes, stream)
        let signature = try readWhole("manifest.sig", PackageLimits.signatureBytes, stream)
        return (try PackageManifest(parsing: manifest), try PackageSignature(parsing: signature))
    }

    /// Reads everything and checks everything.
    ///
    /// - Parameter architecture: The one the package must be for; nil accepts any.
    /// - Throws: ``PackageError`` with the code of what was found first.
    @discardableResult
    package func verify(architecture: String?) throws(PackageError) -> PackageManifest {
        try read(architecture: architecture, into: nil)
    }

    /// As ``verify(architecture:)``, and lays the files down in `directory`, which must not exist yet.
    ///
    /// When it returns, all files are on disk (fsync) with their modes, `manifest.json` and `manifest.sig` among
    /// them. When it throws, the directory is gone again.
    @discardableResult
    package func unpack(into directory: String, architecture: String) throws(PackageError) -> PackageManifest {
        let tree = try UnpackedTree(creating: directory)
        do {
            let manifest = try read(architecture: architecture, into: tree)
            try tree.finish()
            return manifest
        } catch {
            tree.remove()
            throw error
        }
    }

    private struct Head {
        var manifestBytes: [UInt8]
        var signatureBytes: [UInt8]
        var manifest: PackageManifest
        var signature: PackageSignature
    }

    private func read(architecture: String?, into tree: UnpackedTree?) throws(PackageError) -> PackageManifest {
        let stream = try ArchiveStream(path: path)
        let head = try readHead(stream)
        let manifest = head.manifest
        if let architecture, architecture != manifest.architecture {
            throw PackageError(
                .wrongArchitecture,
                "The package is for \(manifest.architecture), this machine is \(architecture): take the package"
                    + " tarn-\(manifest.version)-linux-\(architecture).tar.zst.")
        }
        try tree?.write("manifest.json", head.manifestBytes)
        try tree?.write("manifest.sig", head.signatureBytes)
        try readFiles(manifest, stream, tree)
        return manifest
    }

    private func readHead(_ stream: ArchiveStream) throws(PackageError) -> Head {
        let manifest = try readWhole("manifest.json", PackageLimits.manifestBytes, stream)
        let signature = try readWhole("manifest.sig", PackageLimits.signatureBytes, stream)
        let parsedSignature = try PackageSignature(parsing: signature)
        try parsedSignature.verify(manifest, trusted: trusted)
        return Head(
            manifestBytes: manifest, signatureBytes: signature, manifest: try PackageManifest(parsing: manifest),
            signature: parsedSignature)
    }

    private func readWhole(_ name: String, _ limit: Int, _ stream: ArchiveStream) throws(PackageError) -> [UInt8] {
        guard let entry = try stream.next(), entry.path == name, entry.isFile else {
            throw PackageError(.notAPackage, "\(path) is not a package of Tarn: it does not begin with \(name).")
        }
        var bytes: [UInt8] = []
        try stream.content { piece throws(PackageError) in
            guard bytes.count + piece.count <= limit else {
                throw PackageError(.tooLarge, "\(name) of the package is longer than \(limit) bytes.")
            }
            bytes += piece
        }
        return bytes
    }

    private func readFiles(
        _ manifest: PackageManifest, _ stream: ArchiveStream, _ tree: UnpackedTree?
    ) throws(PackageError) {
        let listed = Dictionary(uniqueKeysWithValues: manifest.files.map { ($0.path, $0) })
        var missing = Set(listed.keys)
        while let entry = try stream.next() {
            guard entry.isFile else {
                throw PackageError(.entryKind, "The package holds a link, directory or device: do not use it.")
            }
            try PackagePath.check(entry.path)
            guard let file = listed[entry.path] else {
                throw PackageError(.entryUnlisted, "\(entry.path) is in the package but not in its manifest.")
            }
            guard missing.remove(entry.path) != nil else {
                throw PackageError(.entryDuplicate, "\(entry.path) is in the package twice.")
            }
            try check(entry, against: file)
            try copy(file, stream, tree)
        }
        if let name = missing.min() {
            throw PackageError(.entryMissing, "\(name) is in the manifest but not in the package.")
        }
    }

    private func check(_ entry: ArchiveStream.Entry, against file: PackageManifest.File) throws(PackageError) {
        guard entry.size == file.size else {
            throw PackageError(
                .wrongSize, "\(entry.path) has \(entry.size) bytes, the manifest says \(file.size): package changed.")
        }
        guard entry.mode == file.mode else {
            throw PackageError(.wrongMode, "\(entry.path) has another mode than the manifest says: package changed.")
        }
    }

    private func copy(
        _ file: PackageManifest.File, _ stream: ArchiveStream, _ tree: UnpackedTree?
    ) throws(PackageError) {
        let digest = Crypto.SHA256Stream()
        var size: Int64 = 0
        let output = try tree?.create(file.path, mode: file.mode)
        try stream.content { piece throws(PackageError) in
            size += Int64(piece.count)
            guard size <= file.size else {
                throw PackageError(.wrongSize, "\(file.path) is longer than the manifest says: package changed.")
            }
            digest.update(piece)
            try output?.write(piece)
        }
        guard size == file.size else {
            throw PackageError(.wrongSize, "\(file.path) is shorter than the manifest says: package changed.")
        }
        guard Hex.encode(digest.finish()) == file.sha256.lowercased() else {
            throw PackageError(.wrongDigest, "\(file.path) is not what was signed: copy or download the package again.")
        }
        try output?.finish(mode: file.mode)
    }
}
