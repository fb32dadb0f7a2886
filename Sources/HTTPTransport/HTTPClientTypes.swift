package import TLS

/// Where a server listens. `host` is a name or a literal address without brackets.
package struct HTTPEndpoint: Hashable, Sendable, CustomStringConvertible {
    package var host: String
    package var port: Int

    package init(host: String, port: Int) {
        self.host = host
        self.port = port
    }

    package var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}

/// One request. `Host` and `Content-Length` are added by the client.
package struct HTTPClientRequest: Sendable {
    package var method: String
    /// Path and query as they go on the wire: begins with `/`, percent-encoded.
    package var path: String
    package var headers: [(String, String)]
    package var body: [UInt8]
    /// Whether the server may see this request twice without harm. Such a request is repeated once when a kept
    /// connection turns out to be dead; any other only when nothing of it had been written.
    package var isIdempotent: Bool

    /// - Parameter isIdempotent: nil: as the method promises (true for GET, HEAD and OPTIONS).
    package init(
        method: String = "GET", path: String, headers: [(String, String)] = [], body: [UInt8] = [],
        isIdempotent: Bool? = nil
    ) {
        self.method = method
        self.path = path
        self.headers = headers
        self.body = body
        self.isIdempotent = isIdempotent ?? ["GET", "HEAD", "OPTIONS"].contains(method)
    }
}

/// A whole answer.
package struct HTTPClientResponse: Sendable {
    package var status: Int
    package var headers: [(String, String)]
    package var body: [UInt8]
    /// What the TLS handshake of the connection told about the server.
    package var peer: TLSPeer?

    package init(status: Int, headers: [(String, String)], body: [UInt8], peer: TLSPeer?) {
        self.status = status
        self.headers = headers
        self.body = body
        self.peer = peer
    }

    /// The first header of this name, whatever its case.
    package func header(_ name: String) -> String? {
        headers.first { $0.0.lowercased() == name.lowercased() }?.1
    }
}
