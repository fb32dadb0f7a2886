package import ManagementAPI
import FoundationEssentials

/// Has the manager of this machine's node make the lost cluster store anew.
extension Bootstrapper {
    /// What would be done. Changes nothing.
    /// - Returns: Nil when a recovery was begun here already and goes on.
    package func recoveryPlan() async throws(ClientFailure) -> RecoveryPlanObject? {
        var polling = Polling(limit: limit)
        while true {
            let secret = try await waitForManager()
            do throws(ClientFailure) {
                return try await recover(confirm: nil, secret: secret)
            } catch {
                if error.code == "busy" { return nil }
                guard Self.isPassing(error), !polling.isOver else { throw error }
            }
            await polling.wait()
        }
    }

    /// The manager starts anew, or was killed with the question, which changes nothing.
    private static func isPassing(_ error: ClientFailure) -> Bool {
        error.kind == .unreachable
            || ["access_denied", "no_cluster", "untrusted", "unknown_outcome"].contains(error.code)
    }

    /// Begins it and waits for its end. The manager starts anew in the middle; how often doesn't matter.
    package func recover(confirm: String?, progress: (String) -> Void) async throws(ClientFailure) {
        if let confirm {
            do throws(ClientFailure) {
                _ = try await recover(confirm: confirm, secret: try await waitForManager())
            } catch  where error.code == "unknown_outcome" {
                // Whether it was begun shows below.
            }
        }
        var polling = Polling(limit: limit)
        while true {
            await polling.wait()
            do throws(ClientFailure) {
                // The order is on disk before it is answered; so it wasn't given.
                _ = try await recover(confirm: nil, secret: node.bootstrapSecret ?? "")
                throw ClientFailure(.refused, "not_begun", "the recovery was not begun: try again")
            } catch {
                switch error.code {
                case "store_has_majority", "already_recovered": return
                case "busy": progress("making the store anew")
                default:
                    guard Self.isPassing(error) else { throw error }
                    progress("the manager starts anew")
                }
            }
            guard !polling.isOver else {
                throw ClientFailure(
                    .timedOut, "still_running", "the recovery has not ended after \(limit); it goes on, look again")
            }
        }
    }

    private func recover(confirm: String?, secret: String) async throws(ClientFailure) -> RecoveryPlanObject {
        let answer = try await call(
            "POST", "/v1/bootstrap/recover_cluster", secret: secret, body: BootstrapRequest.recover(confirm: confirm))
        guard let data = try? JSONEncoder().encode(answer) else { return try APIClient.decode(Data()) }
        return try APIClient.decode(data)
    }
}
