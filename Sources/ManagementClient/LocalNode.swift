package import HTTPTransport
import HostControl
import NodeLayout
package import TLS

/// The node installed under a prefix of this machine, seen through its files.
package struct LocalNode: Sendable {
    private let paths: NodePaths
    package let address: String

    /// Nil when nothing is installed there, or the address isn't known yet.
    /// - Parameter prefix: absolute; `/` on a server.
    package init?(prefix: String) {
        paths = NodePaths(prefix: prefix)
        guard let text = HostFile.text(paths.settings),
            let address = try? NodeSettings(parsing: text, of: paths).requiredAddress
        else { return nil }
        self.address = address
    }

    package var endpoint: HTTPEndpoint { HTTPEndpoint(host: address, port: APIAddress.defaultPort) }
    package var url: String { "https://\(address):\(APIAddress.defaultPort)" }

    /// Nil before the node is in a cluster, or when this user may not look.
    package var authorityPEM: String? { HostFile.text(paths.authorityCertificate) }

    /// What shows the manager that the caller is on the node; nil when the manager isn't up or this user may not look.
    package var bootstrapSecret: String? { HostFile.text(paths.bootstrapSecret) }

    package var secretPath: String { paths.bootstrapSecret }
    /// Says that a bootstrap was begun from here and not seen to end.
    package var attemptPath: String { paths.bootstrapAttempt }

    /// What the node may show at this moment, likeliest first: as a member its cluster's certificate, before that the
    /// self-signed one. While it becomes a member either may come, whatever files are there.
    package func trusts() -> [TLSTrust] {
        var trusts: [TLSTrust] = authorityPEM.map { [.authority(pem: $0)] } ?? []
        if let pem = HostFile.text(paths.bootstrapCertificate),
            let digest = try? Certificates.digest(ofPEM: pem)
        {
            trusts.append(.pinnedCertificate(sha256: digest))
        }
        return trusts
    }
}
