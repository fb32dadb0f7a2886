package import ManagementAPI

extension APIClient {
    /// Waits until an action is over.
    ///
    /// - Parameter progress: gets every change of what there is to see.
    /// - Throws: `refused` when it failed, `timedOut` when it is still going on after `limit`.
    package func wait(
        for action: String, limit: Duration, progress: (ActionObject) -> Void
    ) async throws(ClientFailure) -> ActionObject {
        var polling = Polling(limit: limit)
        var shown: ActionObject?
        while true {
            let now: ActionObject = try await get("/v1/actions/\(action)")
            if now != shown { progress(now) }
            shown = now
            if now.status == "failed" {
                throw ClientFailure(
                    .refused, now.errorCode ?? "failed", "\(now.name) failed: \(now.errorMessage ?? now.state)")
            }
            if now.isFinal { return now }
            if polling.isOver {
                throw ClientFailure(
                    .timedOut, "still_running",
                    "\(now.name) is still \(now.status) after \(limit) (\(now.state)); "
                        + "watch it: tarn action watch \(action)")
            }
            await polling.wait()
        }
    }
}
