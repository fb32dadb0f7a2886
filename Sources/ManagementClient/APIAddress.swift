package import HTTPTransport

/// Where the API is: `https://host[:port]`, several separated by commas; any node answers.
package enum APIAddress {
    package static let defaultPort = 9443

    /// - Throws: ``ClientFailure`` of kind `usage` for anything that isn't such an address.
    package static func parse(_ text: String) throws(ClientFailure) -> [HTTPEndpoint] {
        var endpoints: [HTTPEndpoint] = []
        for part in text.split(separator: ",") { endpoints.append(try parseOne(String(part.filter { $0 != " " }))) }
        guard !endpoints.isEmpty else { throw invalid(text) }
        return endpoints
    }

    private static func parseOne(_ text: String) throws(ClientFailure) -> HTTPEndpoint {
        guard !text.hasPrefix("http://") else {
            throw ClientFailure(.usage, "bad_url", "the API speaks https only: write https://\(text.dropFirst(7))")
        }
        var rest = text.hasPrefix("https://") ? text.dropFirst(8) : text[...]
        if rest.hasSuffix("/") { rest.removeLast() }
        if rest.hasPrefix("[") {
            guard let end = rest.firstIndex(of: "]") else { throw invalid(text) }
            let port = rest[rest.index(after: end)...]
            guard port.isEmpty || port.hasPrefix(":") else { throw invalid(text) }
            return try endpoint(rest[rest.index(after: rest.startIndex)..<end], port: port.dropFirst(), in: text)
        }
        let parts = rest.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count <= 2 else { throw invalid(text) }
        return try endpoint(parts[0], port: parts.count == 2 ? parts[1] : "", in: text)
    }

    private static func endpoint(
        _ host: Substring, port: Substring, in text: String
    ) throws(ClientFailure) -> HTTPEndpoint {
        let number = port.isEmpty ? defaultPort : Int(port) ?? 0
        guard !host.isEmpty, !host.contains("/"), (1...65_535).contains(number) else { throw invalid(text) }
        return HTTPEndpoint(host: String(host), port: number)
    }

    private static func invalid(_ text: String) -> ClientFailure {
        ClientFailure(.usage, "bad_url", "'\(text)' is no address of the API: write https://<host>[:\(defaultPort)]")
    }
}
