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

    package init(
        name: String, createdAt: WallTime, authorityDigest: String, detection: DetectionProfile = .high
    ) {
        self.detection = detection
        self.name = name
        self.createdAt = createdAt
        self.authorityDigest = authorityDigest
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
    }

    /// The reference system's words for a state machine.
    package enum Status: String, Codable, Sendable {
        case pending, active, completed, failed
    }

    package var id: ActionID
    package var kind: Kind
    package var database: DatabaseID
    /// The shard that a switchover makes primary.
    package var shard: ShardID?
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
        message: String = "", shard: ShardID? = nil, createdAt: WallTime, changedAt: WallTime
    ) {
        self.shard = shard
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
