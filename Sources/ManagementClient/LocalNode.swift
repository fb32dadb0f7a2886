package import HTTPTransport
package import TLS

/// The node installed under a prefix of this machine, seen through its files.
package struct LocalNode: Sendable {
    private let base: String
    package let address: String

    /// Nil when nothing is installed there, or the address isn't known yet.
    /// - Parameter prefix: absolute; `/` on a server.
    package init?(prefix: String) {
        var base = prefix
        while base.hasSuffix("/") { base.removeLast() }
        self.base = base
        guard let text = SmallFile.text("\(base)/etc/tarn/node.conf") else { return nil }
        let values = text.split(separator: "\n").map { line in
            line.split(separator: "=", maxSplits: 1).map { String($0.filter { $0 != " " && $0 != "\r" }) }
        }
        guard let address = values.first(where: { $0.count == 2 && $0[0] == "address" })?[1] else { return nil }
        self.address = address
    }

    package var endpoint: HTTPEndpoint { HTTPEndpoint(host: address, port: APIAddress.defaultPort) }
    package var url: String { "https://\(address):\(APIAddress.defaultPort)" }

    /// Nil before the node is in a cluster, or when this user may not look.
    package var authorityPEM: String? { SmallFile.text("\(base)/var/lib/tarn/pki/ca.crt") }

    /// What shows the manager that the caller is on the node; nil when the manager isn't up or this user may not look.
    package var bootstrapSecret: String? { SmallFile.text("\(base)/run/tarn/bootstrap.secret") }

    package var secretPath: String { "\(base)/run/tarn/bootstrap.secret" }
    /// Says that a bootstrap was begun from here and not seen to end.
    package var attemptPath: String { "\(base)/run/tarn/bootstrap.attempt" }

    /// What the node may show at this moment, likeliest first: as a member its cluster's certificate, before that the
    /// self-signed one. While it becomes a member either may come, whatever files are there.
    package func trusts() -> [TLSTrust] {
        var trusts: [TLSTrust] = authorityPEM.map { [.authority(pem: $0)] } ?? []
        if let pem = SmallFile.text("\(base)/var/lib/tarn/pki/bootstrap.crt"),
            let digest = try? Certificates.digest(ofPEM: pem)
        {
            trusts.append(.pinnedCertificate(sha256: digest))
        }
        return trusts
    }
}
