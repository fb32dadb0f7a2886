package import ManagementAPI
import FoundationEssentials
import HTTPTransport
import HostControl
package import NIOCore
import TLS

/// Has the manager of this machine's node make a cluster, or join one, and waits until it has.
package struct Bootstrapper: Sendable {
    /// What `GET /v1/bootstrap` says, as far as it matters here.
    private struct Answer: Decodable, Sendable {
        struct Status: Decodable, Sendable {
            var state: String
            var error_code: String?
            var error_details: String?
        }
        struct Node: Decodable, Sendable { var uid: String? }
        var bootstrap_status: Status
        var local_node_info: Node?
    }

    package struct Outcome: Sendable {
        /// Of the node in its cluster.
        package var nodeUID: String?
        /// An earlier, interrupted call had done the work.
        package var wasDone: Bool
    }

    /// How long the manager is waited for before anything is asked: it may just be starting.
    private static let managerLimit = Duration.seconds(20)
    /// From a new certificate in use to the same in its file.
    private static let trustLimit = Duration.seconds(3)

    let node: LocalNode
    let group: any EventLoopGroup
    let limit: Duration

    package init(node: LocalNode, group: any EventLoopGroup, limit: Duration) {
        self.node = node
        self.group = group
        self.limit = limit
    }

    /// - Parameters:
    ///   - attempt: names what is being tried. When an earlier call of the same name was killed before it saw the end,
    ///     finding the work done is success; else a node that is in a cluster already is a refusal.
    ///   - progress: gets every new state.
    ///   - report: called when the work is done and before the attempt counts as seen to its end.
    package func run(
        _ request: BootstrapRequest, attempt: String, progress: (String) -> Void, report: (Outcome) -> Void
    ) async throws(ClientFailure) -> Outcome {
        let action = request.action ?? ""
        let secret = try await waitForManager()
        let isSecondTry = HostFile.text(node.attemptPath) == attempt
        // Best effort: without it a killed call can't be told from a repeated one, nothing worse.
        try? HostFile.write(attempt.utf8, to: node.attemptPath, mode: 0o600)
        do throws(ClientFailure) {
            _ = try await call("POST", "/v1/bootstrap/\(action)", secret: secret, body: request)
        } catch  where error.code == "busy" {
            progress("another bootstrap is under way; waiting for it")
        } catch  where error.code == "already_joined" && isSecondTry {
            let uid = try await state(secret).local_node_info?.uid
            return finish(Outcome(nodeUID: uid, wasDone: true), report)
        } catch {
            if error.kind != .unreachable { forgetAttempt() }
            throw error
        }
        let answer = try await follow(secret, progress)
        return finish(Outcome(nodeUID: answer.local_node_info?.uid, wasDone: false), report)
    }

    private func finish(_ outcome: Outcome, _ report: (Outcome) -> Void) -> Outcome {
        report(outcome)
        forgetAttempt()
        return outcome
    }

    private func forgetAttempt() {
        try? FileManager.default.removeItem(atPath: node.attemptPath)
    }

    /// The secret is written by the manager when it is ready to be asked.
    func waitForManager() async throws(ClientFailure) -> String {
        var polling = Polling(limit: Self.managerLimit)
        while true {
            if let secret = node.bootstrapSecret, !secret.isEmpty, (try? await state(secret)) != nil { return secret }
            guard !polling.isOver else { break }
            await polling.wait()
        }
        guard node.bootstrapSecret != nil else {
            throw ClientFailure(
                .unreachable, "no_manager",
                "can't read \(node.secretPath): is the node running, and are you the user who may read it "
                    + "(root, or who installed it)?"
            )
        }
        _ = try await state(node.bootstrapSecret ?? "")
        throw ClientFailure(.unreachable, "no_manager", "the node's manager at \(node.url) doesn't answer")
    }

    private func follow(_ secret: String, _ progress: (String) -> Void) async throws(ClientFailure) -> Answer {
        var polling = Polling(limit: limit)
        var shown = ""
        while true {
            do throws(ClientFailure) {
                let answer = try await state(secret)
                let status = answer.bootstrap_status
                if status.state != shown { progress(status.state) }
                shown = status.state
                if status.state == "completed" { return answer }
                if status.state == "idle" {
                    throw ClientFailure(
                        .refused, "interrupted",
                        "the node's manager was restarted in the middle and cleared away what it had begun: try again")
                }
                if status.state == "error" {
                    forgetAttempt()
                    throw ClientFailure(
                        .refused, status.error_code ?? "error", status.error_details ?? "no reason given")
                }
            } catch  where error.kind == .unreachable {
                // The server changes its certificate in the middle of this; the next look sees the new one.
            }
            guard !polling.isOver else { break }
            await polling.wait()
        }
        throw ClientFailure(
            .timedOut, "still_running", "the node is still in state \(shown) after \(limit): try again, it goes on")
    }

    private func state(_ secret: String) async throws(ClientFailure) -> Answer {
        let data = try await call("GET", "/v1/bootstrap", secret: secret, body: Data?.none)
        guard let encoded = try? JSONEncoder().encode(data) else { return try APIClient.decode(Data()) }
        return try APIClient.decode(encoded)
    }

    /// One call, under the trust that is right at this moment: the node gets its certificate in the middle of a
    /// bootstrap, and for an instant shows one that is in no file yet. An untrusted server has been sent nothing.
    func call(
        _ method: String, _ path: String, secret: String, body: (some Encodable & Sendable)?
    ) async throws(ClientFailure) -> JSONValue {
        var polling = Polling(limit: Self.trustLimit)
        while true {
            do throws(ClientFailure) {
                return try await callOnce(method, path, secret: secret, body: body)
            } catch {
                guard error.code == "untrusted", !polling.isOver else { throw error }
            }
            await polling.wait()
        }
    }

    /// Tries each of the trusts that the node's files give.
    private func callOnce(
        _ method: String, _ path: String, secret: String, body: (some Encodable & Sendable)?
    ) async throws(ClientFailure) -> JSONValue {
        var last = ClientFailure(
            .unreachable, "no_manager",
            "\(node.url) has no certificate yet that this user may read: is the node running?")
        for trust in node.trusts() {
            guard let context = try? TLSContext.client(identity: nil, trust: trust) else { continue }
            let http = HTTPClient(group: group, tls: context)
            let client = APIClient(
                client: http, endpoints: [node.endpoint], credentials: nil, headers: [("X-Tarn-Local", secret)])
            let result: Result<JSONValue, ClientFailure>
            do throws(ClientFailure) {
                result = .success(try await client.call(method, path, body: body))
            } catch {
                result = .failure(error)
            }
            await http.shutdown()
            switch result {
            case .success(let value): return value
            case .failure(let failure) where failure.code == "untrusted": last = failure
            case .failure(let failure): throw failure
            }
        }
        throw last
    }
}
