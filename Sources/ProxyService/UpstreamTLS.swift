import COpenSSL
import Glibc
import NodeLayout
import RESP

/// Mutual TLS to shards on other nodes, right on the sockets of one loop.
///
/// The files are read again for a new connection when they changed, so a rotated certificate needs no restart;
/// connections that are open go on with the old one.
struct UpstreamTLS {
    enum Handshake { case done, again, failed(String) }

    private let paths: NodePaths
    private var context: OpaquePointer?
    private var stamp: [Int] = []

    init(paths: NodePaths) {
        self.paths = paths
    }

    /// - Returns: Nil when the credentials can't be read; the caller tries again later.
    mutating func open(_ descriptor: Int32, host: String) -> OpaquePointer? {
        refresh()
        guard let context, let connection = SSL_new(context) else { return nil }
        guard SSL_set_fd(connection, descriptor) == 1,
            X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(connection), host) == 1
        else {
            SSL_free(connection)
            return nil
        }
        SSL_set_connect_state(connection)
        return connection
    }

    func shakeHands(_ connection: OpaquePointer) -> Handshake {
        ERR_clear_error()
        let outcome = SSL_do_handshake(connection)
        if outcome == 1 { return .done }
        switch SSL_get_error(connection, outcome) {
        case SSL_ERROR_WANT_READ, SSL_ERROR_WANT_WRITE: return .again
        default: return .failed(Self.reason(connection))
        }
    }

    /// - Returns: Bytes read, 0 at the end, `-EAGAIN`, or another negative number for a failure.
    func read(_ connection: OpaquePointer, _ bytes: Bytes, _ count: Int) -> Int {
        ERR_clear_error()
        return outcome(connection, Int(SSL_read(connection, bytes, Int32(count))))
    }

    func write(_ connection: OpaquePointer, _ bytes: Bytes, _ count: Int) -> Int {
        var done = 0
        while done < count {  // A partial write ends at a record; edge-triggering wants it tried until it would block.
            ERR_clear_error()
            let written = outcome(connection, Int(SSL_write(connection, bytes + done, Int32(clamping: count - done))))
            if written <= 0 { return done > 0 ? done : written == 0 ? Int(-EPIPE) : written }
            done += written
        }
        return done
    }

    func close(_ connection: OpaquePointer) {
        SSL_free(connection)
    }

    private func outcome(_ connection: OpaquePointer, _ result: Int) -> Int {
        if result > 0 { return result }
        switch SSL_get_error(connection, Int32(result)) {
        case SSL_ERROR_WANT_READ, SSL_ERROR_WANT_WRITE: return Int(-EAGAIN)
        case SSL_ERROR_ZERO_RETURN: return 0
        default: return Int(-EIO)
        }
    }

    private mutating func refresh() {
        let now = [paths.nodeCertificate, paths.nodeKey, paths.authorityCertificate].map(Self.stampOfFile)
        if context != nil && now == stamp { return }
        guard let fresh = makeContext() else { return }  // The old one serves while files are being replaced.
        if let context { SSL_CTX_free(context) }
        context = fresh
        stamp = now
    }

    private func makeContext() -> OpaquePointer? {
        ERR_clear_error()
        guard let context = SSL_CTX_new(TLS_client_method()) else { return nil }
        let isComplete =
            SSL_CTX_use_certificate_chain_file(context, paths.nodeCertificate) == 1
            && SSL_CTX_use_PrivateKey_file(context, paths.nodeKey, SSL_FILETYPE_PEM) == 1
            && SSL_CTX_load_verify_locations(context, paths.authorityCertificate, nil) == 1
        guard isComplete else {
            log("can't read the node's TLS files near \(paths.nodeCertificate): \(Self.lastError())")
            SSL_CTX_free(context)
            return nil
        }
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nil)
        proxy_ssl_context_prepare(context)
        return context
    }

    private static func stampOfFile(_ path: String) -> Int {
        var status = stat()
        guard stat(path, &status) == 0 else { return 0 }
        return Int(status.st_mtim.tv_sec) &* 1_000_000_007 &+ status.st_mtim.tv_nsec &+ Int(status.st_ino)
    }

    private static func reason(_ connection: OpaquePointer) -> String {
        let verification = SSL_get_verify_result(connection)
        if verification != X509_V_OK { return String(cString: X509_verify_cert_error_string(Int(verification))) }
        return lastError()
    }

    private static func lastError() -> String {
        var text = [CChar](repeating: 0, count: 256)
        ERR_error_string_n(ERR_get_error(), &text, 256)
        return text.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
    }
}
