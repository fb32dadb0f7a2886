import NodeLayout

/// What the installer makes under a prefix, and takes away again.
extension NodePaths {
    /// Directories that the running node writes to, with their modes; private keys live in the last.
    var writable: [(path: String, mode: UInt32)] {
        [
            (data, 0o750), (store, 0o700), (shards, 0o750), (flash, 0o750), (logs, 0o750), (run, 0o755),
            (pki, 0o700),
        ]
    }

    var readable: [String] { [programs, versions, configuration, trustedKeys] }

    /// Those above ours that an installation may have made; removed again when they are empty.
    var shared: [String] {
        isSystem ? [] : ["opt", "etc", "var/lib", "var/log", "var", "run"].map { "\(prefix)/\($0)" } + [prefix]
    }
}
