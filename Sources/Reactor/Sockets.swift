import CLinux
import Glibc

/// System calls on sockets, non-blocking throughout. Negative results are `-errno`.
package enum Sockets {
    /// Finds out whether anybody else listens there: SO_REUSEPORT would let two processes of one user share a port
    /// without either noticing.
    ///
    /// - Returns: 0 when the address is free.
    package static func probe(host: String, port: UInt16) -> Int32 {
        bound(host, port, isShared: false) { descriptor in
            close(descriptor)
            return 0
        }
    }

    /// A listener that shares its port with the listeners of the other loops; the kernel spreads connections.
    package static func listen(host: String, port: UInt16) -> Int32 {
        bound(host, port, isShared: true) { descriptor in
            if Glibc.listen(descriptor, 4096) == 0 { return descriptor }
            let failure = -errno
            close(descriptor)
            return failure
        }
    }

    private static func bound(
        _ host: String, _ port: UInt16, isShared: Bool, _ body: (Int32) -> Int32
    ) -> Int32 {
        withAddress(host, port) { family, address, length in
            let descriptor = clinux_socket_nonblocking(family)
            if descriptor < 0 { return -errno }
            clinux_set_option(descriptor, SOL_SOCKET, SO_REUSEADDR, 1)
            if isShared { clinux_set_option(descriptor, SOL_SOCKET, SO_REUSEPORT, 1) }
            var outcome = bind(descriptor, address, length) == 0 ? 0 : -errno
            // Without listening the probe would overlook a listener that was bound with SO_REUSEADDR.
            if outcome == 0 && !isShared { outcome = Glibc.listen(descriptor, 1) == 0 ? 0 : -errno }
            if outcome == 0 { return body(descriptor) }
            close(descriptor)
            return outcome
        }
    }

    /// As long as a request waits for a connection.
    private static let unacknowledgedLimitMilliseconds: Int32 = 5000

    /// - Returns: A connecting descriptor; writable means connected or failed (``error(of:)``).
    package static func connect(host: String, port: UInt16) -> Int32 {
        withAddress(host, port) { family, address, length in
            let descriptor = clinux_socket_nonblocking(family)
            if descriptor < 0 { return -errno }
            setNoDelay(descriptor)
            // A peer beyond a cut acknowledges nothing, and nothing else would tell for a quarter of an hour.
            clinux_set_option(descriptor, Int32(IPPROTO_TCP), TCP_USER_TIMEOUT, unacknowledgedLimitMilliseconds)
            if Glibc.connect(descriptor, address, length) == 0 || errno == EINPROGRESS { return descriptor }
            let failure = -errno
            close(descriptor)
            return failure
        }
    }

    /// Connects at once or fails. Through the descriptor of the directory, since paths may exceed 108 bytes.
    package static func connect(path: String) -> Int32 {
        let slash = path.lastIndex(of: "/")
        let directory = slash.map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
        let name = slash.map { path[path.index(after: $0)...] } ?? path[...]
        let directoryDescriptor = open(directory, O_DIRECTORY | O_CLOEXEC)
        if directoryDescriptor < 0 { return -errno }
        defer { close(directoryDescriptor) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let text = Array("/proc/self/fd/\(directoryDescriptor)/\(name)".utf8)
        let fits = withUnsafeMutableBytes(of: &address.sun_path) { buffer in
            if text.count >= buffer.count { return false }
            buffer.copyBytes(from: text)
            return true
        }
        if !fits { return -ENAMETOOLONG }
        let descriptor = clinux_socket_nonblocking(AF_UNIX)
        if descriptor < 0 { return -errno }
        // Large values pass in pieces of this size; the default (208 KiB) cost 2.8 times the CPU for 100 KiB SETs.
        clinux_set_option(descriptor, SOL_SOCKET, SO_SNDBUF, 2 << 20)
        clinux_set_option(descriptor, SOL_SOCKET, SO_RCVBUF, 2 << 20)
        let outcome = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) == 0 ? descriptor : -errno
            }
        }
        if outcome < 0 { close(descriptor) }
        return outcome
    }

    package static func error(of descriptor: Int32) -> Int32 { clinux_socket_error(descriptor) }
    package static func accept(_ listener: Int32) -> Int32 {
        let descriptor = clinux_accept_nonblocking(listener)
        return descriptor >= 0 ? descriptor : -errno
    }

    package static func setNoDelay(_ descriptor: Int32) {
        clinux_set_option(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, 1)
    }

    /// Dead peers are noticed a minute or less after so much silence: three probes at a third of it, 20 s at most.
    /// - Parameter seconds: 0 for no probes.
    package static func setKeepAlive(_ descriptor: Int32, seconds: Int) {
        if seconds == 0 { return }
        clinux_set_option(descriptor, SOL_SOCKET, SO_KEEPALIVE, 1)
        clinux_set_option(descriptor, Int32(IPPROTO_TCP), TCP_KEEPIDLE, Int32(clamping: seconds))
        clinux_set_option(descriptor, Int32(IPPROTO_TCP), TCP_KEEPINTVL, Int32(max(1, min(20, seconds / 3))))
        clinux_set_option(descriptor, Int32(IPPROTO_TCP), TCP_KEEPCNT, 3)
    }

    @inline(__always)
    package static func send(_ descriptor: Int32, _ bytes: UnsafeMutablePointer<UInt8>, _ count: Int) -> Int {
        let sent = clinux_send(descriptor, bytes, UInt(count))
        return sent >= 0 ? sent : Int(-errno)
    }

    package static func send(
        _ descriptor: Int32, _ first: UnsafeMutablePointer<UInt8>, _ firstCount: Int,
        _ second: UnsafeMutablePointer<UInt8>, _ secondCount: Int
    ) -> Int {
        let sent = clinux_send_pair(descriptor, first, UInt(firstCount), second, UInt(secondCount))
        return sent >= 0 ? sent : Int(-errno)
    }

    @inline(__always)
    package static func receive(_ descriptor: Int32, _ bytes: UnsafeMutablePointer<UInt8>, _ count: Int) -> Int {
        let received = clinux_receive(descriptor, bytes, UInt(count))
        return received >= 0 ? received : Int(-errno)
    }

    /// `address:port` of the other end, as CLIENT INFO shows it.
    package static func peer(of descriptor: Int32) -> String { name(descriptor, getpeername) }

    /// The same of this end.
    package static func local(of descriptor: Int32) -> String { name(descriptor, getsockname) }

    private static func name(
        _ descriptor: Int32, _ ask: (Int32, UnsafeMutablePointer<sockaddr>, UnsafeMutablePointer<socklen_t>) -> Int32
    ) -> String {
        var address = sockaddr_in()
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let outcome = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { ask(descriptor, $0, &length) }
        }
        guard outcome == 0, address.sin_family == sa_family_t(AF_INET) else { return "?:0" }
        let host = UInt32(bigEndian: address.sin_addr.s_addr)
        let parts = [24, 16, 8, 0].map { String(host >> $0 & 255) }
        return parts.joined(separator: ".") + ":\(UInt16(bigEndian: address.sin_port))"
    }

    private static func withAddress(
        _ host: String, _ port: UInt16, _ body: (Int32, UnsafePointer<sockaddr>, socklen_t) -> Int32
    ) -> Int32 {
        var four = sockaddr_in()
        if inet_pton(AF_INET, host, &four.sin_addr) == 1 {
            four.sin_family = sa_family_t(AF_INET)
            four.sin_port = port.bigEndian
            return withUnsafePointer(to: &four) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    body(AF_INET, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
                }
            }
        }
        var six = sockaddr_in6()
        guard inet_pton(AF_INET6, host, &six.sin6_addr) == 1 else { return -EINVAL }
        six.sin6_family = sa_family_t(AF_INET6)
        six.sin6_port = port.bigEndian
        return withUnsafePointer(to: &six) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body(AF_INET6, $0, socklen_t(MemoryLayout<sockaddr_in6>.size))
            }
        }
    }
}
