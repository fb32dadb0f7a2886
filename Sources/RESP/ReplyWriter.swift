/// Builds replies and requests that the proxy makes itself. Not for what merely passes.
package struct ReplyWriter {
    package private(set) var bytes: [UInt8] = []
    private let usesRESP3: Bool

    /// - Parameter usesRESP3: The version of the client's protocol. Requests are the same in both.
    package init(usesRESP3: Bool = false) {
        self.usesRESP3 = usesRESP3
    }

    package mutating func raw(_ text: StaticString) {
        bytes.append(contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    package mutating func raw(_ other: some Sequence<UInt8>) { bytes.append(contentsOf: other) }

    /// Line breaks would end the reply early, so they become blanks, as in Redis.
    package mutating func error(_ text: String) { error(Array(text.utf8)) }

    package mutating func error(_ text: [UInt8]) {
        bytes.append(UInt8(ascii: "-"))
        bytes.append(contentsOf: text.map { $0 == 10 || $0 == 13 ? 32 : $0 })
        raw("\r\n")
    }

    package mutating func reserve(_ count: Int) { bytes.reserveCapacity(count) }

    package mutating func raw(_ start: Bytes, _ count: Int) {
        bytes.append(contentsOf: UnsafeBufferPointer(start: start, count: count))
    }

    package mutating func set(_ count: Int) { header(usesRESP3 ? "~" : "*", count) }

    package mutating func simple(_ text: StaticString) {
        raw("+")
        raw(text)
        raw("\r\n")
    }

    /// A simple string that isn't known at compile time; it must have no line break.
    package mutating func status(_ text: String) {
        raw("+")
        raw(text.utf8)
        raw("\r\n")
    }

    package mutating func integer(_ value: Int) { header(":", value) }
    package mutating func array(_ count: Int) { header("*", count) }
    /// A map in RESP3, its keys and values in turn in RESP2.
    package mutating func map(pairs: Int) {
        if usesRESP3 { header("%", pairs) } else { array(pairs * 2) }
    }

    /// What comes without being a reply in RESP3, an array in RESP2.
    package mutating func push(_ count: Int) { header(usesRESP3 ? ">" : "*", count) }

    package mutating func null() { raw(usesRESP3 ? "_\r\n" : "$-1\r\n") }
    package mutating func nullArray() { raw(usesRESP3 ? "_\r\n" : "*-1\r\n") }

    /// Text for people: RESP3 says so, with the format in front.
    package mutating func verbatim(_ text: String) { verbatim(Array(text.utf8)) }

    package mutating func verbatim(_ text: [UInt8]) {
        if usesRESP3 {
            header("=", text.count + 4)
            raw("txt:")
            raw(text)
            raw("\r\n")
        } else {
            bulk(text)
        }
    }

    package mutating func bulk(_ content: some Collection<UInt8>) {
        header("$", content.count)
        bytes.append(contentsOf: content)
        raw("\r\n")
    }

    package mutating func bulk(_ text: String) { bulk(text.utf8) }

    package mutating func bulk(_ span: ByteSpan) { bulk(UnsafeBufferPointer(start: span.start, count: span.count)) }

    package mutating func command(_ words: [String]) {
        array(words.count)
        for word in words { bulk(word) }
    }

    package mutating func command(_ words: [[UInt8]]) {
        array(words.count)
        for word in words { bulk(word) }
    }

    private mutating func header(_ mark: StaticString, _ value: Int) {
        raw(mark)
        bytes.append(contentsOf: String(value).utf8)
        raw("\r\n")
    }
}
