import HostControl
import NodeLayout

/// Whose OpenSSL the node's programs use: the machine's when it is as new as ours or newer, because its distribution
/// keeps it patched; else the package's.
enum OpenSSLChoice {
    static func choose(packaged: String?, _ architecture: String) -> NodeSettings.OpenSSLOrigin {
        choose(packaged: packaged.flatMap { LibraryVersion($0) }, system: systemVersion(architecture))
    }

    static func choose(packaged: LibraryVersion?, system: LibraryVersion?) -> NodeSettings.OpenSSLOrigin {
        guard let packaged else { return .system }
        guard let system else { return .package }
        return system >= packaged ? .system : .package
    }

    /// Nil unless the machine has both libraries, with the ABI that we were built for (`.so.3`).
    private static func systemVersion(_ architecture: String) -> LibraryVersion? {
        let libraries = SharedLibraries.ofThisMachine(architecture == "aarch64" ? .aarch64 : .x86_64)
        guard libraries.locate("libssl.so.3") != nil, let path = libraries.locate("libcrypto.so.3") else { return nil }
        return LibraryVersion.ofOpenSSL(libraryFile: path)
    }
}
