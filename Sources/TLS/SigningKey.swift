import COpenSSL

/// An Ed25519 key (RFC 8032) that signs releases.
package struct SigningKey: Sendable {
    /// The 32 bytes that are the key.
    private let seed: [UInt8]
    /// The 32 bytes of the public half.
    package let publicKey: [UInt8]

    package init() throws(TLSError) {
        try self.init(seed: Crypto.randomBytes(32))
    }

    package static func generate() throws(TLSError) -> SigningKey {
        try SigningKey()
    }

    private init(seed: [UInt8]) throws(TLSError) {
        self.seed = seed
        publicKey = try Self.withKey(seed) { key throws(TLSError) in
            var bytes = [UInt8](repeating: 0, count: 32)
            var count = bytes.count
            guard EVP_PKEY_get_raw_public_key(key, &bytes, &count) == 1, count == 32 else {
                throw ErrorQueue.error(.invalidKey, "the Ed25519 key has no public half")
            }
            return bytes
        }
    }

    /// - Throws: `invalidKey` unless the text is an unencrypted Ed25519 private key (PKCS #8).
    package init(privateKeyPEM: String) throws(TLSError) {
        let key = try PEM.privateKey(privateKeyPEM)
        defer { EVP_PKEY_free(key) }
        var seed = [UInt8](repeating: 0, count: 32)
        var count = seed.count
        guard EVP_PKEY_get_id(key) == EVP_PKEY_ED25519, EVP_PKEY_get_raw_private_key(key, &seed, &count) == 1 else {
            throw TLSError(.invalidKey, "the private key is not an Ed25519 key")
        }
        try self.init(seed: seed)
    }

    package var privateKeyPEM: String {
        get throws(TLSError) {
            try Self.withKey(seed) { key throws(TLSError) in try PEM.text(privateKey: key) }
        }
    }

    package var publicKeyPEM: String {
        get throws(TLSError) {
            try Self.withPublicKey(publicKey) { key throws(TLSError) in
                try PEM.text { PEM_write_bio_PUBKEY($0, key) }
            }
        }
    }

    /// The 32 raw bytes of a public key in PEM.
    package static func publicKey(fromPEM pem: String) throws(TLSError) -> [UInt8] {
        ErrorQueue.clear()
        return try PEM.withBIO(reading: pem) { bio throws(TLSError) in
            guard let key = PEM_read_bio_PUBKEY(bio, nil, nil, nil) else {
                throw ErrorQueue.error(.invalidKey, "no public key in the PEM text")
            }
            defer { EVP_PKEY_free(key) }
            var bytes = [UInt8](repeating: 0, count: 32)
            var count = bytes.count
            guard EVP_PKEY_get_id(key) == EVP_PKEY_ED25519, EVP_PKEY_get_raw_public_key(key, &bytes, &count) == 1
            else { throw TLSError(.invalidKey, "the public key is not an Ed25519 key") }
            return bytes
        }
    }

    /// The 64 bytes of the signature.
    package func sign(_ message: [UInt8]) throws(TLSError) -> [UInt8] {
        try Self.withKey(seed) { key throws(TLSError) in
            let state = EVP_MD_CTX_new()
            defer { EVP_MD_CTX_free(state) }
            var signature = [UInt8](repeating: 0, count: 64)
            var count = signature.count
            guard EVP_DigestSignInit(state, nil, nil, nil, key) == 1,
                EVP_DigestSign(state, &signature, &count, message, message.count) == 1, count == 64
            else { throw ErrorQueue.error(.internalFailure, "signing failed") }
            return signature
        }
    }

    /// Whether `signature` is `publicKey`'s (32 raw bytes) on `message`. False also for texts of the wrong length.
    package static func verify(signature: [UInt8], message: [UInt8], publicKey: [UInt8]) -> Bool {
        let isGood = try? withPublicKey(publicKey) { key throws(TLSError) in
            let state = EVP_MD_CTX_new()
            defer { EVP_MD_CTX_free(state) }
            return EVP_DigestVerifyInit(state, nil, nil, nil, key) == 1
                && EVP_DigestVerify(state, signature, signature.count, message, message.count) == 1
        }
        ErrorQueue.clear()
        return isGood ?? false
    }

    private static func withKey<Result>(
        _ seed: [UInt8], _ body: (OpaquePointer) throws(TLSError) -> Result
    ) throws(TLSError) -> Result {
        ErrorQueue.clear()
        guard let key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nil, seed, seed.count) else {
            throw ErrorQueue.error(.invalidKey, "not an Ed25519 private key")
        }
        defer { EVP_PKEY_free(key) }
        return try body(key)
    }

    private static func withPublicKey<Result>(
        _ bytes: [UInt8], _ body: (OpaquePointer) throws(TLSError) -> Result
    ) throws(TLSError) -> Result {
        ErrorQueue.clear()
        guard let key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nil, bytes, bytes.count) else {
            throw ErrorQueue.error(.invalidKey, "not an Ed25519 public key (32 bytes)")
        }
        defer { EVP_PKEY_free(key) }
        return try body(key)
    }
}
