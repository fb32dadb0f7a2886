import Glibc

/// A small disk of its own for a node's data, so that it can be filled: a file with a file system in it, mounted where
/// the data is. A write that is flushed goes to the machine's disk as always.
struct NodeDisk {
    /// Where it is mounted.
    let path: String
    private let image: String

    init(prefix: String) {
        path = prefix + "/var/lib/tarn"
        image = prefix + ".disk"
    }

    func make(megabytes: Int) throws {
        try Files.makeDirectory(path)
        try Command("truncate", "-s", "\(megabytes)M", image).outputOrFail()
        try Command("mkfs.ext4", "-q", "-F", "-m", "0", image).outputOrFail()
        try Command("mount", "-o", "loop", image, path).outputOrFail()
        try Files.remove(path + "/lost+found")
    }

    /// Fine where there is none.
    func remove() throws {
        // Every mount of it: an earlier run may have mounted over its own.
        while isMounted { try Command("umount", path).outputOrFail() }
        try Files.remove(image)
    }

    private var isMounted: Bool {
        (Files.text("/proc/self/mounts") ?? "").split(separator: "\n").contains { line in
            line.split(separator: " ").dropFirst().first.map(String.init) == path
        }
    }

    // MARK: - Fault

    private var ballast: String { path + "/ballast" }

    /// Until not one more block fits. Blocks are set aside and not written: the machine's own disk stays quiet.
    func fill() throws {
        let descriptor = open(ballast, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw Failure(.environment, "\(ballast) can't be made") }
        defer { close(descriptor) }
        var length: off_t = 0
        var error: Int32 = 0
        for size: off_t in [16 << 20, 1 << 20, 64 << 10, 4096] {
            repeat {
                error = posix_fallocate(descriptor, length, size)
                if error == 0 { length += size }
            } while error == 0
        }
        guard error == ENOSPC else {
            throw Failure(.environment, "filling \(path): \(String(cString: strerror(error)))")
        }
    }

    func free() throws { try Files.remove(ballast) }
}
