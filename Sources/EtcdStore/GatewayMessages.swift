import FoundationEssentials

// etcd's v3 messages as its JSON gateway writes them: 64-bit integers are strings, bytes are base64 (what `Data` is
// to a JSON coder), and a field with its default value is left out.
// Source: etcd 3.4, etcdserver/etcdserverpb/rpc.proto.

/// A 64-bit integer that travels as a string.
struct GatewayInteger<Value: FixedWidthInteger & Sendable>: Codable, Hashable, Sendable {
    var value: Value

    init(_ value: Value) {
        self.value = value
    }

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if let text = try? container.decode(String.self), let number = Value(text) {
            value = number
        } else {
            value = Value(try container.decode(Int64.self))
        }
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(String(value))
    }
}

typealias Gateway64 = GatewayInteger<Int64>
typealias GatewayID = GatewayInteger<UInt64>

struct GatewayHeader: Decodable, Sendable {
    var member_id: GatewayID?
    var revision: Gateway64?
}

struct GatewayKeyValue: Decodable, Sendable {
    var key: Data
    var value: Data?
    var mod_revision: Gateway64?

    var entry: StoreEntryParts {
        StoreEntryParts(
            key: String(decoding: key, as: UTF8.self), value: value.map(Array.init) ?? [],
            revision: mod_revision?.value ?? 0)
    }
}

struct StoreEntryParts {
    var key: String
    var value: [UInt8]
    var revision: Int64
}

/// A half-open range of keys in byte order.
struct GatewayRange: Codable, Sendable {
    var key: Data
    var range_end: Data?

    /// One key.
    init(key: String) {
        self.key = Data(key.utf8)
    }

    /// Every key that begins with the prefix. The end is the prefix with its last byte raised by one, which is always
    /// possible: UTF-8 has no byte 0xFF. A single zero byte stands for the first and for the last key of all.
    init(prefix: String) {
        var end = Array(prefix.utf8)
        if end.isEmpty {
            key = Data([0])
            end = [0]
        } else {
            key = Data(prefix.utf8)
            end[end.count - 1] += 1
        }
        range_end = Data(end)
    }
}

struct RangeResponse: Decodable, Sendable {
    var header: GatewayHeader
    var kvs: [GatewayKeyValue]?
}

struct TransactionRequest: Encodable {
    struct Compare: Encodable {
        var key: Data
        var target = "MOD"
        var result = "EQUAL"
        var mod_revision: Gateway64
    }

    struct Put: Encodable {
        var key: Data
        var value: Data
        var lease: Gateway64?
    }

    struct Operation: Encodable {
        var requestPut: Put?
        var requestDeleteRange: GatewayRange?
        var requestRange: GatewayRange?
    }

    var compare: [Compare]
    var success: [Operation]
    var failure: [Operation]
}

struct TransactionResponse: Decodable, Sendable {
    struct Operation: Decodable, Sendable {
        struct Range: Decodable, Sendable { var kvs: [GatewayKeyValue]? }
        var response_range: Range?
    }

    var header: GatewayHeader
    var succeeded: Bool?
    var responses: [Operation]?
}

struct LeaseRequest: Encodable {
    var ID: Gateway64?
    var TTL: Gateway64?
}

struct LeaseResponse: Decodable, Sendable {
    var ID: Gateway64?
    var TTL: Gateway64?
}

/// What the gateway puts around every message of a stream.
struct StreamLine<Result: Decodable & Sendable>: Decodable, Sendable {
    struct Failure: Decodable, Sendable {
        var grpc_code: Int?
        var message: String?
    }

    var result: Result?
    var error: Failure?
}

struct WatchRequest: Encodable {
    struct Create: Encodable {
        var key: Data
        var range_end: Data?
        var start_revision: Gateway64
        var progress_notify = true
    }

    var create_request: Create
}

struct WatchResponse: Decodable, Sendable {
    struct Event: Decodable, Sendable {
        /// `DELETE`; a put has none, it is the default.
        var type: String?
        var kv: GatewayKeyValue
    }

    var header: GatewayHeader?
    var created: Bool?
    var canceled: Bool?
    var compact_revision: Gateway64?
    var cancel_reason: String?
    var events: [Event]?
}

struct MemberRequest: Encodable {
    var ID: GatewayID?
    var peerURLs: [String]?
    var isLearner: Bool?
}

struct MemberResponse: Decodable, Sendable {
    struct Member: Decodable, Sendable {
        var ID: GatewayID
        var name: String?
        var peerURLs: [String]?
        var isLearner: Bool?
    }

    var member: Member?
    var members: [Member]?
}

struct StatusResponse: Decodable, Sendable {
    var header: GatewayHeader
    var version: String?
    var dbSize: Gateway64?
    var leader: GatewayID?
    var isLearner: Bool?
}

struct CompactionRequest: Encodable {
    var revision: Gateway64
}

struct Nothing: Codable, Sendable {}

/// The body of an answer that isn't 200.
struct GatewayFailure: Decodable, Sendable {
    var code: Int?
    var grpc_code: Int?
    var message: String?
    var error: String?
}
