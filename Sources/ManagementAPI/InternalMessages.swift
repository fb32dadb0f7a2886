package import ClusterModel
package import Primitives

/// What nodes say to one another under `/internal/v1/`, in JSON over mutual TLS. Not part of the public API: both
/// ends are of one release or of neighbouring ones.
package enum InternalPath {
    package static let join = "/internal/v1/join"
    package static let admissions = "/internal/v1/admissions"
    package static let progress = "/internal/v1/progress"
    package static let shards = "/internal/v1/shards"
    package static let heartbeat = "/internal/v1/heartbeat"
    package static let fence = "/internal/v1/fence"
    package static let node = "/internal/v1/node"
    package static let newcomer = "/internal/v1/newcomer"
    package static let settings = "/internal/v1/settings"
}

/// What a machine says of itself when it asks to become a node.
package struct NodeCandidateObject: Codable, Sendable, Hashable {
    package var address: String
    package var hostname: String
    package var architecture: String
    package var cores: Int
    package var totalMemory: ByteCount
    package var softwareVersion: String
    package var operatingSystem: String
    /// SHA-256 of its public key in hexadecimal.
    package var publicKeyDigest: String
    /// The rack it stands in; nil: none was named.
    package var rackID: String?

    package init(
        address: String, hostname: String, architecture: String, cores: Int, totalMemory: ByteCount,
        softwareVersion: String, operatingSystem: String, publicKeyDigest: String, rackID: String? = nil
    ) {
        self.rackID = rackID
        self.address = address
        self.hostname = hostname
        self.architecture = architecture
        self.cores = cores
        self.totalMemory = totalMemory
        self.softwareVersion = softwareVersion
        self.operatingSystem = operatingSystem
        self.publicKeyDigest = publicKeyDigest
    }
}

/// The joiner's request. The only internal call without a client certificate: the proof stands in for it.
package struct JoinRequestObject: Codable, Sendable {
    package var tokenID: String
    /// HMAC-SHA256 in hexadecimal over ``JoinProof/message(exporter:request:)``.
    package var proof: String
    /// Certificate signing request, PEM. The key never leaves the joiner.
    package var certificateRequest: String
    package var candidate: NodeCandidateObject
    package var time: WallTime
    /// The lost node whose place it wants.
    package var replaces: NodeID?

    package init(
        tokenID: String, proof: String, certificateRequest: String, candidate: NodeCandidateObject, time: WallTime,
        replaces: NodeID? = nil
    ) {
        self.replaces = replaces
        self.tokenID = tokenID
        self.proof = proof
        self.certificateRequest = certificateRequest
        self.candidate = candidate
        self.time = time
    }
}

package struct JoinAnswerObject: Codable, Sendable {
    package var node: NodeID
    package var clusterName: String
    package var certificate: String
    package var authority: String
    package var voterAddresses: [String]
    /// The store that these voters keep; nil: the first.
    package var store: StoreIdentity?

    package init(
        node: NodeID, clusterName: String, certificate: String, authority: String, voterAddresses: [String],
        store: StoreIdentity? = nil
    ) {
        self.store = store
        self.node = node
        self.clusterName = clusterName
        self.certificate = certificate
        self.authority = authority
        self.voterAddresses = voterAddresses
    }
}

/// What the joiner signs with the token's secret.
package enum JoinProof {
    /// Binds the proof to this TLS connection (the exporter value) and to this key (the request), so that nobody in
    /// between can use it for a connection or a key of their own.
    package static func message(exporter: [UInt8], request: String) -> [UInt8] {
        Array("tarn join 1\n".utf8) + exporter + Array(request.utf8)
    }
}

/// A node that met a joiner asks the leader to admit it.
package struct AdmissionObject: Codable, Sendable {
    package var tokenID: String
    package var candidate: NodeCandidateObject
    /// The joiner's clock.
    package var time: WallTime
    package var replaces: NodeID?

    package init(tokenID: String, candidate: NodeCandidateObject, time: WallTime, replaces: NodeID? = nil) {
        self.replaces = replaces
        self.tokenID = tokenID
        self.candidate = candidate
        self.time = time
    }
}

/// How far a node is with an epoch of a database.
package struct ProgressObject: Codable, Sendable {
    package enum State: String, Codable, Sendable {
        case applied, waiting, failed
    }

    package var state: State
    package var epoch: Epoch
    package var message: String

    package init(state: State, epoch: Epoch, message: String) {
        self.state = state
        self.epoch = epoch
        self.message = message
    }
}

/// A shard as its node sees it at this moment.
package struct ShardReportObject: Codable, Sendable {
    package var shard: ShardID
    package var database: DatabaseID
    package var role: ShardConfiguration.Role
    /// `ok`, `loading`, `down` …: the reference system's `detailed_status`.
    package var state: String
    package var pid: Int32
    package var usedMemory: ByteCount
    package var keys: Int
    package var isLinkUp: Bool
    package var replicationOffset: Int64

    package init(
        shard: ShardID, database: DatabaseID, role: ShardConfiguration.Role, state: String, pid: Int32,
        usedMemory: ByteCount, keys: Int, isLinkUp: Bool, replicationOffset: Int64
    ) {
        self.shard = shard
        self.database = database
        self.role = role
        self.state = state
        self.pid = pid
        self.usedMemory = usedMemory
        self.keys = keys
        self.isLinkUp = isLinkUp
        self.replicationOffset = replicationOffset
    }
}

/// A node is alive; told to its watchers.
package struct HeartbeatObject: Codable, Sendable {
    package var node: NodeID
    /// Milliseconds that the sender takes itself to be allowed to serve from when it sent this, if it is answered.
    package var lease: Int64
    /// Milliseconds that it has had no reply from this watcher.
    package var silence: Int64
    /// Of the sender's process, and when it sent this by its own clock: from a connection that hung, an old one may
    /// come after newer ones.
    package var life: Int64
    package var sentAt: Int64

    package init(node: NodeID, lease: Int64, silence: Int64, life: Int64, sentAt: Int64) {
        self.node = node
        self.lease = lease
        self.silence = silence
        self.life = life
        self.sentAt = sentAt
    }
}

/// How far a node is with fencing a primary that was replaced.
package struct FenceObject: Codable, Sendable {
    /// Its proxy routes by the epoch asked for, or doesn't serve the database.
    package var hasApplied: Bool
    /// The newest fence that it knows of.
    package var fence: Epoch

    package init(hasApplied: Bool, fence: Epoch) {
        self.hasApplied = hasApplied
        self.fence = fence
    }
}

/// Whether a node counts one that is being taken in, and its proxy has no lease left from before.
package struct NewcomerObject: Codable, Sendable {
    package var isCounted: Bool

    package init(isCounted: Bool) {
        self.isCounted = isCounted
    }
}

/// A client of a database set these (CONFIG SET); told to the leader, which answers with the epoch that has them.
package struct SettingsChangeObject: Codable, Sendable {
    package var database: DatabaseID
    package var settings: [String: String]

    package init(database: DatabaseID, settings: [String: String]) {
        self.database = database
        self.settings = settings
    }
}

/// A node's free memory and how long it has been up, asked for when somebody looks.
package struct NodeReportObject: Codable, Sendable {
    package var freeMemory: ByteCount
    package var uptimeSeconds: Int64
    package var softwareVersion: String

    package init(freeMemory: ByteCount, uptimeSeconds: Int64, softwareVersion: String) {
        self.freeMemory = freeMemory
        self.uptimeSeconds = uptimeSeconds
        self.softwareVersion = softwareVersion
    }
}
