package import ClusterModel

/// A long operation as the reference system shows a state machine.
package struct ActionObject: Codable, Sendable, Hashable {
    package var actionUID: String
    /// `SMCreateBDB`, …
    package var name: String
    /// `bdb:<uid>` or `node:<uid>`
    package var objectName: String
    /// `pending`, `active`, `completed`, `failed`.
    package var status: String
    /// 0...100.
    package var progress: Int
    /// What it does or waits for, in words.
    package var state: String
    package var creationTime: String
    /// Seconds since 1970 of its last change.
    package var heartbeat: Int64
    package var errorCode: String?
    package var errorMessage: String?

    private enum CodingKeys: String, CodingKey {
        case actionUID = "action_uid"
        case taskID = "task_id"
        case name
        case objectName = "object_name"
        case status, progress, state
        case creationTime = "creation_time"
        case heartbeat
        case pendingOperations = "pending_ops"
        case errorCode = "error_code"
        case errorMessage = "error_message"
    }

    package var isFinal: Bool { status == "completed" || status == "failed" }

    package init(_ action: ActionRecord) {
        actionUID = action.id.description
        name = action.kind.rawValue
        objectName = action.kind.nodeActionName == nil ? "bdb:\(action.database)" : "node:\(action.node ?? NodeID(0))"
        status = action.status.rawValue
        progress = action.progress
        state = action.message
        creationTime = String(action.createdAt.milliseconds / 1000)
        heartbeat = action.changedAt.milliseconds / 1000
        errorCode = action.status == .failed ? "internal_error" : nil
        errorMessage = action.status == .failed ? action.message : nil
    }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        actionUID = try container.decode(String.self, forKey: .actionUID)
        name = try container.decodeIfPresent(String.self, forKey: .name) ?? ""
        objectName = try container.decodeIfPresent(String.self, forKey: .objectName) ?? ""
        status = try container.decode(String.self, forKey: .status)
        progress = try container.decodeIfPresent(Int.self, forKey: .progress) ?? 0
        state = try container.decodeIfPresent(String.self, forKey: .state) ?? ""
        creationTime = try container.decodeIfPresent(String.self, forKey: .creationTime) ?? ""
        heartbeat = try container.decodeIfPresent(Int64.self, forKey: .heartbeat) ?? 0
        errorCode = try container.decodeIfPresent(String.self, forKey: .errorCode)
        errorMessage = try container.decodeIfPresent(String.self, forKey: .errorMessage)
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(actionUID, forKey: .actionUID)
        try container.encode(actionUID, forKey: .taskID)
        try container.encode(name, forKey: .name)
        try container.encode(objectName, forKey: .objectName)
        try container.encode(status, forKey: .status)
        try container.encode(progress, forKey: .progress)
        try container.encode(state, forKey: .state)
        try container.encode(creationTime, forKey: .creationTime)
        try container.encode(heartbeat, forKey: .heartbeat)
        try container.encode([String: String](), forKey: .pendingOperations)
        try container.encodeIfPresent(errorCode, forKey: .errorCode)
        try container.encodeIfPresent(errorMessage, forKey: .errorMessage)
    }
}

/// All actions. Ours are all state machines; `actions` stays empty.
package struct ActionList: Codable, Sendable, Hashable {
    package var stateMachines: [ActionObject]

    private enum CodingKeys: String, CodingKey {
        case actions
        case stateMachines = "state-machines"
    }

    package init(_ actions: some Sequence<ActionRecord>) {
        stateMachines = actions.map { ActionObject($0) }
    }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        stateMachines = try container.decodeIfPresent([ActionObject].self, forKey: .stateMachines) ?? []
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode([ActionObject](), forKey: .actions)
        try container.encode(stateMachines, forKey: .stateMachines)
    }
}
