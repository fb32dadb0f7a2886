import AccessControl
import Primitives
import Testing

struct BasicCredentialsTests {
    /// The examples of RFC 7617.
    @Test func readsTheStandardsExamples() {
        let plain = BasicCredentials(header: "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==")
        #expect(plain == BasicCredentials(username: "Aladdin", password: "open sesame"))
        #expect(BasicCredentials(header: "basic dGVzdDoxMjPCow==")?.password == "123£")
    }

    @Test func passwordsMayHaveColonsAndBeEmpty() {
        for password in ["a:b:c", "", ":", "é"] {
            let credentials = BasicCredentials(username: "you@example.com", password: password)
            #expect(BasicCredentials(header: credentials.header) == credentials)
        }
    }

    @Test(arguments: [
        "", "Basic", "Basic ", "Bearer abc", "Basic QQ", "Basic QWxhZGRpbg==", "Basic Q=Q=", "Basic QR==",
        "Basic QWxh\u{0}GRpbjpv", "Basic gDr/",
    ])
    func malformedHeadersAreRefused(header: String) {
        #expect(BasicCredentials(header: header) == nil)
    }
}

struct Base64Tests {
    /// The vectors of RFC 4648, section 10.
    @Test(arguments: [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")])
    func followsTheStandard(plain: String, encoded: String) {
        #expect(Base64.encode(Array(plain.utf8), alphabet: .standard) == encoded)
        #expect(Base64.decode(encoded, alphabet: .standard) == Array(plain.utf8))
    }

    @Test func alphabetsDifferInTwoCharacters() {
        #expect(Base64.encode([0xFB, 0xFF], alphabet: .url) == "-_8")
        #expect(Base64.decode("-_8", alphabet: .url) == [0xFB, 0xFF])
        #expect(Base64.decode("-_8=", alphabet: .standard) == nil)
    }
}

struct LoginLockoutTests {
    private let start = WallTime(milliseconds: 0)

    private func at(_ seconds: Int64) -> WallTime { start.adding(seconds: seconds) }

    @Test func fiveWrongPasswordsLockForHalfAnHour() {
        var lockout = LoginLockout()
        for second in 0..<4 { lockout.failed("you", now: at(Int64(second))) }
        #expect(!lockout.isLocked("you", now: at(4)))
        lockout.failed("YOU", now: at(4))
        #expect(lockout.isLocked("you", now: at(4)) && lockout.isLocked("you", now: at(1803)))
        #expect(!lockout.isLocked("someone-else", now: at(4)))
        #expect(!lockout.isLocked("you", now: at(1804)))
        lockout.failed("you", now: at(1804))
        #expect(!lockout.isLocked("you", now: at(1805)), "the count begins anew")
    }

    @Test func slowMistakesAndSuccessesDoNotAddUp() {
        var lockout = LoginLockout()
        for round in 0..<20 { lockout.failed("you", now: at(Int64(round) * 300)) }
        #expect(!lockout.isLocked("you", now: at(6000)), "never five within 900 s")
        for second in 0..<4 { lockout.failed("me", now: at(Int64(second))) }
        lockout.succeeded("me")
        lockout.failed("me", now: at(5))
        #expect(!lockout.isLocked("me", now: at(5)))
    }

    @Test func inventedNamesDoNotFillTheMemory() {
        var lockout = LoginLockout(threshold: 1)
        for number in 0..<LoginLockout.maximumUsers { lockout.failed("user\(number)", now: start) }
        lockout.failed("user5", now: start)
        lockout.failed("one-more", now: start)
        #expect(!lockout.isLocked("one-more", now: start) && lockout.isLocked("user5", now: start))
        lockout.failed("one-more", now: at(1801))
        #expect(lockout.isLocked("one-more", now: at(1801)))
    }
}

struct AccessTokenTests {
    /// Stands in for HMAC: depends on the key and on every byte.
    private func sign(_ key: UInt8) -> AccessToken.HMAC {
        { bytes in
            let sum = bytes.reduce(UInt64(key) &+ 0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
            return (0..<8).map { UInt8(truncatingIfNeeded: sum >> (8 * UInt64($0))) }
        }
    }

    @Test(arguments: ["JWT", "Bearer", "bearer"])
    func isGoodUntilItExpires(scheme: String) throws {
        let text = AccessToken.make(subject: "you@\"x\"", now: 1000, ttl: 300, hmac: sign(1))
        let token = try #require(AccessToken(header: "\(scheme) \(text)"))
        #expect(token.verifiedSubject(now: 1299, hmac: sign(1)) == "you@\"x\"")
        #expect(token.verifiedSubject(now: 1300, hmac: sign(1)) == nil)
        #expect(token.verifiedSubject(now: 1000, hmac: sign(2)) == nil, "another key")
        #expect(token.verifiedIssueTime(hmac: sign(1)) == 1000)
    }

    @Test func nothingInItCanBeChanged() {
        let text = AccessToken.make(subject: "you", now: 1000, ttl: 300, hmac: sign(1))
        for index in text.indices {
            var forged = text
            forged.replaceSubrange(index...index, with: text[index] == "A" ? "B" : "A")
            #expect(AccessToken(header: "JWT \(forged)")?.verifiedSubject(now: 1000, hmac: sign(1)) == nil)
        }
        #expect(AccessToken(header: "JWT a.b") == nil && AccessToken(header: "Basic a.b.c") == nil)
    }

    @Test func theHeaderIsNotObeyed() throws {
        let text = AccessToken.make(subject: "you", now: 1000, ttl: 300, hmac: sign(1))
        let claims = text.split(separator: ".")[1]
        let none = Base64.encode(Array(#"{"alg":"none"}"#.utf8), alphabet: .url)
        let token = try #require(AccessToken(header: "JWT \(none).\(claims)."))
        #expect(token.verifiedSubject(now: 1000, hmac: { _ in [] }) == nil)
    }
}

struct AccessPolicyTests {
    @Test func rolesAreAsDocumented() {
        #expect(AccessPolicy.permissions(of: .admin).count == 95 + 2, "95 of theirs, 2 of ours")
        #expect(AccessPolicy.permissions(of: .none).isEmpty)
        #expect(AccessPolicy.allows(role: "db_member", permission: "create_bdb"))
        #expect(!AccessPolicy.allows(role: "db_viewer", permission: "create_bdb"))
        #expect(AccessPolicy.allows(role: "cluster_viewer", permission: "view_all_metrics"))
        #expect(!AccessPolicy.allows(role: "db_member", permission: "view_all_metrics"))
        #expect(AccessPolicy.allows(role: "user_manager", permission: "update_user"))
        #expect(!AccessPolicy.allows(role: "cluster_member", permission: "update_cluster"))
        for role in Role.allCases where role != .admin {
            #expect(!AccessPolicy.allows(role: role.rawValue, permission: "manage_join_tokens"))
        }
    }

    @Test func whatIsUnknownIsAllowedNothing() {
        #expect(!AccessPolicy.allows(role: "root", permission: "view_bdb_info"))
        #expect(!AccessPolicy.allows(role: "admin", permission: "no_such_permission"))
    }
}
