import HostControl

/// What a node that is a container is told by its environment.
///
/// | variable | meaning |
/// |---|---|
/// | `TARN_ADDRESS` | IPv4 by which others reach this node; default: the container's only one |
/// | `TARN_CLUSTER_NAME` | makes a cluster of this name, with the two below |
/// | `TARN_ADMIN_USER` | its administrator's e-mail address |
/// | `TARN_ADMIN_PASSWORD_FILE` | file with the administrator's password |
/// | `TARN_JOIN_ADDRESS` | joins the cluster that the node at this IPv4 belongs to, by the token in the file below |
/// | `TARN_TOKEN_FILE` | with `TARN_JOIN_ADDRESS`: holds the token; with `TARN_CLUSTER_NAME`: a token is put there |
package struct ContainerSettings: Equatable, Sendable {
    package enum Purpose: Equatable, Sendable {
        /// Installed and waiting for `POST /v1/bootstrap/…` or `tarn cluster …`.
        case idle
        case create(name: String, administrator: String, passwordFile: String, tokenFile: String?)
        case join(address: String, tokenFile: String)
    }

    package var address: String
    package var purpose: Purpose

    /// - Parameter addresses: Of this machine, loopback ones included.
    /// - Throws: ``InstallerError`` `badArgument` that names the variable.
    package init(environment: [String: String], addresses: [String]) throws(InstallerError) {
        // Compose passes a variable that is not set as an empty one.
        let given = environment.filter { !$0.value.isEmpty }
        address = try Self.address(given["TARN_ADDRESS"], addresses)
        let tokenFile = given["TARN_TOKEN_FILE"]
        switch (given["TARN_CLUSTER_NAME"], given["TARN_JOIN_ADDRESS"]) {
        case (nil, nil):
            purpose = .idle
        case (let name?, nil):
            purpose = .create(
                name: name, administrator: try Self.need("TARN_ADMIN_USER", given, with: "TARN_CLUSTER_NAME"),
                passwordFile: try Self.need("TARN_ADMIN_PASSWORD_FILE", given, with: "TARN_CLUSTER_NAME"),
                tokenFile: tokenFile)
        case (nil, let node?):
            guard NetworkProbe.isAddress(node) else {
                throw InstallerError(.badArgument, "TARN_JOIN_ADDRESS: \(node) is not an IPv4 address.")
            }
            purpose = .join(
                address: node, tokenFile: try Self.need("TARN_TOKEN_FILE", given, with: "TARN_JOIN_ADDRESS"))
        case (.some, .some):
            throw InstallerError(
                .badArgument, "TARN_CLUSTER_NAME makes a cluster and TARN_JOIN_ADDRESS joins one: give one of them.")
        }
    }

    private static func address(_ given: String?, _ addresses: [String]) throws(InstallerError) -> String {
        if let given {
            guard NetworkProbe.isAddress(given) else {
                throw InstallerError(.badArgument, "TARN_ADDRESS: \(given) is not an IPv4 address.")
            }
            return given
        }
        let candidates = addresses.filter { !$0.hasPrefix("127.") }
        guard let only = candidates.first, candidates.count == 1 else {
            let found = candidates.isEmpty ? "none" : candidates.joined(separator: ", ")
            throw InstallerError(
                .badArgument,
                "TARN_ADDRESS is needed: other nodes and clients reach this node by it (found: \(found)).")
        }
        return only
    }

    private static func need(
        _ name: String, _ given: [String: String], with other: String
    ) throws(InstallerError) -> String {
        guard let value = given[name] else { throw InstallerError(.badArgument, "\(other) needs \(name) beside it.") }
        return value
    }
}
