import ClusterModel
import ProxyControl
import ProxyCore
import RESP
import Testing
import TestSupport

/// The compiled table and the key extraction against what a real server says of its commands.
@Suite struct ProxyCommandTableTests {
    /// `COMMAND` of the server at hand, in both versions of the protocol.
    @Test(arguments: [2, 3]) func compiledFactsAreTheServers(version: Int) throws {
        let fixture = try ProxyFixture(host: ownNetwork + ".120", shards: 1)
        let server = try RedisConnection(path: fixture.socket(0))
        _ = try server.command(["HELLO", "\(version)"])
        let learnt = try commands(of: server)
        #expect(learnt.count > 300)
        let isOurs = try server.command(["INFO", "server"]).contains("redis_version:7.0.")
        let table = CommandTable.compiled()
        defer { table.deallocate() }
        var names: Set<String> = []
        for info in table.entries {
            guard let actual = learnt[info.name] else {
                Issue.record("the server has no \(info.name)")
                continue
            }
            names.insert(info.name)
            guard isOurs else { continue }
            #expect(actual.arity == info.arity, "\(info.name)")
            #expect(actual.isWrite == info.isWrite, "\(info.name)")
            #expect(actual.mayBlock == info.mayBlock, "\(info.name)")
            #expect(actual.keys == info.keys, "\(info.name)")
            #expect(actual.handling == info.handling, "\(info.name)")
            #expect(actual.tier == info.tier || info.name == "cluster" || info.name == "module", "\(info.name)")
        }
        // Subcommands of what is refused as a whole are of no interest.
        let missing = Set(learnt.keys).subtracting(names).filter {
            !$0.hasPrefix("cluster|") && !$0.hasPrefix("module|")
        }
        if isOurs { #expect(missing == []) }
    }

    /// Thousands of commands, right and spoilt: the same keys as `COMMAND GETKEYS` finds.
    @Test func keysAreThoseOfTheServer() throws {
        let fixture = try ProxyFixture(host: ownNetwork + ".121", shards: 1)
        let server = try RedisConnection(path: fixture.socket(0))
        let learnt = try commands(of: server)
        let table = CommandTable.compiled()
        defer { table.deallocate() }
        let compiled = Dictionary(uniqueKeysWithValues: table.entries.map { ($0.name, $0) })
        var source = ValueSource(seed: 7)
        var compared: Set<String> = []
        for _ in 0..<6000 {
            let group = DifferentialCommands.groups[source.below(DifferentialCommands.groups.count)]
            var words = group[source.below(group.count)].make(&source).words
            if source.below(3) == 0 { words.append(source.junk()) }
            try server.send(RedisConnection.encode([Array("COMMAND".utf8), Array("GETKEYS".utf8)] + words))
            let reply = try server.reply()
            let name = String(decoding: words[0], as: UTF8.self).lowercased()
            let full = words.count > 1 ? "\(name)|\(String(decoding: words[1], as: UTF8.self).lowercased())" : name
            guard let known = compiled[full] ?? compiled[name], let taught = learnt[full] ?? learnt[name] else {
                continue
            }
            let found = keys(words, known)
            #expect(found == keys(words, taught) || known.handling == .sort, "\(words.map(printable))")
            guard case .elements(let elements)? = ReplyValue(reply) else {
                // No keys, or a command that the server refuses as well.
                continue
            }
            let expected = elements.compactMap { element -> [UInt8]? in
                if case .text(let key) = element { key } else { nil }
            }
            #expect(found.sorted(by: <) == expected.map(printable).sorted(by: <), "\(words.map(printable))")
            compared.insert(known.name)
        }
        #expect(compared.count > 130)
    }

    private func commands(of server: RedisConnection) throws -> [String: CommandInfo] {
        try server.send(RedisConnection.encode(["COMMAND"]))
        let value = try #require(ReplyValue(try server.reply()))
        return Dictionary(uniqueKeysWithValues: CommandInfo.all(inReply: value).map { ($0.name, $0) })
    }

    private func keys(_ words: [[UInt8]], _ info: CommandInfo) -> [String] {
        var bytes = RedisConnection.encode(words) + [UInt8](repeating: 0, count: scanSlackBytes)
        return bytes.withUnsafeMutableBufferPointer { buffer in
            var command = ScannedCommand()
            guard let base = buffer.baseAddress, scanCommand(base, buffer.count, &command) == .complete else {
                return []
            }
            let arguments = ArgumentCursor.all(base, command)
            return (KeyExtractor.keyIndexes(arguments, info) ?? []).map { printable(arguments[$0].bytes) }
        }
    }
}
