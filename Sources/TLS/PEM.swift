import COpenSSL

/// PEM text to OpenSSL objects and back. Objects returned are owned by the caller, who frees them.
enum PEM {
    static func withBIO<Result>(
        reading text: String, _ body: (OpaquePointer) throws(TLSError) -> Result
    ) throws(TLSError) -> Result {
        let bio = try makeBIO()
        defer { BIO_free_all(bio) }
        var text = text
        let written = text.withUTF8 { BIO_write(bio, $0.baseAddress, Int32(clamping: $0.count)) }
        guard written > 0 || text.isEmpty else { throw ErrorQueue.error(.internalFailure, "no memory") }
        return try body(bio)
    }

    /// The text that `body` writes.
    static func text(_ body: (OpaquePointer) -> Int32) throws(TLSError) -> String {
        let bio = try makeBIO()
        defer { BIO_free_all(bio) }
        guard body(bio) == 1 else { throw ErrorQueue.error(.internalFailure, "writing PEM failed") }
        return String(decoding: contents(bio), as: UTF8.self)
    }

    static func contents(_ bio: OpaquePointer) -> UnsafeRawBufferPointer {
        var start: UnsafeMutablePointer<CChar>?
        let count = tarn_bio_data(bio, &start)
        return UnsafeRawBufferPointer(start: start, count: count)
    }

    static func makeBIO() throws(TLSError) -> OpaquePointer {
        guard let bio = BIO_new(BIO_s_mem()) else { throw ErrorQueue.error(.internalFailure, "no memory") }
        return bio
    }

    /// All certificates of the text, at least one.
    static func certificates(_ text: String) throws(TLSError) -> [OpaquePointer] {
        ErrorQueue.clear()
        let found = try withBIO(reading: text) { bio throws(TLSError) in
            var list: [OpaquePointer] = []
            while let certificate = tarn_read_certificate(bio) { list.append(certificate) }
            return list
        }
        // The end of the text is an error to OpenSSL ("no start line"), so the queue tells nothing here.
        guard !found.isEmpty else {
            throw ErrorQueue.error(.invalidCertificate, "no certificate in the PEM text")
        }
        ErrorQueue.clear()
        return found
    }

    static func certificate(_ text: String) throws(TLSError) -> OpaquePointer {
        let all = try certificates(text)
        for other in all.dropFirst() { X509_free(other) }
        return all[0]
    }

    static func request(_ text: String) throws(TLSError) -> OpaquePointer {
        ErrorQueue.clear()
        return try withBIO(reading: text) { bio throws(TLSError) in
            guard let request = PEM_read_bio_X509_REQ(bio, nil, nil, nil) else {
                throw ErrorQueue.error(.invalidCertificate, "no certificate request in the PEM text")
            }
            return request
        }
    }

    static func privateKey(_ text: String) throws(TLSError) -> OpaquePointer {
        ErrorQueue.clear()
        return try withBIO(reading: text) { bio throws(TLSError) in
            guard let key = tarn_read_private_key(bio) else {
                throw ErrorQueue.error(.invalidKey, "no unencrypted private key in the PEM text")
            }
            return key
        }
    }

    static func text(certificate: OpaquePointer) throws(TLSError) -> String {
        try text { PEM_write_bio_X509($0, certificate) }
    }

    static func text(privateKey: OpaquePointer) throws(TLSError) -> String {
        try text { PEM_write_bio_PrivateKey($0, privateKey, nil, nil, 0, nil, nil) }
    }
}
