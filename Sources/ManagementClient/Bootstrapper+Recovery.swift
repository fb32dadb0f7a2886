package import ManagementAPI
import FoundationEssentials

/// Has the manager of this machine's node make the lost cluster store anew.
extension Bootstrapper {
    /// What would be done. Changes nothing.
    /// - Returns: Nil when a recovery was begun here already and goes on.
    package func recoveryPlan() async throws(ClientFailure) -> RecoveryPlanObject? {
        let secret = try await waitForManager()
        do throws(ClientFailure) {
            return try await recover(confirm: nil, secret: secret)
        } catch  where error.code == "busy" {
            return nil
        }
    }

    /// Begins it and waits for its end. The manager starts anew in the middle; how often doesn't matter.
    package func recover(confirm: String?, progress: (String) -> Void) async throws(ClientFailure) {
        if let confirm { _ = try await recover(confirm: confirm, secret: try await waitForManager()) }
        var polling = Polling(limit: limit)
        while true {
            await polling.wait()
            do throws(ClientFailure) {
                // Only said again when the manager forgot, which it doesn't: the order is on disk before it answers.
                _ = try await recover(confirm: nil, secret: node.bootstrapSecret ?? "")
                progress("the store still has no majority")
            } catch {
                switch error.code {
                case "store_has_majority", "already_recovered": return
                case "busy": progress("making the store anew")
                default:
                    guard error.kind == .unreachable || ["access_denied", "no_cluster", "untrusted"].contains(error.code)
                    else { throw error }
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
