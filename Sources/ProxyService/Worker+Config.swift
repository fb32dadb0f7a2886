import ClusterModel
import Primitives
import ProxyCore
import RESP

/// Clients that wait for a CONFIG SET, in the loop that serves them.
struct SettingsChanges {
    struct Waiting {
        var session: SessionPointer
        var sequence: UInt32
        /// As the client wrote it.
        var firstName: String
    }

    var waiting: [UInt64: Waiting] = [:]
    var last: UInt64 = 0
}

/// CONFIG, as far as clients of a database may use it.
extension Worker {
    mutating func config(
        _ session: SessionPointer, _ arguments: [ByteSpan], _ bytes: Bytes, _ command: ScannedCommand
    ) -> Step {
        let subcommand = arguments[1]
        if subcommand.isWord("get") {
            guard arguments.count >= 3 else { return reject(session, Self.arityText("config|get")) }
            return getSettings(session, arguments)
        }
        if subcommand.isWord("set") {
            guard arguments.count >= 4, arguments.count % 2 == 0 else {
                return reject(session, Self.arityText("config|set"))
            }
            return setSettings(session, arguments)
        }
        if subcommand.isWord("rewrite"), arguments.count == 2 {
            // Settings are kept in the cluster as soon as they are set.
            answer(session, Array("+OK\r\n".utf8))
            return .next
        }
        if subcommand.isWord("resetstat"), arguments.count == 2 {
            // Counters, no configuration: nothing that a client could not have wanted of its own redis-server.
            session.pointee.database.pointee.table.shared.latencies.withLock { $0.forgetAll() }
            return fanOut(session, bytes, command, .first, isWrite: false)
        }
        if subcommand.isWord("help"), arguments.count == 2 {
            answer(session, Self.configHelp)
            return .next
        }
        return rejectPermission(session, "config|\(subcommand.text.lowercased())")
    }

    /// Answered by the first shard: all have the same settings.
    private mutating func getSettings(_ session: SessionPointer, _ arguments: [ByteSpan]) -> Step {
        if mustPark(session, sharedUpstream(session, 0)) { return .parked }
        var writer = ReplyWriter()
        writer.array(arguments.count)
        for argument in arguments { writer.bulk(argument) }
        ask(session, writer.bytes, .configuration(ownSettings(session)))
        return .next
    }

    private func ownSettings(_ session: SessionPointer) -> [String: String] {
        let routes = session.pointee.database.pointee.table.routes
        let databases = session.pointee.database.pointee.slots == nil ? Lane.databaseCount : 1
        return [
            "bind": routes.listenHost ?? "*", "databases": String(databases),
            "maxclients": String(routes.maximumConnections),
            "maxmemory": String(routes.memoryLimitInForce.bytes), "port": String(routes.port),
            "replicaof": "", "slaveof": "",
            "client-query-buffer-limit": routes.settings["client-query-buffer-limit"]
                ?? String(SessionLimits.inputBytes),
            "timeout": routes.settings["timeout"] ?? "0", "tcp-keepalive": routes.settings["tcp-keepalive"] ?? "60",
        ]
    }

    // MARK: CONFIG SET

    /// Checked here, kept by the cluster, applied by the nodes' agents: the command itself never reaches a shard.
    private mutating func setSettings(_ session: SessionPointer, _ arguments: [ByteSpan]) -> Step {
        var order = SettingsOrder(firstName: arguments[2].text, own: ownSettings(session))
        for index in stride(from: 2, to: arguments.count, by: 2) {
            let written = arguments[index].text
            let value = arguments[index + 1].text
            let name = SettingRule.named(written.lowercased())?.name ?? written.lowercased()
            guard order.changes[name] == nil, order.fixed[name] == nil else {
                return reject(session, Self.configText(written, "duplicate parameter"))
            }
            if let rule = SettingRule.named(name) {
                do throws(SettingError) {
                    order.changes[name] = try rule.canonical(value)
                    if rule.place == .limit { try checkLimit(session, order.changes[name] ?? "") }
                } catch {
                    return reject(session, Self.configText(written, error.text))
                }
            } else if ConfigurationView.isVisible(name) {
                do throws(SettingError) {
                    order.fixed[name] = try SettingRule.fixed[name]?.canonical(value) ?? value
                } catch {
                    return reject(session, Self.configText(written, error.text))
                }
            } else if ConfigurationView.isImmutable(name) {
                return reject(session, Self.configText(written, "can't set immutable config"))
            } else if ConfigurationView.isAdministrative(name) {
                return rejectPermission(session, "config|set \(name)")
            } else {
                return reject(session, "ERR Unknown option or number of arguments for CONFIG SET - '\(written)'")
            }
        }
        if order.fixed.isEmpty {
            begin(order, session, session.pointee.nextSequence)
            session.pointee.nextSequence &+= 1
        } else {
            if mustPark(session, sharedUpstream(session, 0)) { return .parked }
            var writer = ReplyWriter()
            writer.command(["CONFIG", "GET"] + order.fixed.keys)
            ask(session, writer.bytes, .settings(order))
        }
        return .nextAfterReplies
    }

    private func checkLimit(_ session: SessionPointer, _ text: String) throws(SettingError) {
        let limit = session.pointee.database.pointee.table.routes.memoryLimitBytes
        try DatabaseSettings.checkMemoryLimit(text, within: ByteCount(bytes: limit))
    }

    /// The values of what can't be changed are known.
    mutating func proceed(_ order: SettingsOrder, _ gather: Gather) {
        if gather.session.pointee.isDead {  // Its database may be gone as well.
            deliver(gather.session, gather.sequence, [])
        } else if let error = gather.parts.first, error.first == UInt8(ascii: "-") {
            deliver(gather.session, gather.sequence, error)
        } else if let name = ConfigurationView.difference(gather.parts[0], from: order) {
            var writer = ReplyWriter()
            writer.error(
                ConfigurationView.isImmutable(name)
                    ? Self.configText(name, "can't set immutable config") : Self.permissionText("config|set \(name)"))
            deliver(gather.session, gather.sequence, writer.bytes)
        } else if order.changes.isEmpty {
            deliver(gather.session, gather.sequence, Array("+OK\r\n".utf8))
        } else {
            begin(order, gather.session, gather.sequence)
        }
    }

    private mutating func begin(_ order: SettingsOrder, _ session: SessionPointer, _ sequence: UInt32) {
        settingsChanges.last += 1
        let request = settingsChanges.last
        settingsChanges.waiting[request] = SettingsChanges.Waiting(
            session: session, sequence: sequence, firstName: order.firstName)
        let database = session.pointee.database.pointee.table.routes.database
        let change = SettingsChange(loop: index, database: database, request: request, settings: order.changes)
        control.post(LoopReply(operation: 0, change: change))
    }

    /// The session may be gone; what is owed to it is delivered all the same, which frees it.
    mutating func finishChange(_ request: UInt64, _ error: String?) {
        guard let waiting = settingsChanges.waiting.removeValue(forKey: request) else { return }
        var writer = ReplyWriter()
        if let error { writer.error(Self.configText(waiting.firstName, error)) } else { writer.simple("OK") }
        deliver(waiting.session, waiting.sequence, writer.bytes)
    }

    private static func configText(_ name: String, _ reason: String) -> String {
        "ERR CONFIG SET failed (possibly related to argument '\(name)') - \(reason)"
    }

    private static var configHelp: [UInt8] {
        let lines = [
            "CONFIG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
            "GET <pattern> [<pattern> ...]", "    Settings of this database whose names match.",
            "SET <directive> <value> [<directive> <value> ...]",
            "    Change settings of this database, on all its shards and for good.",
            "REWRITE", "    Nothing to do: settings are kept as soon as they are set.", "HELP", "    This text.",
        ]
        var writer = ReplyWriter()
        writer.array(lines.count)
        for line in lines { writer.status(line) }
        return writer.bytes
    }
}
