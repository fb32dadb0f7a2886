import CLinux
import FoundationEssentials
import Glibc
import HostControl
import NodeLayout
import PackageArchive
import Primitives
import TLS

/// The versions that lie side by side under `opt/tarn/versions`, and the link that says which one is in force.
struct VersionStore {
    enum Change: Equatable {
        case alreadyThere, unpacked, repaired
    }

    let paths: NodePaths

    /// Takes away what an installer that was killed left half unpacked. Call it with the lock held.
    func removePartials() {
        for name in HostFile.names(in: paths.versions) where name.hasPrefix(".") {
            try? FileManager.default.removeItem(atPath: "\(paths.versions)/\(name)")
        }
    }

    /// Makes the version of the package be there, whole. A kill at any moment leaves what was before, or all of it.
    func lay(_ package: PackageReader, _ manifest: PackageManifest, architecture: String) throws -> Change {
        let final = paths.version(manifest.version)
        if isIntact(final, manifest) { return .alreadyThere }
        let partial = "\(paths.versions)/.\(manifest.version).partial-\(Hex.encode(Crypto.randomBytes(6)))"
        try package.unpack(into: partial, architecture: architecture)
        let isReplacement = HostFile.exists(final)
        // Programs that run keep the files they have open; the next start takes the new ones.
        let result = isReplacement ? clinux_exchange(partial, final) : rename(partial, final)
        guard result == 0 else {
            let error = HostError.file("put in place", final)
            try? FileManager.default.removeItem(atPath: partial)
            throw error
        }
        try HostFile.synchronize(directory: paths.versions)
        if isReplacement { try? FileManager.default.removeItem(atPath: partial) }
        return isReplacement ? .repaired : .unpacked
    }

    /// - Returns: Whether the link had to be changed.
    func makeCurrent(_ version: String) throws -> Bool {
        let target = "versions/\(version)"
        if HostFile.linkTarget(paths.current) == target { return false }
        try HostFile.replaceLink(at: paths.current, with: target)
        return true
    }

    /// The version in force; nil when none is.
    func current() -> String? {
        HostFile.linkTarget(paths.current).map { String($0.drop { $0 != "/" }.dropFirst()) }
    }

    private func isIntact(_ directory: String, _ manifest: PackageManifest) -> Bool {
        guard (try? HostFile.read("\(directory)/manifest.json")) == manifest.canonicalBytes() else { return false }
        return manifest.files.allSatisfy { file in
            let path = "\(directory)/\(file.path)"
            var information = stat()
            guard lstat(path, &information) == 0, information.st_mode == S_IFREG | file.mode,
                Int64(information.st_size) == file.size, let bytes = try? HostFile.read(path, limitBytes: 1 << 30)
            else { return false }
            return Hex.encode(Crypto.sha256(bytes)) == file.sha256
        }
    }
}
