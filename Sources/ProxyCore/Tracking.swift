/// What a session asked of CLIENT TRACKING.
package struct Tracking: Equatable {
    package struct Refusal: Error, Equatable {
        package let text: String
    }

    package private(set) var isBroadcast = false
    package private(set) var isOptIn = false
    package private(set) var isOptOut = false
    package private(set) var isNoLoop = false
    package private(set) var prefixes: [[UInt8]] = []
    /// Identifier of the client that gets the invalidations instead.
    package private(set) var redirect: Int?
    /// That client was gone when there was something to tell.
    package var isRedirectBroken = false

    /// The rules, their order and their words are those of redis-server 7.0 (`CLIENT TRACKING` in networking.c).
    ///
    /// - Parameters:
    ///   - arguments: `CLIENT TRACKING on …`.
    ///   - before: What is in force; prefixes add up, modes can't be switched.
    package static func parse(_ arguments: [[UInt8]], after before: Tracking?) -> Result<Tracking, Refusal> {
        guard word(arguments[2]) == "on" else { return .failure(Refusal(text: "ERR syntax error")) }
        var wanted = Tracking()
        var index = 3
        while index < arguments.count {
            let hasMore = index + 1 < arguments.count
            switch word(arguments[index]) {
            case "redirect" where hasMore:
                index += 1
                if wanted.redirect != nil {
                    return .failure(Refusal(text: "ERR A client can only redirect to a single other client"))
                }
                guard let identifier = Int(String(decoding: arguments[index], as: UTF8.self)) else {
                    return .failure(Refusal(text: "ERR value is not an integer or out of range"))
                }
                wanted.redirect = identifier
            case "bcast": wanted.isBroadcast = true
            case "optin": wanted.isOptIn = true
            case "optout": wanted.isOptOut = true
            case "noloop": wanted.isNoLoop = true
            case "prefix" where hasMore:
                index += 1
                wanted.prefixes.append(arguments[index])
            default: return .failure(Refusal(text: "ERR syntax error"))
            }
            index += 1
        }
        if let objection = wanted.objection(after: before) { return .failure(Refusal(text: "ERR " + objection)) }
        if let before, wanted.isBroadcast { wanted.prefixes = before.prefixes + wanted.prefixes }
        return .success(wanted)
    }

    private func objection(after before: Tracking?) -> String? {
        if !isBroadcast && !prefixes.isEmpty { return "PREFIX option requires BCAST mode to be enabled" }
        if let before, before.isBroadcast != isBroadcast {
            return "You can't switch BCAST mode on/off before disabling tracking for this client, and then re-enabling "
                + "it with a different mode."
        }
        if isBroadcast && (isOptIn || isOptOut) { return "OPTIN and OPTOUT are not compatible with BCAST" }
        if isOptIn && isOptOut { return "You can't specify both OPTIN mode and OPTOUT mode" }
        if let before, isOptIn && before.isOptOut || isOptOut && before.isOptIn {
            return "You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and then re-enabling "
                + "it with a different mode."
        }
        return isBroadcast ? collision(with: before?.prefixes ?? []) : nil
    }

    private func collision(with existing: [[UInt8]]) -> String? {
        for (index, prefix) in prefixes.enumerated() {
            for other in existing where Self.overlap(prefix, other) {
                return "Prefix '\(Self.text(prefix))' overlaps with an existing prefix '\(Self.text(other))'. Prefixes "
                    + "for a single client must not overlap."
            }
            for other in prefixes[(index + 1)...] where Self.overlap(prefix, other) {
                return "Prefix '\(Self.text(prefix))' overlaps with another provided prefix '\(Self.text(other))'. "
                    + "Prefixes for a single client must not overlap."
            }
        }
        return nil
    }

    private static func overlap(_ one: [UInt8], _ other: [UInt8]) -> Bool {
        one.starts(with: other) || other.starts(with: one)
    }

    private static func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }
    private static func word(_ bytes: [UInt8]) -> String { text(bytes).lowercased() }

    /// To a shard.
    /// - Parameters:
    ///   - redirect: What the shard calls the connection that is to get the invalidations; nil for the tracked one.
    ///   - known: Prefixes that the connection has already.
    package func command(redirect: Int?, known: [[UInt8]] = []) -> [[UInt8]] {
        let target = redirect.map { ["REDIRECT", "\($0)"] } ?? []
        var words = (["CLIENT", "TRACKING", "ON"] + target).map { Array($0.utf8) }
        for (isSet, name) in [(isBroadcast, "BCAST"), (isOptIn, "OPTIN"), (isOptOut, "OPTOUT"), (isNoLoop, "NOLOOP")]
        where isSet {
            words.append(Array(name.utf8))
        }
        for prefix in prefixes where !known.contains(prefix) { words += [Array("PREFIX".utf8), prefix] }
        return words
    }

    /// As CLIENT TRACKINGINFO names them.
    package func flags(cachingNext: Bool) -> [String] {
        ["on"] + (isBroadcast ? ["bcast"] : []) + (isOptIn ? ["optin"] : [])
            + (isOptIn && cachingNext ? ["caching-yes"] : []) + (isOptOut ? ["optout"] : [])
            + (isOptOut && cachingNext ? ["caching-no"] : []) + (isNoLoop ? ["noloop"] : [])
            + (isRedirectBroken ? ["broken_redirect"] : [])
    }

    /// BCAST without a prefix means the empty one.
    package var sortedPrefixes: [[UInt8]] {
        if isBroadcast && prefixes.isEmpty { return [[]] }
        return prefixes.sorted { $0.lexicographicallyPrecedes($1) }
    }
}
