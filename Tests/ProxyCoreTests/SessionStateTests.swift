import RESP
import Testing

@testable import ProxyCore

@Suite struct SubscriptionsTests {
    private let hasher = SlotHasher()

    @Test func whatMayMatchKeyspaceEventsIsListenedForEverywhere() {
        func place(_ name: String, _ kind: Subscriptions.Kind) -> Subscriptions.Place {
            Subscriptions.place(Array(name.utf8), kind, hasher)
        }
        for pattern in [
            "*", "_*", "__keyspace@0__:*", "__key*", "?_key*", "[_]x", "\\__keyspace", "__keyevent@0__:set",
        ] {
            #expect(place(pattern, .pattern) == .everyShard, "\(pattern)")
        }
        for pattern in ["news*", "_a*", "__kez*", "__", ""] {
            #expect(place(pattern, .pattern) == .firstShard, "\(pattern)")
        }
        #expect(place("__keyevent@0__:set", .channel) == .everyShard)
        #expect(place("news", .channel) == .firstShard)
        #expect(place("foo", .shardChannel) == .slot(12182))
    }

    @Test func countsAreThoseOfConfirmations() {
        var subscriptions = Subscriptions()
        let insertions = [.channel, .channel, .pattern, .shardChannel].map { subscriptions.insert([1], $0) }
        #expect(insertions == [true, false, true, true])
        #expect(subscriptions.count(.channel) == 2 && subscriptions.count(.pattern) == 2)
        #expect(subscriptions.count(.shardChannel) == 1)
        let removals = (0..<2).map { _ in subscriptions.remove([1], .channel) }
        #expect(removals == [true, false])
        #expect(subscriptions.count(.pattern) == 1 && !subscriptions.isEmpty)
    }
}

@Suite struct TrackingTests {
    private func parse(_ words: String, after before: Tracking? = nil) -> Result<Tracking, Tracking.Refusal> {
        Tracking.parse("CLIENT TRACKING \(words)".split(separator: " ").map { Array($0.utf8) }, after: before)
    }

    @Test func whatCantBeCombinedIsRefused() throws {
        let broadcast = try parse("on BCAST PREFIX a PREFIX b").get()
        let optIn = try parse("on OPTIN").get()
        for (words, before, start) in [
            ("on PREFIX a", nil, "ERR PREFIX option requires BCAST"), ("maybe", nil, "ERR syntax error"),
            ("on BCAST OPTIN", nil, "ERR OPTIN and OPTOUT are not compatible"),
            ("on NONSENSE", nil, "ERR syntax error"),
            ("on OPTIN OPTOUT", nil, "ERR You can't specify both"), ("on", broadcast, "ERR You can't switch BCAST"),
            ("on OPTOUT", optIn, "ERR You can't switch OPTIN"), ("on PREFIX", nil, "ERR syntax error"),
            ("on BCAST PREFIX ab", broadcast, "ERR Prefix 'ab' overlaps with an existing prefix 'a'."),
            ("on BCAST PREFIX x PREFIX xy", nil, "ERR Prefix 'x' overlaps with another provided prefix 'xy'."),
            ("on REDIRECT x", nil, "ERR value is not an integer"),
            ("on REDIRECT 1 REDIRECT 2", nil, "ERR A client can only redirect to a single other client"),
        ] as [(String, Tracking?, String)] {
            guard case .failure(let refusal) = parse(words, after: before) else {
                Issue.record("\(words) was accepted")
                continue
            }
            #expect(refusal.text.hasPrefix(start), "\(words): \(refusal.text)")
        }
        let more = try parse("on bcast prefix c noloop", after: broadcast).get()
        #expect(
            more.command(redirect: nil).map { String(decoding: $0, as: UTF8.self) }.joined(separator: " ")
                == "CLIENT TRACKING ON BCAST NOLOOP PREFIX a PREFIX b PREFIX c")
        #expect(
            more.command(redirect: 7, known: broadcast.prefixes).map { String(decoding: $0, as: UTF8.self) }
                == ["CLIENT", "TRACKING", "ON", "REDIRECT", "7", "BCAST", "NOLOOP", "PREFIX", "c"])
        #expect(more.flags(cachingNext: false) == ["on", "bcast", "noloop"])
        #expect(optIn.flags(cachingNext: true) == ["on", "optin", "caching-yes"])
    }
}

@Suite struct MonitorLineTests {
    @Test func onlyWhatClientsSentIsShown() {
        func shown(_ line: String) -> String? {
            var bytes = Array(line.utf8)
            return bytes.withUnsafeMutableBufferPointer {
                MonitorLine.shown(UnsafeBufferPointer($0), endpoint: "h:1").map { String(decoding: $0, as: UTF8.self) }
            }
        }
        #expect(shown("+1.2 [0 unix:/a b/s] \"GET\" \"[x\"\r\n") == "+1.2 [0 h:1] \"GET\" \"[x\"\r\n")
        #expect(shown("+1.2 [15 127.0.0.1:99] \"mget\" \"a\"\r\n") == "+1.2 [15 h:1] \"mget\" \"a\"\r\n")
        #expect(shown("+1.2 [0 lua] \"info\"\r\n") == "+1.2 [0 lua] \"info\"\r\n")
        #expect(shown("+1.2 [0 unix:/s] \"INFO\"\r\n") == nil)
        #expect(shown("+1.2 [0 unix:/s] \"SPUBLISH\" \"__tarn:wait__\" \"\"\r\n") == nil)
        #expect(shown("+OK\r\n") == nil)
        #expect(shown("+[ \"") == nil)
    }
}

@Suite struct MutedRangeTests {
    @Test func numbersWrapAround() {
        let skip = MutedRange(first: .max, end: 1)
        #expect([UInt32.max, 0].allSatisfy(skip.contains))
        #expect([UInt32.max - 1, 1, 2].allSatisfy { !skip.contains($0) })
        #expect(MutedRange(first: 5, end: nil).contains(9) && !MutedRange(first: 5, end: nil).contains(4))
    }
}
