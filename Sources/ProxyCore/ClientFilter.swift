package import RESP

/// Which clients CLIENT LIST and CLIENT KILL mean.
package struct ClientFilter: Sendable, Equatable {
    package enum Kind: String, Sendable { case normal, pubsub, replica, master }

    /// What of a client can be asked for.
    package struct Facts {
        package var identifier: Int
        package var address: String
        package var localAddress: String
        package var kind: Kind
        package var ageSeconds: Int

        package init(identifier: Int, address: String, localAddress: String, kind: Kind, ageSeconds: Int) {
            self.identifier = identifier
            self.address = address
            self.localAddress = localAddress
            self.kind = kind
            self.ageSeconds = ageSeconds
        }
    }

    package struct Refusal: Error, Equatable {
        package let text: String
        init(_ text: String) { self.text = text }
    }

    /// Nil: all.
    package private(set) var identifiers: [Int]?
    private var address: String?
    private var localAddress: String?
    private var kind: Kind?
    private var leastAgeSeconds: Int?
    private var skipsAsker = false
    /// Who asks.
    package let asker: Int

    init(asker: Int) { self.asker = asker }

    package func matches(_ facts: Facts) -> Bool {
        if skipsAsker && facts.identifier == asker { return false }
        if let identifiers, !identifiers.contains(facts.identifier) { return false }
        if let address, address != facts.address { return false }
        if let localAddress, localAddress != facts.localAddress { return false }
        if let leastAgeSeconds, facts.ageSeconds < leastAgeSeconds { return false }
        return kind == nil || kind == facts.kind
    }

    private static let syntax = Refusal("ERR syntax error")

    /// `CLIENT LIST [TYPE type] [ID id …]`; the words of refusals are redis-server's.
    package static func list(_ arguments: [ByteSpan], asker: Int) -> Result<ClientFilter, Refusal> {
        var filter = ClientFilter(asker: asker)
        if arguments.count == 2 { return .success(filter) }
        if arguments.count == 4, arguments[2].isWord("type") {
            guard let kind = kind(arguments[3]) else { return .failure(unknown(arguments[3])) }
            filter.kind = kind
            return .success(filter)
        }
        guard arguments.count > 3, arguments[2].isWord("id") else { return .failure(syntax) }
        var identifiers: [Int] = []
        for argument in arguments.dropFirst(3) {
            guard let identifier = argument.integer else { return .failure(Refusal("ERR Invalid client ID")) }
            identifiers.append(identifier)
        }
        filter.identifiers = identifiers
        return .success(filter)
    }

    /// `CLIENT KILL address`, or pairs of `ID`, `TYPE`, `USER`, `ADDR`, `LADDR`, `MAXAGE`, `SKIPME` and their values.
    package static func kill(_ arguments: [ByteSpan], asker: Int) -> Result<ClientFilter, Refusal> {
        var filter = ClientFilter(asker: asker)
        if arguments.count == 3 {
            filter.address = arguments[2].text
            return .success(filter)
        }
        filter.skipsAsker = true
        guard arguments.count % 2 == 0 else { return .failure(syntax) }
        for index in stride(from: 2, to: arguments.count, by: 2) {
            if let refusal = filter.take(arguments[index], arguments[index + 1]) { return .failure(refusal) }
        }
        return .success(filter)
    }

    private mutating func take(_ option: ByteSpan, _ value: ByteSpan) -> Refusal? {
        if option.isWord("id") {
            guard let identifier = value.integer, identifier > 0 else {
                return Refusal("ERR client-id should be greater than 0")
            }
            identifiers = [identifier]
        } else if option.isWord("type") {
            guard let wanted = Self.kind(value) else { return Self.unknown(value) }
            kind = wanted
        } else if option.isWord("addr") {
            address = value.text
        } else if option.isWord("laddr") {
            localAddress = value.text
        } else if option.isWord("user") {
            if value.text != "default" { return Refusal("ERR No such user '\(value.text)'") }
        } else if option.isWord("maxage") {
            guard let age = value.integer, age > 0 else {
                return Refusal("ERR maxage is not an integer or out of range")
            }
            leastAgeSeconds = age
        } else if option.isWord("skipme") {
            guard value.isWord("yes") || value.isWord("no") else { return Self.syntax }
            skipsAsker = value.isWord("yes")
        } else {
            return Self.syntax
        }
        return nil
    }

    private static func kind(_ argument: ByteSpan) -> Kind? {
        argument.isWord("slave") ? .replica : Kind(rawValue: argument.text.lowercased())
    }

    private static func unknown(_ argument: ByteSpan) -> Refusal {
        Refusal("ERR Unknown client type '\(argument.text)'")
    }
}
