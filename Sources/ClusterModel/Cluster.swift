package import Primitives

/// What a cluster is from its first moment on.
package struct ClusterRecord: Hashable, Codable, Sendable {
    /// Fully qualified domain name, such as `cluster.local`; set once.
    package var name: String
    package var createdAt: WallTime
    /// SHA-256 of the CA certificate (DER) in hexadecimal: the last part of every join token.
    package var authorityDigest: String
    /// How soon what has died is held to be dead.
    package var detection: DetectionProfile
    package var replicaHA: ReplicaHAPolicy

    package init(
        name: String, createdAt: WallTime, authorityDigest: String, detection: DetectionProfile = .high,
        replicaHA: ReplicaHAPolicy = ReplicaHAPolicy()
    ) {
        self.detection = detection
        self.replicaHA = replicaHA
        self.name = name
        self.createdAt = createdAt
        self.authorityDigest = authorityDigest
    }
}

/// Whether and when a lost replica is made anew on another node.
package struct ReplicaHAPolicy: Hashable, Codable, Sendable {
    package var isEnabled: Bool
    /// How long a node may be down before its replicas are given up. Accepted: 0 to 604,800 (a week). Raising it spares
    /// copying whole shards for a node that only restarts; lowering it shortens the time with one copy.
    package var graceSeconds: Int64

    /// 600 is the reference system's default (`slave_ha_grace_period`).
    package init(isEnabled: Bool = true, graceSeconds: Int64 = 600) {
        self.isEnabled = isEnabled
        self.graceSeconds = graceSeconds
    }
}

/// The one record that every plan compares and swaps: the current epoch and the next free numbers.
/// Two planners that both believe to lead can't both commit on it.
package struct ClusterHead: Hashable, Codable, Sendable {
    package var epoch: Epoch
    package var nextNode: NodeID
    package var nextDatabase: DatabaseID
    package var nextShard: ShardID
    package var nextUser: UserID
    /// Epoch of the last failover of any database: a node whose proxy has not come that far loses its serving lease.
    package var fence: Epoch

    package init(
        epoch: Epoch = .zero, nextNode: NodeID = NodeID(1), nextDatabase: DatabaseID = DatabaseID(1),
        nextShard: ShardID = ShardID(1), nextUser: UserID = UserID(1), fence: Epoch = .zero
    ) {
        self.epoch = epoch
        self.nextNode = nextNode
        self.nextDatabase = nextDatabase
        self.nextShard = nextShard
        self.nextUser = nextUser
        self.fence = fence
    }
}

/// The cluster's certificate authority. Lives in the store, which only nodes can reach, and in the nodes' `pki`
/// directories.
package struct AuthorityRecord: Hashable, Codable, Sendable {
    package var certificatePEM: String
    package var privateKeyPEM: String

    package init(certificatePEM: String, privateKeyPEM: String) {
        self.certificatePEM = certificatePEM
        self.privateKeyPEM = privateKeyPEM
    }
}

/// A join token as the store keeps it: never the secret itself.
package struct JoinTokenRecord: Hashable, Codable, Sendable {
    package var id: String
    /// SHA-256 of the secret in hexadecimal. It is the key of the joiner's proof.
    package var secretDigest: String
    package var createdAt: WallTime
    /// Nil: never expires.
    package var expiresAt: WallTime?
    /// Nil: any number of nodes.
    package var usesLeft: Int?
    package var isRevoked: Bool
    package var createdBy: String

    package init(
        id: String, secretDigest: String, createdAt: WallTime, expiresAt: WallTime?, usesLeft: Int?,
        isRevoked: Bool = false, createdBy: String
    ) {
        self.id = id
        self.secretDigest = secretDigest
        self.createdAt = createdAt
        self.expiresAt = expiresAt
        self.usesLeft = usesLeft
        self.isRevoked = isRevoked
        self.createdBy = createdBy
    }
}

/// A management user. The password is kept as a salted scrypt hash (`scrypt$N$r$p$salt-hex$hash-hex`).
package struct UserRecord: Hashable, Codable, Sendable {
    package var id: UserID
    package var email: String
    package var name: String
    /// `admin` for now; the roles of the reference system come with access control.
    package var role: String
    package var passwordHash: String
    package var createdAt: WallTime
    package var passwordChangedAt: WallTime

    package init(
        id: UserID, email: String, name: String, role: String, passwordHash: String, createdAt: WallTime,
        passwordChangedAt: WallTime
    ) {
        self.id = id
        self.email = email
        self.name = name
        self.role = role
        self.passwordHash = passwordHash
        self.createdAt = createdAt
        self.passwordChangedAt = passwordChangedAt
    }
}

/// A long operation that any new leader can take up where it stood.
package struct ActionRecord: Hashable, Codable, Sendable {
    package enum Kind: String, Codable, Sendable {
        case createDatabase = "SMCreateBDB"
        case updateDatabase = "SMUpdateBDB"
        case deleteDatabase = "SMDeleteBDB"
        case failover = "SMFailoverShard"
        case switchover = "SMSwitchoverShard"
        case migrateShard = "migrate_shards"
        case maintenanceOn = "maintenance_on"
        case maintenanceOff = "maintenance_off"
        case removeNode = "remove_node"
    }

    /// The reference system's words for a state machine.
    package enum Status: String, Codable, Sendable {
        case pending, active, completed, failed
    }

    package var id: ActionID
    package var kind: Kind
    /// ``DatabaseID/none`` for an action on a node.
    package var database: DatabaseID
    /// The shard that a switchover makes primary, or that a migration fills.
    package var shard: ShardID?
    /// The shard that a migration takes away in the end; nil: it fills a place that was empty.
    package var source: ShardID?
    /// The node that is drained, restored or removed; the one that a migrated shard leaves.
    package var node: NodeID?
    /// The action that began this one as a part of its work.
    package var parent: ActionID?
    /// How often a migration's change of primaries was given up so far.
    package var rollbacks: Int
    /// The node was down when its removal was asked for, or is by the word of who asked again: nobody waits for what it
    /// would have to say.
    package var isNodeOff: Bool
    /// The same, and data without a second copy may be given up.
    package var isForced: Bool
    /// The epoch that the executors have to reach.
    package var epoch: Epoch
    package var status: Status
    /// 0...100.
    package var progress: Int
    /// What it is doing or waiting for, or why it failed, in words.
    package var message: String
    package var createdAt: WallTime
    package var changedAt: WallTime

    package init(
        id: ActionID, kind: Kind, database: DatabaseID, epoch: Epoch, status: Status, progress: Int = 0,
        message: String = "", shard: ShardID? = nil, source: ShardID? = nil, node: NodeID? = nil,
        parent: ActionID? = nil, rollbacks: Int = 0, isNodeOff: Bool = false, isForced: Bool = false,
        createdAt: WallTime, changedAt: WallTime
    ) {
        self.shard = shard
        self.source = source
        self.node = node
        self.parent = parent
        self.rollbacks = rollbacks
        self.isNodeOff = isNodeOff
        self.isForced = isForced
        self.id = id
        self.kind = kind
        self.database = database
        self.epoch = epoch
        self.status = status
        self.progress = progress
        self.message = message
        self.createdAt = createdAt
        self.changedAt = changedAt
    }
}
