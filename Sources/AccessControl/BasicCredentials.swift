/// User and password of an `Authorization: Basic` header.
/// - Source: RFC 7617. The user can't contain a colon; the password can.
package struct BasicCredentials: Equatable, Sendable {
    package let username: String
    package let password: String

    /// Nil when the header is of another scheme or malformed.
    package init?(header: String) {
        guard let encoded = AuthorizationHeader.value(of: header, scheme: "basic"),
            let bytes = Base64.decode(encoded, alphabet: .standard),
            let colon = bytes.firstIndex(of: UInt8(ascii: ":")),
            let username = String(validating: bytes[..<colon], as: UTF8.self),
            let password = String(validating: bytes[(colon + 1)...], as: UTF8.self)
        else { return nil }
        self.username = username
        self.password = password
    }

    package init(username: String, password: String) {
        self.username = username
        self.password = password
    }

    /// The header as a client sends it.
    package var header: String {
        "Basic " + Base64.encode(Array("\(username):\(password)".utf8), alphabet: .standard)
    }
}

enum AuthorizationHeader {
    /// What follows the scheme, whose case doesn't matter; nil for another scheme.
    static func value(of header: String, scheme: String) -> Substring? {
        let parts = header.split(separator: " ", maxSplits: 1)
        guard parts.count == 2, parts[0].lowercased() == scheme else { return nil }
        return parts[1].drop { $0 == " " }
    }
}
