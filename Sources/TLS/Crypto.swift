import COpenSSL

/// Digests, keyed digests and random bytes.
package enum Crypto {
    package static func sha256(_ bytes: [UInt8]) -> [UInt8] {
        var digest = [UInt8](repeating: 0, count: 32)
        EVP_Digest(bytes, bytes.count, &digest, nil, EVP_sha256(), nil)
        return digest
    }

    package static func hmacSHA256(key: [UInt8], message: [UInt8]) -> [UInt8] {
        var digest = [UInt8](repeating: 0, count: 32)
        // An empty Swift array may have no address, and to OpenSSL no key means "the key of last time".
        let padded = key.isEmpty ? [0] : key
        HMAC(EVP_sha256(), padded, Int32(key.count), message, message.count, &digest, nil)
        return digest
    }

    /// For secrets. Traps when the machine has no entropy: there is nothing safe to go on with.
    package static func randomBytes(_ count: Int) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        guard count > 0 else { return bytes }
        precondition(RAND_bytes(&bytes, Int32(count)) == 1, "the system's random generator failed")
        return bytes
    }

    /// Equality whose duration tells only the lengths.
    package static func constantTimeEquals(_ left: [UInt8], _ right: [UInt8]) -> Bool {
        left.count == right.count && (left.isEmpty || CRYPTO_memcmp(left, right, left.count) == 0)
    }

    /// The scrypt function (RFC 7914), a deliberately slow one: with N = 16384 some 30 ms and 16 MiB.
    /// Nil for parameters out of range: N a power of two above 1, at most 256 MiB of memory.
    package static func scrypt(
        password: [UInt8], salt: [UInt8], N: Int, r: Int, p: Int, length: Int
    ) -> [UInt8]? {
        let limit = 256 << 20
        guard N > 1, r > 0, p > 0, length > 0, N <= limit, r <= 1 << 10, p <= 1 << 10 else { return nil }
        var key = [UInt8](repeating: 0, count: length)
        let text = password.map { CChar(bitPattern: $0) }
        let result = EVP_PBE_scrypt(
            text, text.count, salt, salt.count, UInt64(N), UInt64(r), UInt64(p), UInt64(limit), &key, length)
        ErrorQueue.clear()
        return result == 1 ? key : nil
    }

    /// SHA-256 of data that comes in parts. Belongs to one thread at a time.
    package final class SHA256Stream {
        private let state = EVP_MD_CTX_new()

        package init() {
            EVP_DigestInit_ex(state, EVP_sha256(), nil)
        }

        deinit {
            EVP_MD_CTX_free(state)
        }

        package func update(_ bytes: UnsafeRawBufferPointer) {
            EVP_DigestUpdate(state, bytes.baseAddress, bytes.count)
        }

        package func update(_ bytes: some Sequence<UInt8>) {
            let direct: Void? = bytes.withContiguousStorageIfAvailable { update(UnsafeRawBufferPointer($0)) }
            if direct == nil { Array(bytes).withUnsafeBytes { update($0) } }
        }

        /// The digest of all that came; the stream then begins anew.
        package func finish() -> [UInt8] {
            var digest = [UInt8](repeating: 0, count: 32)
            EVP_DigestFinal_ex(state, &digest, nil)
            EVP_DigestInit_ex(state, EVP_sha256(), nil)
            return digest
        }
    }
}
