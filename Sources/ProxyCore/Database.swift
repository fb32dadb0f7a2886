package import ClusterModel
package import KeyMatching
package import ProxyControl
package import RESP
package import Synchronization

package typealias DatabasePointer = UnsafeMutablePointer<Database>
package typealias ShardPointer = UnsafeMutablePointer<Shard>

/// Routes of one database as of one epoch. Immutable, shared by all loops, freed when the last one has moved on.
package final class RouteTable: @unchecked Sendable {
    package let routes: DatabaseRoutes
    /// Index of the shard of each of the 16384 slots; nil when there is one shard.
    package let slots: UnsafeMutablePointer<UInt16>?
    /// Nil for hash tags, and where there is one shard.
    package let keyRules: KeyRuleSet?
    package let password: [UInt8]
    package let shared: DatabaseShared

    package struct Refusal: Error {
        package let text: String
    }

    /// - Parameter before: The table that is replaced: rules that stay are not compiled again.
    /// - Throws: Why nobody could route by them: the shards don't cover the slots exactly, or a rule doesn't compile.
    package init(
        _ routes: DatabaseRoutes, shared: DatabaseShared, before: RouteTable? = nil
    ) throws(Refusal) {
        guard Self.isComplete(routes.shards) else {
            throw Refusal(text: "the shards don't cover the 16384 slots exactly")
        }
        keyRules = try Self.compiled(routes, before)
        self.routes = routes
        self.shared = shared
        password = Array(routes.password.utf8)
        if routes.shards.count == 1 {
            slots = nil
        } else {
            let table = UnsafeMutablePointer<UInt16>.allocate(capacity: HashSlot.count)
            for (index, route) in routes.shards.enumerated() {
                for slot in route.slots.first...route.slots.last { table[Int(slot)] = UInt16(index) }
            }
            slots = table
        }
    }

    deinit { slots?.deallocate() }

    private static func compiled(
        _ routes: DatabaseRoutes, _ before: RouteTable?
    ) throws(Refusal) -> KeyRuleSet? {
        if routes.keyRules.areHashTags || routes.shards.count == 1 { return nil }
        if let known = before?.keyRules, known.rules == routes.keyRules { return known }
        do throws(KeyRuleError) {
            return try KeyRuleSet(routes.keyRules)
        } catch {
            throw Refusal(text: "shard_key_regex: \(error)")
        }
    }

    private static func isComplete(_ shards: [ShardRoute]) -> Bool {
        var next = 0
        for shard in shards.sorted(by: { $0.slots.first < $1.slots.first }) {
            guard Int(shard.slots.first) == next else { return false }
            next = Int(shard.slots.last) + 1
        }
        return next == HashSlot.count && shards.count <= 1024
    }
}

/// What all loops share about a database for as long as it lives; touched when a connection comes or goes.
package final class DatabaseShared: Sendable {
    package let connections = Atomic<Int>(0)
    /// Held by CLIENT PAUSE: blocked ones, to INFO.
    package let heldClients = Atomic<Int>(0)
    /// Upstreams that were overtaken because of a script that has not ended.
    package let longScripts = Atomic<Int>(0)
    /// Clients that MONITOR.
    package let monitors = Atomic<Int>(0)
    package let scripts = Mutex(ScriptCache())
    /// Of what a client asks now and then: locked for each of these, and never on the request path.
    package let latencies = Mutex(OwnLatencies())
    package init() {}
}

/// One loop's view of one database.
package struct Database {
    package var table: RouteTable
    /// From `table`, by pointer, for the request path.
    package var slots: UnsafeMutablePointer<UInt16>?
    package var lanes: LaneTable
    package var shards: UnsafeMutablePointer<ShardPointer>
    package var shardCount: Int
    /// Commands up to this ``CommandInfo/tier`` need no closer look.
    package private(set) var passingTier: UInt8 = 0
    /// Long commands may be passed on before they are whole.
    package private(set) var mayStream = false
    /// Keys have slots by rules, so every command gets a closer look.
    package private(set) var hasKeyRules = false
    /// Turn of the loop that tried rules last, and when it began to, in coarse milliseconds.
    package var ruleTurn = 0
    package var ruleTurnBegan = 0
    package var pause = Pause()
    /// As the routes say: writes need the node's lease.
    package var needsLease = false
    /// Needs the lease, which has lapsed: writes wait, reads go on.
    package var isCutOff = false
    package var isRemoved = false
    package var listener: Int32 = -1
    package var limits: SessionLimits
    package var acceptRate: RateLimit
    /// Too many came at once: the listener is left alone until then, in monotonic milliseconds; 0: it is not.
    package var acceptsAgainAt = 0
    package var sessionCount = 0
    package var firstSession: SessionPointer?
    package var statistics: DatabaseStatistics
    package var learned: CommandTable?
    /// Of the shards' redis-server; nil until a shard was asked.
    package var version: String?
    /// Shards that left the routes and still owe replies.
    package var retired = PointerList<Shard>(capacity: 4)
    /// Next shard for what any shard can answer.
    package var nextShard = 0

    package init(
        table: RouteTable, lanes: LaneTable, shards: UnsafeMutablePointer<ShardPointer>, now: Int
    ) {
        self.table = table
        self.lanes = lanes
        self.shards = shards
        slots = table.slots
        shardCount = table.routes.shards.count
        statistics = DatabaseStatistics(database: table.routes.database)
        limits = SessionLimits(settings: table.routes.settings)
        acceptRate = RateLimit(perSecond: SessionLimits.acceptsPerSecond, now: now)
        updatePassingTier()
    }

    /// After the routes, a pause or the lease have changed.
    package mutating func updatePassingTier() {
        mayStream = !pause.isOn && !isCutOff
        hasKeyRules = table.keyRules != nil
        passingTier = !mayStream || hasKeyRules ? 0 : slots == nil ? 2 : 1
    }
}

/// The shared upstreams of a database's shards by lane, in the order of the routes. A lane's row is there from the
/// first session that needs it on; its upstreams connect on first use, so what nobody speaks costs nothing.
package struct LaneTable {
    private let rows: UnsafeMutablePointer<UnsafeMutablePointer<UpstreamPointer>?>

    package init() {
        rows = .allocate(capacity: Lane.count)
        rows.initialize(repeating: nil, count: Lane.count)
    }

    /// - Precondition: The lane was opened.
    @inline(__always)
    package subscript(lane: Lane) -> UnsafeMutablePointer<UpstreamPointer> { rows[Int(lane.index)].unsafelyUnwrapped }

    package func isOpen(_ lane: Lane) -> Bool { rows[Int(lane.index)] != nil }
    package var open: [Lane] { (0..<Lane.count).map(Lane.init(index:)).filter(isOpen) }

    package func set(_ lane: Lane, _ upstreams: UnsafeMutablePointer<UpstreamPointer>) {
        rows[Int(lane.index)]?.deallocate()
        rows[Int(lane.index)] = upstreams
    }

    package func deallocate() {
        for index in 0..<Lane.count { rows[index]?.deallocate() }
        rows.deallocate()
    }
}

/// One loop's view of one shard of a database: its shared upstreams and the idle ones for lending.
package struct Shard {
    package var identifier: ShardID
    /// First of its slots: tells which shard of later routes stands in its place.
    package var firstSlot = 0
    package var address: ShardAddress
    package var password: String
    package var database: DatabasePointer
    package var idle: PointerList<Upstream>
    /// Every upstream of this shard, the shared ones included.
    package var all: PointerList<Upstream>
    package var isRetired = false
    package var isInGrave = false
    /// The routes hold it since then, in monotonic milliseconds; 0: they don't.
    package var heldSince = 0
    /// Held for too long: requests are answered with an error.
    package var isRefusing = false
    /// One for each open lane. These live as long as the shard.
    package var shared: [Lane: UpstreamPointer] = [:]
    package var durability = ShardDurability()

    package var isHeld: Bool { heldSince > 0 }

    /// Idle connections kept for large requests and blocking commands.
    package static let maximumIdle = 64

    package init(identifier: ShardID, address: ShardAddress, password: String, database: DatabasePointer) {
        self.identifier = identifier
        self.address = address
        self.password = password
        self.database = database
        idle = PointerList(capacity: 8)
        all = PointerList(capacity: 8)
    }
}
