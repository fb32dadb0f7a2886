import FoundationEssentials
package import HTTPTransport

/// What `tarn` remembers of a cluster between two calls, in `~/.config/tarn/config.json` (mode 0600).
package struct SavedCluster: Codable, Hashable, Sendable {
    package var url: String
    /// PEM of the cluster's authority.
    package var caCertificate: String?
    package var user: String?
    /// One of the two; the file is preferred, a password that came from a prompt or the environment is kept here.
    package var passwordFile: String?
    package var password: String?

    private enum CodingKeys: String, CodingKey {
        case url, user, password
        case caCertificate = "ca_certificate"
        case passwordFile = "password_file"
    }

    package init(
        url: String, caCertificate: String?, user: String?, passwordFile: String? = nil, password: String? = nil
    ) {
        self.url = url
        self.caCertificate = caCertificate
        self.user = user
        self.passwordFile = passwordFile
        self.password = password
    }
}

/// The pieces from which the connection settings are put together, each as its source has it.
package struct ConfigurationSources: Sendable {
    /// From the command line.
    package struct Flags: Hashable, Sendable {
        package var url: String?
        package var ca: String?
        package var user: String?
        package var passwordFile: String?
        package var isInsecure = false
        /// Given by hand, not the default.
        package var prefix: String?
        package init() {}
    }

    /// A node of this machine: its API address and its cluster's authority.
    package struct Node: Hashable, Sendable {
        package var address: String
        package var caCertificate: String?

        package init(address: String, caCertificate: String?) {
            self.address = address
            self.caCertificate = caCertificate
        }
    }

    package var flags = Flags()
    /// `TARN_URL`, `TARN_CA`, `TARN_USER`, `TARN_PASSWORD_FILE`, `TARN_PASSWORD`.
    package var environment: [String: String] = [:]
    package var saved: SavedCluster?
    /// The node under `--prefix`, or the one installed under `/`.
    package var node: Node?

    package init() {}
}

/// How to reach the API and as whom.
package struct ClientConfiguration: Hashable, Sendable {
    package enum Password: Hashable, Sendable {
        case file(String)
        case text(String)
    }

    package enum Trust: Hashable, Sendable {
        case file(String)
        case pem(String)
        case system
        case anybody
    }

    package var endpoints: [HTTPEndpoint]
    package var trust: Trust
    package var user: String?
    package var password: Password?

    /// Each setting comes from the first source that has it: flags, the node of `--prefix`, the environment, the
    /// saved cluster, the node under `/`. Two exceptions keep secrets where they belong: a saved authority is used
    /// only for the saved address, and saved credentials only for the saved cluster (same address or same authority).
    /// - Throws: `usage` when no source has an address, or one that can't be read.
    package init(_ sources: ConfigurationSources) throws(ClientFailure) {
        let flags = sources.flags
        let variable = { (name: String) in sources.environment[name].flatMap { $0.isEmpty ? nil : $0 } }
        let chosen = flags.prefix == nil ? nil : sources.node
        let place = Self.place(sources, chosen: chosen, url: flags.url ?? chosen?.url ?? variable("TARN_URL"))
        guard let place else {
            throw ClientFailure(
                .usage, "no_api",
                "no cluster is known: give --url, set TARN_URL, or run this on a node "
                    + "(--prefix DIR for one that is not under /)")
        }
        endpoints = try APIAddress.parse(place.url)
        if flags.isInsecure {
            trust = .anybody
        } else if let file = flags.ca ?? (chosen == nil ? variable("TARN_CA") : nil) {
            trust = .file(file)
        } else {
            trust = place.ca.map(Trust.pem) ?? variable("TARN_CA").map(Trust.file) ?? .system
        }
        let saved = Self.credentials(of: sources.saved, for: place, isInsecure: flags.isInsecure)
        user = flags.user ?? variable("TARN_USER") ?? saved?.user
        password =
            (flags.passwordFile ?? variable("TARN_PASSWORD_FILE")).map(Password.file)
            ?? variable("TARN_PASSWORD").map(Password.text)
            ?? saved?.passwordFile.map(Password.file) ?? saved?.password.map(Password.text)
    }

    private struct Place {
        var url: String
        var ca: String?
    }

    private static func place(
        _ sources: ConfigurationSources, chosen: ConfigurationSources.Node?, url: String?
    ) -> Place? {
        if let url {
            let known = [chosen, sources.node].compactMap { $0 }.first { $0.url == url }
            let saved = sources.saved?.url == url ? sources.saved?.caCertificate : nil
            return Place(url: url, ca: known?.caCertificate ?? saved)
        }
        if let saved = sources.saved { return Place(url: saved.url, ca: saved.caCertificate) }
        return sources.node.map { Place(url: $0.url, ca: $0.caCertificate) }
    }

    private static func credentials(
        of saved: SavedCluster?, for place: Place, isInsecure: Bool
    ) -> SavedCluster? {
        guard let saved, !isInsecure || saved.url == place.url else { return nil }
        let isSameAuthority = saved.caCertificate != nil && saved.caCertificate == place.ca
        return saved.url == place.url || isSameAuthority ? saved : nil
    }
}

extension ConfigurationSources.Node {
    package var url: String { "https://\(address):\(APIAddress.defaultPort)" }
}
