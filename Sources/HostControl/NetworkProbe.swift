import Glibc

/// What the network of this machine allows an IPv4 address to do. (Clusters on IPv6 are not supported yet.)
package enum NetworkProbe {
    package enum PortState: Equatable, Sendable {
        case free
        case inUse
        /// The address is not on this machine, so nothing can be bound to it.
        case addressMissing
        case refused(String)
    }

    /// IPv4 addresses of the interfaces that are up, loopback ones last.
    package static func addresses() -> [String] {
        let found = interfaces().map(\.address)
        return found.filter { !$0.hasPrefix("127.") } + found.filter { $0.hasPrefix("127.") }
    }

    /// The same with the names of the interfaces, in the kernel's order.
    package static func interfaces() -> [(interface: String, address: String)] {
        var first: UnsafeMutablePointer<ifaddrs>?
        guard getifaddrs(&first) == 0 else { return [] }
        defer { freeifaddrs(first) }
        var found: [(interface: String, address: String)] = []
        var next = first
        while let interface = next {
            next = interface.pointee.ifa_next
            guard let address = interface.pointee.ifa_addr, address.pointee.sa_family == sa_family_t(AF_INET),
                interface.pointee.ifa_flags & UInt32(IFF_UP) != 0
            else { continue }
            let text = address.withMemoryRebound(to: sockaddr_in.self, capacity: 1) {
                Self.text($0.pointee.sin_addr)
            }
            found.append((String(cString: interface.pointee.ifa_name), text))
        }
        return found
    }

    /// Whether something could listen there now. Port 0 asks for the address alone.
    package static func state(of port: UInt16, on address: String) -> PortState {
        guard var destination = socketAddress(address, port) else { return .refused("not an IPv4 address") }
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return .refused(String(cString: strerror(errno))) }
        defer { close(descriptor) }
        // Connections of a process that has ended linger for a minute and do not hinder a listener.
        var yes: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
        let bound = withGeneric(&destination) { bind(descriptor, $0, $1) }
        if bound == 0 && listen(descriptor, 1) == 0 { return .free }
        switch errno {
        case EADDRINUSE: return .inUse
        case EADDRNOTAVAIL: return .addressMissing
        default: return .refused(String(cString: strerror(errno)))
        }
    }

    /// Whether something accepts connections there; for addresses of this machine, which answer at once.
    package static func accepts(_ address: String, port: UInt16) -> Bool {
        guard var destination = socketAddress(address, port) else { return false }
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        return withGeneric(&destination) { connect(descriptor, $0, $1) } == 0
    }

    /// Whether the text is an IPv4 address in its usual form.
    package static func isAddress(_ text: String) -> Bool { socketAddress(text, 0) != nil }

    private static func socketAddress(_ address: String, _ port: UInt16) -> sockaddr_in? {
        var result = sockaddr_in()
        result.sin_family = sa_family_t(AF_INET)
        result.sin_port = port.bigEndian
        return inet_pton(AF_INET, address, &result.sin_addr) == 1 ? result : nil
    }

    private static func text(_ address: in_addr) -> String {
        var address = address
        var buffer = [CChar](repeating: 0, count: Int(INET_ADDRSTRLEN))
        inet_ntop(AF_INET, &address, &buffer, socklen_t(buffer.count))
        return String(decoding: buffer.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    private static func withGeneric(
        _ address: inout sockaddr_in, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32
    ) -> Int32 {
        withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
    }
}
