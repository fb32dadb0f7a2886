import Glibc

/// A small client of our own, so that what redis-cli wrote is read back by somebody else. Blocking, with a time limit.
final class RESPClient {
    enum Reply: Equatable {
        case simple(String)
        case error(String)
        case integer(Int)
        case bulk([UInt8])
        case null
        case array([Reply])

        var text: String? {
            switch self {
            case .simple(let text): text
            case .bulk(let bytes): String(decoding: bytes, as: UTF8.self)
            case .integer(let number): String(number)
            case .error, .null, .array: nil
            }
        }
    }

    private let descriptor: Int32
    private var buffer: [UInt8] = []
    private var position = 0

    /// Connects, and logs in when there is a password.
    init(host: String, port: Int, password: String? = nil, timeoutSeconds: Int = 20) throws {
        descriptor = try TCP.connect(host: host, port: port, timeoutSeconds: timeoutSeconds)
        // A database without a password refuses AUTH, as a plain Redis does.
        guard let password, !password.isEmpty else { return }
        let reply = try send([["AUTH", password]])[0]
        guard reply == .simple("OK") else { throw Failure(.product, "AUTH at \(host):\(port): \(reply)") }
    }

    /// Takes over a connected descriptor.
    init(adopting descriptor: Int32) { self.descriptor = descriptor }

    deinit { close(descriptor) }

    /// Sends all commands in one write and reads as many replies. Keep a batch below some hundred commands: nothing
    /// is read before all is written.
    func send(_ commands: [[String]]) throws -> [Reply] {
        try write(commands)
        return try commands.map { _ in try reply() }
    }

    /// Sends them all in one write; `reply` then gives one answer after the other.
    func write(_ commands: [[String]]) throws {
        var bytes: [UInt8] = []
        for command in commands { Self.encode(command, into: &bytes) }
        try TCP.write(bytes, to: descriptor)
        buffer.removeFirst(position)
        position = 0
    }

    static func encode(_ arguments: [String], into bytes: inout [UInt8]) {
        bytes.append(contentsOf: "*\(arguments.count)\r\n".utf8)
        for argument in arguments {
            bytes.append(contentsOf: "$\(argument.utf8.count)\r\n".utf8)
            bytes.append(contentsOf: argument.utf8)
            bytes.append(contentsOf: "\r\n".utf8)
        }
    }

    func reply() throws -> Reply {
        let line = try line()
        let rest = String(decoding: line.dropFirst(), as: UTF8.self)
        let number = Int(rest)
        switch (line.first.map { Character(UnicodeScalar($0)) }, number) {
        case ("+", _): return .simple(rest)
        case ("-", _): return .error(rest)
        case (":", let number?): return .integer(number)
        case ("$", -1), ("*", -1), ("_", _): return .null
        case ("$", let count?): return .bulk(try take(count))
        case ("*", let count?): return .array(try (0..<count).map { _ in try reply() })
        default: throw Failure(.product, "this is no RESP reply: \(String(decoding: line, as: UTF8.self))")
        }
    }

    private func line() throws -> [UInt8] {
        var searched = position
        while true {
            if let end = buffer[searched...].firstIndex(of: UInt8(ascii: "\r")), end + 1 < buffer.count {
                defer { position = end + 2 }
                return Array(buffer[position..<end])
            }
            searched = max(position, buffer.count - 1)
            buffer.append(contentsOf: try TCP.read(from: descriptor))
        }
    }

    private func take(_ count: Int) throws -> [UInt8] {
        while buffer.count - position < count + 2 { buffer.append(contentsOf: try TCP.read(from: descriptor)) }
        defer { position += count + 2 }
        return Array(buffer[position..<position + count])
    }
}
