package import ClusterModel

/// A number that clients of the reference system also send as a text: uids of shards are texts there, of nodes numbers.
package struct LooseNumber: Codable, Sendable, Hashable {
    package var value: Int

    package init(_ value: Int) { self.value = value }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if let number = try? container.decode(Int.self) {
            value = number
        } else if let number = Int(try container.decode(String.self)) {
            value = number
        } else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "a number is expected")
        }
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(value)
    }
}

/// `POST /v1/shards/{uid}/actions/failover`
package struct FailoverRequest: Codable, Sendable, Hashable {
    /// The replica that is to be the primary (ours); nil: the most advanced one.
    package var target: LooseNumber?
    /// Don't wait for the replica to have everything: for a primary that can't be reached, at the price of its last
    /// writes.
    package var isForced: Bool?
    /// The reference system's word on its command line for the same.
    package var isImmediate: Bool?
    package var isDryRun: Bool?

    private enum CodingKeys: String, CodingKey {
        case target = "target_shard_uid"
        case isForced = "force"
        case isImmediate = "immediate"
        case isDryRun = "dry_run"
    }

    package init(target: Int? = nil, isForced: Bool? = nil) {
        self.target = target.map { LooseNumber($0) }
        self.isForced = isForced
    }
}

/// `POST /v1/shards/{uid}/actions/migrate`
package struct MigrateRequest: Codable, Sendable, Hashable {
    /// Nil: wherever a new copy would go.
    package var target: LooseNumber?
    package var ignoresRacks: Bool?
    package var isDryRun: Bool?

    private enum CodingKeys: String, CodingKey {
        case target = "target_node_uid"
        case ignoresRacks = "override_rack_policy"
        case isDryRun = "dry_run"
    }

    package init(target: Int?, ignoresRacks: Bool? = nil) {
        self.target = target.map { LooseNumber($0) }
        self.ignoresRacks = ignoresRacks
    }
}

/// `POST /v1/nodes/{uid}/actions/{action}`; options of the reference system that Tarn doesn't need are ignored.
package struct NodeActionRequest: Codable, Sendable, Hashable {
    /// `remove` only (ours): give up what nothing else has a copy of.
    package var isForced: Bool?

    private enum CodingKeys: String, CodingKey {
        case isForced = "force"
    }

    package init(isForced: Bool? = nil) {
        self.isForced = isForced
    }
}

/// The answer to what begins an action: `action_uid` as for shards, `task_id` as for nodes in the reference system.
package struct StartedObject: Codable, Sendable, Hashable {
    package var actionUID: String?
    package var description: String

    private enum CodingKeys: String, CodingKey {
        case actionUID = "action_uid"
        case taskID = "task_id"
        case description, status
    }

    /// - Parameter actionUID: Nil: nothing was begun, as with `dry_run`.
    package init(actionUID: String?, description: String) {
        self.actionUID = actionUID
        self.description = description
    }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        actionUID = try container.decodeIfPresent(String.self, forKey: .actionUID)
        description = try container.decodeIfPresent(String.self, forKey: .description) ?? ""
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encodeIfPresent(actionUID, forKey: .actionUID)
        try container.encodeIfPresent(actionUID, forKey: .taskID)
        try container.encode(description, forKey: .description)
        try container.encode(actionUID == nil ? "rehearsed" : "queued", forKey: .status)
    }
}

/// An action on a node, under `/v1/nodes/{uid}/actions`.
package struct NodeActionObject: Codable, Sendable, Hashable {
    /// `remove`, `maintenance_on`, `maintenance_off`.
    package var name: String
    package var node: NodeID
    package var taskID: String
    package var status: String
    package var progress: Int
    /// What it does or waits for, or why it failed.
    package var description: String

    private enum CodingKeys: String, CodingKey {
        case name
        case node = "node_uid"
        case taskID = "task_id"
        case status, progress, description
    }

    /// Nil for an action on something else.
    package init?(_ action: ActionRecord) {
        guard let name = action.kind.nodeActionName, let node = action.node else { return nil }
        self.name = name
        self.node = node
        taskID = action.id.description
        status = action.status.rawValue
        progress = action.progress
        description = action.message
    }
}

extension ActionRecord.Kind {
    /// Its name in paths; nil: no action on a node.
    package var nodeActionName: String? {
        switch self {
        case .maintenanceOn: "maintenance_on"
        case .maintenanceOff: "maintenance_off"
        case .removeNode: "remove"
        case .createDatabase, .updateDatabase, .deleteDatabase, .failover, .switchover, .migrateShard: nil
        }
    }
}

/// `PUT /v1/nodes/{uid}`: what is left out stays.
package struct NodeRequest: Codable, Sendable, Hashable {
    package var rackID: String?
    package var acceptsShards: Bool?
    package var maximumShards: Int?
    package var maximumEndpoints: Int?

    private enum CodingKeys: String, CodingKey {
        case rackID = "rack_id"
        case acceptsShards = "accept_servers"
        case maximumShards = "max_redis_servers"
        case maximumEndpoints = "max_listeners"
    }

    package init(
        rackID: String? = nil, acceptsShards: Bool? = nil, maximumShards: Int? = nil, maximumEndpoints: Int? = nil
    ) {
        self.rackID = rackID
        self.acceptsShards = acceptsShards
        self.maximumShards = maximumShards
        self.maximumEndpoints = maximumEndpoints
    }
}

/// `/v1/cluster/policy`, as far as there is something to choose.
package struct ClusterPolicyObject: Codable, Sendable, Hashable {
    /// `high` or `low`.
    package var detection: String?
    package var rebuildsReplicas: Bool?
    package var replicaGraceSeconds: Int64?

    private enum CodingKeys: String, CodingKey {
        case detection = "failure_detection_sensitivity"
        case rebuildsReplicas = "slave_ha"
        case replicaGraceSeconds = "slave_ha_grace_period"
    }

    package init(detection: String? = nil, rebuildsReplicas: Bool? = nil, replicaGraceSeconds: Int64? = nil) {
        self.detection = detection
        self.rebuildsReplicas = rebuildsReplicas
        self.replicaGraceSeconds = replicaGraceSeconds
    }

    package init(_ cluster: ClusterRecord) {
        detection = cluster.detection.rawValue
        rebuildsReplicas = cluster.replicaHA.isEnabled
        replicaGraceSeconds = cluster.replicaHA.graceSeconds
    }
}

/// What is not as it should be, from `GET /v1/cluster/verify` (ours).
package struct VerificationObject: Codable, Sendable, Hashable {
    package struct Violation: Codable, Sendable, Hashable {
        /// Stable: `replica_beside_primary`, …
        package var code: String
        package var description: String

        package init(code: String, description: String) {
            self.code = code
            self.description = description
        }
    }

    package var violations: [Violation]

    package init(violations: [Violation]) {
        self.violations = violations
    }
}
