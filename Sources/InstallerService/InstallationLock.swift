import Glibc

/// Keeps two installers from one prefix. The kernel lets go of it when the process ends, however it ends.
final class InstallationLock {
    private let descriptor: Int32

    init(_ path: String) throws(InstallerError) {
        descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else {
            throw InstallerError(.busy, "Cannot open \(path): \(String(cString: strerror(errno))).")
        }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            close(descriptor)
            throw InstallerError(.busy, "Another `tarn install` or `tarn uninstall` is at work here; wait for it.")
        }
    }

    deinit {
        close(descriptor)
    }
}
