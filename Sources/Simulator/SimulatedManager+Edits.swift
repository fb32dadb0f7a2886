import ClusterModel
import ManagerCore

/// A change of the cluster configuration that is asked for, and what is to be done when it is in or has failed.
struct Edit {
    enum Result {
        case done
        /// There was nothing to do.
        case nothing
        /// The store doesn't answer, we don't lead, or it is refused: it may be in or not.
        case failed
    }

    var isLeaders: Bool
    var decide: (ClusterState) throws -> Plan?
    var end: (Result) -> Void
    var rounds = 0
}

/// Plans on the newest copy and commits with compare-and-set on the head, one at a time, as `ClusterEditor` does.
extension SimulatedManager {
    func edit(
        asLeader isLeaders: Bool = false, _ decide: @escaping (ClusterState) throws -> Plan?,
        _ end: @escaping (Edit.Result) -> Void = { _ in }
    ) {
        edits.append(Edit(isLeaders: isLeaders, decide: decide, end: end))
        if !isEditing { nextEdit() }
    }

    private func nextEdit() {
        guard !edits.isEmpty else { return }
        isEditing = true
        run(edits.removeFirst())
    }

    private func finish(_ edit: Edit, _ result: Edit.Result) {
        isEditing = false
        edit.end(result)
        if !isEditing { nextEdit() }
    }

    private func run(_ edit: Edit) {
        guard let state, edit.rounds < 20, !edit.isLeaders || leads else { return finish(edit, .failed) }
        let plan: Plan?
        do { plan = try edit.decide(state) } catch { return finish(edit, .failed) }
        guard let plan, !plan.changes.isEmpty else { return finish(edit, .nothing) }
        var conditions = [SimulatedStore.Condition(key: .head, revision: state.headRevision)]
        if edit.isLeaders, let term { conditions.append(.init(key: .leader, revision: term.revision)) }
        simulation.store.commit(plan.changes, if: conditions, from: process) { [unowned self] answer in
            switch answer {
            case .committed(let snapshot):
                saw(snapshot)
                finish(edit, .done)
            case .unavailable: finish(edit, .failed)
            case .conflict:
                simulation.store.read(from: process) { [unowned self] newest in
                    guard let newest else { return finish(edit, .failed) }
                    saw(newest)
                    var again = edit
                    again.rounds += 1
                    run(again)
                }
            }
        }
    }
}
