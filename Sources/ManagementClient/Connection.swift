import FoundationEssentials
package import HTTPTransport
import HostControl
package import NIOCore
import TLS

extension ClientConfiguration {
    /// Opens the files that the settings name.
    /// - Parameter ask: asks a person for the password of a user; nil when there is nobody to ask.
    package func client(
        group: any EventLoopGroup, ask: (String) -> String?
    ) throws(ClientFailure) -> (http: HTTPClient, api: APIClient) {
        let context: TLSContext
        do {
            context = try TLSContext.client(identity: nil, trust: try tlsTrust())
        } catch let error as ClientFailure {
            throw error
        } catch {
            throw ClientFailure(.usage, "bad_ca", "the CA certificate can't be used: \(error)")
        }
        let http = HTTPClient(group: group, tls: context)
        return (http, APIClient(client: http, endpoints: endpoints, credentials: try credentials(ask)))
    }

    private func tlsTrust() throws(ClientFailure) -> TLSTrust {
        switch trust {
        case .anybody: return .none
        case .system: return .systemAuthorities
        case .pem(let pem): return .authority(pem: pem)
        case .file(let path):
            guard let pem = HostFile.text(path) else {
                throw ClientFailure(.usage, "bad_ca", "can't read the CA certificate \(path)")
            }
            return .authority(pem: pem)
        }
    }

    private func credentials(_ ask: (String) -> String?) throws(ClientFailure) -> APIClient.Credentials? {
        guard let user else { return nil }
        switch password {
        case .text(let text): return APIClient.Credentials(user: user, password: text)
        case .file(let path):
            return APIClient.Credentials(user: user, password: try Self.password(inFile: path))
        case nil: return ask(user).map { APIClient.Credentials(user: user, password: $0) }
        }
    }

    /// The file's content without white space at its ends.
    package static func password(inFile path: String) throws(ClientFailure) -> String {
        guard let text = HostFile.text(path), !text.isEmpty else {
            throw ClientFailure(.usage, "bad_password_file", "can't read a password from \(path)")
        }
        return text
    }
}
