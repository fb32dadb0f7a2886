package import Primitives

/// `maxmemory`, which clients may lower and not raise: how much a database may take is the cluster's to say.
///
/// It counts primaries only, as clients do: `used_memory` of INFO is theirs as well.
extension DatabaseSettings {
    package static let memoryLimitName = "maxmemory"

    /// What is in force over all primaries; zero: no limit. A limit of the database that was made smaller since counts.
    package func memoryLimit(within limit: ByteCount) -> ByteCount {
        guard let lowered = loweredMemoryLimit else { return limit }
        return limit == .zero ? lowered : min(lowered, limit)
    }

    private var loweredMemoryLimit: ByteCount? {
        guard let text = values[Self.memoryLimitName], let bytes = Int64(text), bytes > 0 else { return nil }
        return ByteCount(bytes: bytes)
    }

    /// Zero is redis' word for no limit of one's own. The database's very limit means the same: clients restore what
    /// they found, and when it is raised one day that is not to keep them below.
    /// - Parameter text: As ``SettingRule/canonical(_:)`` gives it.
    package mutating func lowerMemoryLimit(to text: String, within limit: ByteCount) throws(SettingError) {
        try Self.checkMemoryLimit(text, within: limit)
        let isLowered = text != "0" && text != String(limit.bytes)
        values[Self.memoryLimitName] = isLowered ? text : nil
    }

    package static func checkMemoryLimit(_ text: String, within limit: ByteCount) throws(SettingError) {
        guard limit > .zero, let bytes = Int64(text), bytes > limit.bytes else { return }
        throw SettingError(
            name: memoryLimitName,
            text: "the memory limit of a database is the cluster's, and this one's is \(limit.bytes) bytes")
    }
}

extension DatabasePolicy {
    /// What of the limit is for primaries; zero: no limit.
    package var memoryLimitOfPrimaries: ByteCount { ByteCount(bytes: memoryLimit.bytes / (isReplicated ? 2 : 1)) }

    /// redis' `maxmemory` for each process, where clients lowered it. At least a byte, since none would be no limit.
    package var loweredMemoryLimitPerShard: ByteCount? {
        let lowered = settings.memoryLimit(within: memoryLimitOfPrimaries)
        guard lowered != memoryLimitOfPrimaries else { return nil }
        return ByteCount(bytes: max(lowered.bytes / Int64(shardCount), 1))
    }
}
