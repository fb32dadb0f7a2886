/// Relative links of the Markdown files.
enum DocumentLinks {
    static func check(_ tree: SourceTree) -> [LintRules.Finding] {
        tree.files.filter { $0.hasSuffix(".md") }.flatMap { path in
            links(in: Files.text("\(tree.root)/\(path)") ?? "").compactMap { link in
                let folder = path.split(separator: "/").dropLast().joined(separator: "/")
                let target = String(link.prefix { $0 != "#" })
                guard !target.isEmpty, !link.contains("://"), !link.hasPrefix("mailto:") else { return nil }
                let full = [tree.root, folder, target].filter { !$0.isEmpty }.joined(separator: "/")
                return Files.exists(full) ? nil : LintRules.Finding(text: "\(path): \(link) leads nowhere")
            }
        }
    }

    /// The targets of `[text](target)`, code blocks left out.
    static func links(in text: String) -> [String] {
        var isCode = false
        var found: [String] = []
        for line in text.split(separator: "\n") {
            if line.hasPrefix("```") { isCode.toggle() }
            var rest = isCode ? "" : line
            while let opening = rest.firstRange(of: "](") {
                rest = rest[opening.upperBound...]
                found.append(String(rest.prefix { $0 != ")" }))
            }
        }
        return found
    }
}
