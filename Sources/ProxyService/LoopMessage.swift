import ClusterModel
import ProxyControl
import ProxyCore

/// What the control thread tells a loop.
enum LoopMessage: Sendable {
    /// What happens to the database's listener.
    enum Listener: Sendable {
        case keep
        case close
        case replace(descriptor: Int32)
    }

    case apply(RouteTable, Listener, operation: Int)
    case remove(DatabaseID, operation: Int)
    case report(operation: Int)
    /// Stop accepting, let sessions finish, end the thread.
    case stop
}

/// What a loop answers.
struct LoopReply: Sendable {
    var operation: Int
    var statistics: [DatabaseStatistics] = []
}
