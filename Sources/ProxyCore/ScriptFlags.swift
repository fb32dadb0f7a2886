import RESP

/// What scripts and functions say of themselves.
package enum ScriptFlags {
    /// - Parameter body: A script. One without a first line `#!lua flags=…` says nothing and may do anything.
    /// - Returns: True for `no-writes`: the shard lets it do no more than read.
    package static func onlyReads(_ body: some Sequence<UInt8>) -> Bool {
        let line = body.prefix { $0 != 10 }
        var words = Array(line).split(separator: 32)
        guard !words.isEmpty, words.removeFirst().starts(with: "#!".utf8) else { return false }
        return words.contains { word in
            guard word.starts(with: "flags=".utf8) else { return false }
            return word.dropFirst(6).split(separator: UInt8(ascii: ",")).contains { $0.elementsEqual("no-writes".utf8) }
        }
    }

    /// - Parameter reply: A shard's to FUNCTION LIST.
    /// - Returns: Names of the functions that only read.
    package static func readOnlyFunctions(_ reply: [UInt8]) -> Set<[UInt8]> {
        var names: Set<[UInt8]> = []
        for library in ReplyValue(reply)?.elements ?? [] {
            for function in library["functions"]?.elements ?? [] {
                let flags = function["flags"]?.elements.compactMap(\.text) ?? []
                if flags.contains("no-writes"), case .text(let name)? = function["name"] { names.insert(name) }
            }
        }
        return names
    }
}
