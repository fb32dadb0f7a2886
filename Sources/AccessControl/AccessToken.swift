/// A signed token that stands for a password for a while: a JSON Web Token with HMAC-SHA256.
///
/// The function that signs is an argument: keys and cryptography are the caller's.
/// - Source: RFC 7519 with the algorithm HS256 of RFC 7518.
package struct AccessToken: Sendable {
    package typealias HMAC = ([UInt8]) -> [UInt8]

    private static let header = Base64.encode(Array(#"{"alg":"HS256","typ":"JWT"}"#.utf8), alphabet: .url)

    /// Header, claims and signature as they came.
    private let parts: [Substring]

    /// Takes `JWT <token>` as the reference system's clients send it, and `Bearer <token>`. Nil for anything else.
    package init?(header: String) {
        let value =
            AuthorizationHeader.value(of: header, scheme: "jwt")
            ?? AuthorizationHeader.value(of: header, scheme: "bearer")
        guard let value else { return nil }
        let parts = value.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 3 else { return nil }
        self.parts = parts
    }

    /// - Parameters:
    ///   - now: Seconds since 1970.
    ///   - ttl: Seconds that the token is good for.
    package static func make(subject: String, now: Int64, ttl: Int, hmac: HMAC) -> String {
        let claims = Claims(subject: subject, issued: now, expires: now + Int64(ttl))
        let signed = header + "." + Base64.encode(claims.json, alphabet: .url)
        return signed + "." + Base64.encode(hmac(Array(signed.utf8)), alphabet: .url)
    }

    /// Whose token it is; nil when the signature is wrong or the token has expired at `now` (seconds since 1970).
    package func verifiedSubject(now: Int64, hmac: HMAC) -> String? {
        guard let claims = verifiedClaims(hmac: hmac), now < claims.expires else { return nil }
        return claims.subject
    }

    /// When it was signed, seconds since 1970: a token older than its user's password is worth nothing.
    package func verifiedIssueTime(hmac: HMAC) -> Int64? {
        verifiedClaims(hmac: hmac)?.issued
    }

    private func verifiedClaims(hmac: HMAC) -> Claims? {
        // Only what we sign ourselves: the header is compared, not obeyed, so `"alg":"none"` gets nowhere.
        guard parts[0] == Self.header, let signature = Base64.decode(parts[2], alphabet: .url) else { return nil }
        let expected = hmac(Array("\(parts[0]).\(parts[1])".utf8))
        guard Self.isEqual(signature, expected), let json = Base64.decode(parts[1], alphabet: .url) else { return nil }
        return Claims(json: json)
    }

    /// Takes the same time wherever the first difference is.
    private static func isEqual(_ left: [UInt8], _ right: [UInt8]) -> Bool {
        guard left.count == right.count else { return false }
        return zip(left, right).reduce(UInt8(0)) { $0 | ($1.0 ^ $1.1) } == 0
    }
}

/// What the token says. Written in one fixed form, and read only after the signature has shown that we wrote it.
private struct Claims {
    var subject: String
    var issued: Int64
    var expires: Int64

    init(subject: String, issued: Int64, expires: Int64) {
        self.subject = subject
        self.issued = issued
        self.expires = expires
    }

    /// The subject travels as Base64, which needs no escapes and so spares a JSON reader at this floor.
    var json: [UInt8] {
        let subject = Base64.encode(Array(subject.utf8), alphabet: .url)
        return Array(#"{"iss":"tarn","sub":"\#(subject)","iat":\#(issued),"exp":\#(expires)}"#.utf8)
    }

    init?(json: [UInt8]) {
        let fields = String(decoding: json, as: UTF8.self).split(separator: #"""#)
        // { iss : tarn , sub : <subject> , iat :<n>, exp :<n>}
        guard fields.count == 13, fields[1] == "iss", fields[5] == "sub", fields[9] == "iat", fields[11] == "exp",
            let bytes = Base64.decode(fields[7], alphabet: .url),
            let issued = Int64(fields[10].dropFirst().dropLast()),
            let expires = Int64(fields[12].dropFirst().dropLast())
        else { return nil }
        self.init(subject: String(decoding: bytes, as: UTF8.self), issued: issued, expires: expires)
    }
}
