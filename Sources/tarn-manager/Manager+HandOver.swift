import ManagerService

extension Manager {
    /// Before this manager ends together with its node.
    func handOver() async {
        guard let membership else { return }
        await HandOver(
            node: membership.identity.node, editor: membership.member.editor,
            copies: { await self.copies(of: $0, membership.member, membership.peers, membership.agent) },
            fresh: fresh, now: now, logger: logger
        ).run()
    }
}
