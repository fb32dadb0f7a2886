import Glibc

/// A unix socket could not be reached or made.
package struct LocalSocketError: Error, CustomStringConvertible {
    package var operation: String
    package var path: String
    package var errorNumber: Int32

    package var description: String {
        "\(operation) \(path): \(String(cString: strerror(errorNumber)))"
    }
}

/// Unix stream sockets by path, also where the path is longer than a socket address holds (108 bytes).
///
/// The address names the socket through a descriptor of its directory, `/proc/self/fd/<n>/<name>`, so only the last
/// component has to be short. A loopback cluster in a deeply nested checkout needs this.
package enum LocalSocket {
    /// - Returns: A connected, close-on-exec, blocking descriptor that the caller owns.
    package static func connect(path: String) throws(LocalSocketError) -> Int32 {
        try withAddress(of: path) { descriptor, address, length throws(LocalSocketError) in
            guard Glibc.connect(descriptor, address, length) == 0 else {
                throw LocalSocketError(operation: "connect to", path: path, errorNumber: errno)
            }
        }
    }

    /// Removes a socket left there by a dead process, binds with mode 0600 and listens.
    ///
    /// - Returns: A listening, close-on-exec, non-blocking descriptor that the caller owns.
    package static func listen(path: String, backlog: Int32 = 128) throws(LocalSocketError) -> Int32 {
        unlink(path)
        let descriptor = try withAddress(of: path) { descriptor, address, length throws(LocalSocketError) in
            guard bind(descriptor, address, length) == 0, chmod(path, 0o600) == 0,
                Glibc.listen(descriptor, backlog) == 0
            else { throw LocalSocketError(operation: "listen on", path: path, errorNumber: errno) }
        }
        _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK)
        return descriptor
    }

    private static func withAddress(
        of path: String,
        _ body: (Int32, UnsafePointer<sockaddr>, socklen_t) throws(LocalSocketError) -> Void
    ) throws(LocalSocketError) -> Int32 {
        let (directory, name) = split(path)
        let directoryDescriptor = open(directory, O_DIRECTORY | O_CLOEXEC)
        guard directoryDescriptor >= 0 else {
            throw LocalSocketError(operation: "open the directory of", path: path, errorNumber: errno)
        }
        defer { close(directoryDescriptor) }
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else {
            throw LocalSocketError(operation: "make a socket for", path: path, errorNumber: errno)
        }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let text = Array("/proc/self/fd/\(directoryDescriptor)/\(name)".utf8)
        let fits = withUnsafeMutableBytes(of: &address.sun_path) { buffer in
            guard text.count < buffer.count else { return false }
            buffer.copyBytes(from: text)
            return true
        }
        guard fits else {
            close(descriptor)
            throw LocalSocketError(operation: "name", path: path, errorNumber: ENAMETOOLONG)
        }
        let result = Result { () throws(LocalSocketError) in
            try withGenericAddress(&address) { pointer throws(LocalSocketError) in
                try body(descriptor, pointer, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        if case .failure(let error) = result {
            close(descriptor)
            throw error
        }
        return descriptor
    }

    private static func withGenericAddress(
        _ address: inout sockaddr_un, _ body: (UnsafePointer<sockaddr>) throws(LocalSocketError) -> Void
    ) throws(LocalSocketError) {
        var outcome: Result<Void, LocalSocketError> = .success(())
        withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                outcome = Result { () throws(LocalSocketError) in try body(generic) }
            }
        }
        try outcome.get()
    }

    private static func split(_ path: String) -> (directory: String, name: String) {
        guard let slash = path.lastIndex(of: "/") else { return (".", path) }
        let directory = slash == path.startIndex ? "/" : String(path[..<slash])
        return (directory, String(path[path.index(after: slash)...]))
    }
}
