extension NodeSettings {
    /// - Parameter paths: Those of the prefix that the file was found under: the prefix when the file names none, and
    ///   the file's name in errors.
    /// - Throws: ``NodeSettingsError`` for a line that is no `key = value`, or a known key with an odd value.
    package init(parsing text: String, of paths: NodePaths) throws(NodeSettingsError) {
        self.init(prefix: paths.prefix, address: nil)
        // Not split at "\n": with a carriage return before it, it is another Character.
        let lines = text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
        for (index, line) in lines.enumerated() {
            let line = Self.trimmed(line)
            if line.isEmpty || line.hasPrefix("#") { continue }
            guard let equals = line.firstIndex(of: "=") else {
                throw NodeSettingsError(
                    path: paths.settings, problem: "line \(index + 1) is `\(line)`; accepted: `key = value`")
            }
            let key = String(Self.trimmed(line[..<equals]))
            let value = String(Self.trimmed(line[line.index(after: equals)...]))
            guard let accepted = set(key, to: value) else { continue }
            throw NodeSettingsError(path: paths.settings, problem: "`\(key) = \(value)`; accepted: \(accepted)")
        }
    }

    /// - Returns: Nil when all is well, else what the key accepts.
    private mutating func set(_ key: String, to value: String) -> String? {
        switch key {
        case "prefix":
            guard value.hasPrefix("/") else { return "an absolute path" }
            prefix = NodePaths(prefix: value).prefix
        case "address":
            guard Self.isIPv4(value) else { return "an IPv4 address" }
            address = value
        case "supervisor": return Self.choose(value, &supervisor)
        case "openssl": return Self.choose(value, &openSSL)
        default: break
        }
        return nil
    }

    private static func choose<Choice: RawRepresentable<String> & CaseIterable>(
        _ value: String, _ place: inout Choice
    ) -> String? {
        guard let choice = Choice(rawValue: value) else {
            return Choice.allCases.map(\.rawValue).joined(separator: ", ")
        }
        place = choice
        return nil
    }

    /// Four decimal numbers up to 255 without leading zeros, as `inet_pton` takes them.
    private static func isIPv4(_ text: String) -> Bool {
        let parts = text.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        return parts.count == 4
            && parts.allSatisfy { part in
                (1...3).contains(part.count)
                    && part.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
                    && (part.count == 1 || part.first != UInt8(ascii: "0")) && UInt8(Substring(part)) != nil
            }
    }

    private static func trimmed(_ text: Substring) -> Substring {
        let isBlank: (Character) -> Bool = { $0 == " " || $0 == "\t" }
        var text = text.drop(while: isBlank)
        while let last = text.last, isBlank(last) { text.removeLast() }
        return text
    }
}
