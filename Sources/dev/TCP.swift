import Glibc

/// Blocking IPv4 sockets with time limits.
enum TCP {
    static func connect(host: String, port: Int, timeoutSeconds: Int) throws -> Int32 {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var limit = timeval(tv_sec: timeoutSeconds, tv_usec: 0)
        for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
            setsockopt(descriptor, SOL_SOCKET, option, &limit, socklen_t(MemoryLayout<timeval>.size))
        }
        let result = try withAddress(host, port) { Glibc.connect(descriptor, $0, $1) }
        guard result == 0 else {
            let error = String(cString: strerror(errno))
            close(descriptor)
            throw Failure(.product, "cannot connect to \(host):\(port): \(error)")
        }
        return descriptor
    }

    /// Nil when the port is free, else why it can't be had.
    static func problem(listeningAt host: String, port: Int) throws -> String? {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        defer { close(descriptor) }
        var on: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, socklen_t(MemoryLayout<Int32>.size))
        let result = try withAddress(host, port) { bind(descriptor, $0, $1) }
        return result == 0 ? nil : String(cString: strerror(errno))
    }

    static func write(_ bytes: [UInt8], to descriptor: Int32) throws {
        var sent = 0
        while sent < bytes.count {
            let count = bytes[sent...].withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count > 0 { sent += count } else { try check("write") }
        }
    }

    /// At least one byte.
    static func read(from descriptor: Int32) throws -> ArraySlice<UInt8> {
        var chunk = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = Glibc.read(descriptor, &chunk, chunk.count)
            if count > 0 { return chunk[..<count] }
            if count == 0 { throw Failure(.product, "the server closed the connection") }
            try check("read")
        }
    }

    private static func check(_ verb: String) throws {
        let error = errno
        try Interruption.check()
        if error == EAGAIN { throw Failure(.product, "\(verb): no answer within the time limit") }
        if error != EINTR { throw Failure(.product, "\(verb): \(String(cString: strerror(error)))") }
    }

    private static func withAddress(
        _ host: String, _ port: Int, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32
    ) throws -> Int32 {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(UInt16(truncatingIfNeeded: port).bigEndian)
        guard inet_pton(AF_INET, host, &address.sin_addr) == 1 else {
            throw Failure(.usage, "\(host) is no IPv4 address")
        }
        return withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<sockaddr_in>.size)) }
        }
    }
}
