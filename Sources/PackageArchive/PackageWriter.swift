import FoundationEssentials
import Glibc
package import Primitives
package import TLS

/// Makes a package out of files that are already what they should be.
package struct PackageWriter: Sendable {
    package struct Input: Hashable, Sendable {
        /// Where it goes, relative to the directory of the version.
        package var path: String
        /// Where its bytes are now.
        package var source: String
        package var isExecutable: Bool

        package init(path: String, source: String, isExecutable: Bool) {
            self.path = path
            self.source = source
            self.isExecutable = isExecutable
        }
    }

    package var version: String
    package var architecture: String
    /// Also the time of every file in the archive: nothing in it depends on when and where it was made.
    package var builtAt: WallTime
    package var components: [String: String]
    package var glibc: String
    /// Of zstd, 1...19. Up costs time only for whoever builds; reading is equally fast.
    package var level: Int

    package init(
        version: String, architecture: String, builtAt: WallTime, components: [String: String], glibc: String,
        level: Int
    ) {
        self.version = version
        self.architecture = architecture
        self.builtAt = builtAt
        self.components = components
        self.glibc = glibc
        self.level = level
    }

    /// Writes the package into `directory` under the name that its content demands; an older one is replaced whole.
    ///
    /// - Returns: The path of the package and its manifest.
    /// - Throws: ``PackageError``: `file`, `unsafePath`, `entryDuplicate`, `tooLarge`; nothing is left behind.
    package func write(
        _ inputs: [Input], into directory: String, signedBy key: SigningKey
    ) throws(PackageError) -> (path: String, manifest: PackageManifest) {
        let inputs = inputs.sorted { $0.path < $1.path }
        let manifest = try describe(inputs)
        let path = "\(directory)/\(manifest.fileName)"
        let temporary = "\(path).new-\(getpid())"
        do throws(PackageError) {
            try write(manifest, inputs, to: temporary, signedBy: key)
            guard rename(temporary, path) == 0 else { throw .file("replace", path) }
        } catch {
            unlink(temporary)
            throw error
        }
        return (path, manifest)
    }

    private func describe(_ inputs: [Input]) throws(PackageError) -> PackageManifest {
        var files: [PackageManifest.File] = []
        for input in inputs {
            let bytes = try contents(input)
            files.append(
                PackageManifest.File(
                    path: input.path, isExecutable: input.isExecutable, size: Int64(bytes.count),
                    sha256: Hex.encode(Crypto.sha256(bytes))))
        }
        let manifest = PackageManifest(
            version: version, architecture: architecture, builtAt: builtAt, components: components, glibc: glibc,
            files: files)
        // What a reader would refuse is not written in the first place.
        return try PackageManifest(parsing: manifest.canonicalBytes())
    }

    private func write(
        _ manifest: PackageManifest, _ inputs: [Input], to path: String, signedBy key: SigningKey
    ) throws(PackageError) {
        let bytes = manifest.canonicalBytes()
        let publicKey = try PublicKey(bytes: key.publicKey)
        let signed: [UInt8]
        do {
            signed = try key.sign(bytes)
        } catch {
            throw PackageError(.keyInvalid, "The package cannot be signed: \(error.message)")
        }
        let signature = PackageSignature(keyIdentifier: publicKey.identifier, signature: signed)
        let seconds = builtAt.milliseconds / 1000
        let archive = try CompressedTar(path: path, level: level)
        try archive.add("manifest.json", bytes, mode: 0o644, modified: seconds)
        try archive.add("manifest.sig", signature.bytes(), mode: 0o644, modified: seconds)
        for (input, file) in zip(inputs, manifest.files) {
            try archive.add(input.path, try contents(input), mode: file.mode, modified: seconds)
        }
        try archive.finish()
    }

    private func contents(_ input: Input) throws(PackageError) -> [UInt8] {
        guard let data = FileManager.default.contents(atPath: input.source) else {
            throw PackageError(.file, "Cannot read \(input.source).")
        }
        return Array(data)
    }
}
