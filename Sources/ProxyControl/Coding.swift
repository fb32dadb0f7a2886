import ClusterModel
package import Primitives

extension ShardRoute: WireMessage {
    package func encode(into writer: inout WireWriter) {
        writer.write(Int64(shard.rawValue))
        writer.write(slots.first)
        writer.write(slots.last)
        switch address {
        case .local(let path):
            writer.write(UInt8(0))
            writer.write(path)
        case .remote(let host, let port):
            writer.write(UInt8(1))
            writer.write(host)
            writer.write(port)
        }
        writer.write(isHeld)
    }

    package init(from reader: inout WireReader) throws(WireError) {
        shard = ShardID(Int(try reader.read(Int64.self)))
        let first = try reader.read(UInt16.self)
        let last = try reader.read(UInt16.self)
        guard first <= last, last < UInt16(HashSlot.count) else { throw .invalid("slot range") }
        slots = SlotRange(first: first, last: last)
        switch try reader.read(UInt8.self) {
        case 0: address = .local(path: try reader.readString())
        case 1:
            let host = try reader.readString()
            address = .remote(host: host, port: try reader.read())
        default: throw .invalid("kind of shard address")
        }
        isHeld = try reader.readBool()
    }
}

extension DatabaseRoutes: WireMessage {
    package func encode(into writer: inout WireWriter) {
        writer.write(Int64(database.rawValue))
        writer.write(Int64(epoch.rawValue))
        writer.write(name)
        writer.write(optional: listenHost) { $0.write($1) }
        writer.write(port)
        writer.write(list: shards) { $1.encode(into: &$0) }
        writer.write(password)
        writer.write(shardPassword)
        writer.write(Int64(maximumConnections))
        writer.write(memoryLimitBytes)
        writer.write(settings: settings)
        writer.write(needsLease)
        writer.write(list: fenced) { $0.write(Int64($1.rawValue)) }
        writer.write(durability.rawValue)
        writer.write(list: keyRules.patterns) { $0.write($1) }
        writer.write(keyRules.hashesUnmatched)
    }

    package init(from reader: inout WireReader) throws(WireError) {
        database = DatabaseID(Int(try reader.read(Int64.self)))
        epoch = Epoch(Int(try reader.read(Int64.self)))
        name = try reader.readString()
        listenHost = try reader.readOptional { reader throws(WireError) in try reader.readString() }
        port = try reader.read()
        shards = try reader.readList { reader throws(WireError) in try ShardRoute(from: &reader) }
        password = try reader.readString()
        shardPassword = try reader.readString()
        maximumConnections = Int(try reader.read(Int64.self))
        memoryLimitBytes = try reader.read()
        settings = try reader.readSettings()
        needsLease = try reader.readBool()
        fenced = try reader.readList { reader throws(WireError) in ShardID(Int(try reader.read(Int64.self))) }
        guard let durability = Durability(rawValue: try reader.readString()) else { throw .invalid("durability") }
        self.durability = durability
        let patterns = try reader.readList { reader throws(WireError) in try reader.readString() }
        keyRules = KeyRules(patterns: patterns, hashesUnmatched: try reader.readBool())
    }
}

extension WireWriter {
    /// Sorted, so that equal settings are equal bytes.
    fileprivate mutating func write(settings: [String: String]) {
        write(list: settings.sorted { $0.key < $1.key }) { writer, setting in
            writer.write(setting.key)
            writer.write(setting.value)
        }
    }
}

extension WireReader {
    fileprivate mutating func readSettings() throws(WireError) -> [String: String] {
        let pairs = try readList { reader throws(WireError) in (try reader.readString(), try reader.readString()) }
        return Dictionary(pairs) { _, last in last }
    }
}

extension DatabaseStatistics: WireMessage {
    package func encode(into writer: inout WireWriter) {
        writer.write(Int64(database.rawValue))
        for counter in [connections, acceptedConnections, requests, receivedBytes, sentBytes, refusedRequests] {
            writer.write(counter)
        }
        for counter in [confirmedWrites, unconfirmedWrites, degradedWrites] { writer.write(counter) }
    }

    package init(from reader: inout WireReader) throws(WireError) {
        database = DatabaseID(Int(try reader.read(Int64.self)))
        connections = try reader.read()
        acceptedConnections = try reader.read()
        requests = try reader.read()
        receivedBytes = try reader.read()
        sentBytes = try reader.read()
        refusedRequests = try reader.read()
        confirmedWrites = try reader.read()
        unconfirmedWrites = try reader.read()
        degradedWrites = try reader.read()
    }
}

extension ProxyCommand: WireMessage {
    package func encode(into writer: inout WireWriter) {
        switch self {
        case .replaceAll(let databases):
            writer.write(UInt8(1))
            writer.write(list: databases) { $1.encode(into: &$0) }
        case .update(let routes):
            writer.write(UInt8(2))
            routes.encode(into: &writer)
        case .remove(let database, let epoch):
            writer.write(UInt8(3))
            writer.write(Int64(database.rawValue))
            writer.write(Int64(epoch.rawValue))
        case .reportStatistics:
            writer.write(UInt8(4))
        case .settingsChanged(let request, let error):
            writer.write(UInt8(5))
            writer.write(request)
            writer.write(optional: error) { $0.write($1) }
        case .lease(let until):
            writer.write(UInt8(6))
            writer.write(until)
        }
    }

    package init(from reader: inout WireReader) throws(WireError) {
        switch try reader.read(UInt8.self) {
        case 1:
            self = .replaceAll(try reader.readList { reader throws(WireError) in try DatabaseRoutes(from: &reader) })
        case 2: self = .update(try DatabaseRoutes(from: &reader))
        case 3:
            let database = DatabaseID(Int(try reader.read(Int64.self)))
            self = .remove(database, Epoch(Int(try reader.read(Int64.self))))
        case 4: self = .reportStatistics
        case 5:
            let request = try reader.read(UInt64.self)
            self = .settingsChanged(
                request: request, error: try reader.readOptional { reader throws(WireError) in try reader.readString() }
            )
        case 6: self = .lease(until: try reader.read())
        default: throw .invalid("kind of command")
        }
    }
}

extension ProxyEvent: WireMessage {
    package func encode(into writer: inout WireWriter) {
        switch self {
        case .hello(let version, let pid, let loops):
            writer.write(UInt8(1))
            writer.write(version)
            writer.write(pid)
            writer.write(loops)
        case .applied(let database, let epoch):
            writer.write(UInt8(2))
            writer.write(Int64(database.rawValue))
            writer.write(Int64(epoch.rawValue))
        case .refused(let database, let epoch, let message):
            writer.write(UInt8(3))
            writer.write(Int64(database.rawValue))
            writer.write(Int64(epoch.rawValue))
            writer.write(message)
        case .statistics(let databases):
            writer.write(UInt8(4))
            writer.write(list: databases) { $1.encode(into: &$0) }
        case .changeSettings(let database, let request, let settings):
            writer.write(UInt8(5))
            writer.write(Int64(database.rawValue))
            writer.write(request)
            writer.write(settings: settings)
        }
    }

    package init(from reader: inout WireReader) throws(WireError) {
        switch try reader.read(UInt8.self) {
        case 1:
            let version = try reader.readString()
            let pid = try reader.read(Int32.self)
            self = .hello(version: version, pid: pid, loops: try reader.read())
        case 2:
            let database = DatabaseID(Int(try reader.read(Int64.self)))
            self = .applied(database, Epoch(Int(try reader.read(Int64.self))))
        case 3:
            let database = DatabaseID(Int(try reader.read(Int64.self)))
            let epoch = Epoch(Int(try reader.read(Int64.self)))
            self = .refused(database, epoch, message: try reader.readString())
        case 4:
            self = .statistics(
                try reader.readList { reader throws(WireError) in try DatabaseStatistics(from: &reader) })
        case 5:
            let database = DatabaseID(Int(try reader.read(Int64.self)))
            let request = try reader.read(UInt64.self)
            self = .changeSettings(database, request: request, settings: try reader.readSettings())
        default: throw .invalid("kind of event")
        }
    }
}
