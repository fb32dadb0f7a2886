import Primitives
import Testing

@testable import TLS

@Suite struct CryptoTests {
    @Test func digestsMatchPublishedVectors() {
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        #expect(Hex.encode(Crypto.sha256(Array("abc".utf8))) == abc)
        let stream = Crypto.SHA256Stream()
        for _ in 0..<2 {
            stream.update("a".utf8)
            stream.update(Array("bc".utf8))
            #expect(Hex.encode(stream.finish()) == abc)
        }
        // RFC 4231, test case 2.
        let hmac = Crypto.hmacSHA256(key: Array("Jefe".utf8), message: Array("what do ya want for nothing?".utf8))
        #expect(Hex.encode(hmac) == "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843")
        // HMAC of nothing under no key; a stale key from the call above must not be used.
        #expect(Hex.encode(Crypto.hmacSHA256(key: [], message: [])).hasPrefix("b613679a0814d9ec"))
    }

    @Test func scryptMatchesRFC7914() {
        let key = Crypto.scrypt(
            password: Array("pleaseletmein".utf8), salt: Array("SodiumChloride".utf8), N: 16384, r: 8, p: 1, length: 64)
        #expect(Hex.encode(key ?? []).hasPrefix("7023bdcb3afd7348461c06cd81fd38eb"))
        #expect(Crypto.scrypt(password: [], salt: [], N: 15, r: 8, p: 1, length: 32) == nil)
        #expect(Crypto.scrypt(password: [], salt: [], N: 1 << 26, r: 8, p: 1, length: 32) == nil)
    }

    @Test func passwordsAreVerified() {
        let record = PasswordHash.make("pässword")
        #expect(record.hasPrefix("scrypt$16384$8$1$"))
        #expect(record != PasswordHash.make("pässword"))
        #expect(PasswordHash.verify("pässword", against: record))
        #expect(!PasswordHash.verify("password", against: record))
        #expect(!PasswordHash.verify("", against: "scrypt$16384$8$1$$"))
        #expect(!PasswordHash.verify("x", against: "scrypt$99999999999999$8$1$00$00000000000000000000000000000000"))
    }

    @Test func signaturesHoldForTheirMessageAndKeyOnly() throws {
        let key = try SigningKey.generate()
        let message = Array("tarn-0.1.0".utf8)
        let signature = try key.sign(message)
        #expect(SigningKey.verify(signature: signature, message: message, publicKey: key.publicKey))
        #expect(!SigningKey.verify(signature: signature, message: message + [0], publicKey: key.publicKey))
        let other = try SigningKey.generate()
        #expect(!SigningKey.verify(signature: signature, message: message, publicKey: other.publicKey))
        #expect(!SigningKey.verify(signature: [], message: message, publicKey: [1, 2]))
        let again = try SigningKey(privateKeyPEM: key.privateKeyPEM)
        #expect(try again.sign(message) == signature)
        #expect(try SigningKey.publicKey(fromPEM: key.publicKeyPEM) == key.publicKey)
        #expect(throws: TLSError.self) { try SigningKey(privateKeyPEM: Certificates.makeKey()) }
    }

    @Test func equalityAndRandomness() {
        #expect(Crypto.constantTimeEquals([], []) && Crypto.constantTimeEquals([1, 2], [1, 2]))
        #expect(!Crypto.constantTimeEquals([1, 2], [1, 3]) && !Crypto.constantTimeEquals([1], [1, 2]))
        #expect(Crypto.randomBytes(16) != Crypto.randomBytes(16))
    }
}
