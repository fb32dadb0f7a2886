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
    /// Something about the clients of a database; the answer goes to the loop of this index.
    case query(ClientQuery, origin: Int, ticket: Int)
    case answer(ticket: Int, ClientAnswer)
    /// The node has its lease again.
    case leaseReturned
    /// What became of ``SettingsChange``; nil: in force.
    case settingsChanged(request: UInt64, error: String?)
    /// Stop accepting, let sessions finish, end the thread.
    case stop
}

/// What a loop answers.
struct LoopReply: Sendable {
    var operation: Int
    var statistics: [DatabaseStatistics] = []
    var change: SettingsChange?
    /// Newer routes came before what these hold had ended.
    var isSuperseded = false
}

/// A client wants other settings for its database.
struct SettingsChange: Sendable {
    var loop: Int
    var database: DatabaseID
    /// Of this loop.
    var request: UInt64
    var settings: [String: String]
}
