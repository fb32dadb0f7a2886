/// The rules. Each gives its findings; a warning is shown and does not fail.
enum LintRules {
    struct Finding {
        var text: String
        var isWarning = false
    }

    struct Rule: Sendable {
        var name: String
        var check: @Sendable (SourceTree) throws -> [Finding]
    }

    static let all = [
        Rule(name: "top level holds only what belongs there", check: topLevel),
        Rule(name: "every folder of Sources is a target", check: foldersAreTargets),
        Rule(name: "targets depend downwards", check: floors),
        Rule(name: "no Foundation where it does not belong", check: foundation),
        Rule(name: "nothing unfinished", check: unfinished),
        Rule(name: "no public declarations", check: noPublic),
        Rule(name: "lines within 120 columns, files of a readable length", check: lengths),
        Rule(name: "links in documents lead somewhere", check: DocumentLinks.check),
        Rule(name: "every target is described", check: describedTargets),
    ]

    private static let topLevelNames: Set<String> = [
        "Package.swift", "Package.resolved", "Sources", "Tests", "images", "compose", "ansible", "docs", "README.md",
        "LICENSE", "CHANGELOG.md", "CONTRIBUTING.md", ".gitignore", ".dockerignore", ".swift-format", ".ci",
    ]

    private static func topLevel(_ tree: SourceTree) -> [Finding] {
        let names = Set(tree.files.map { String($0.prefix { $0 != "/" }) })
        return names.subtracting(topLevelNames).sorted().map {
            Finding(text: "\($0): not a thing of the top level (docs/development.md lists them)")
        }
    }

    private static func foldersAreTargets(_ tree: SourceTree) -> [Finding] {
        Files.list(tree.root + "/Sources").filter { tree.manifest.targets[$0] == nil }.map {
            Finding(text: "Sources/\($0): no target in Package.swift")
        }
    }

    /// Never up; on one floor only on a target that stands earlier in the manifest.
    private static func floors(_ tree: SourceTree) -> [Finding] {
        let targets = tree.manifest.targets
        guard !targets.isEmpty else { return [Finding(text: "Package.swift: no targets recognised")] }
        return targets.values.sorted { $0.order < $1.order }.flatMap { target in
            target.dependencies.compactMap { name in
                guard let other = targets[name], (other.floor, other.order) > (target.floor, target.order)
                else { return nil }
                return Finding(
                    text: "\(target.name) (floor \(target.floor)) depends on \(name) (floor \(other.floor)), "
                        + "which is above it or later on its floor")
            }
        }
    }

    /// Full Foundation brings 40 MB of ICU data into a static program; the data path and the watchdog have none at
    /// all, nor have the pure floors.
    private static func foundation(_ tree: SourceTree) -> [Finding] {
        let manifest = tree.manifest
        let bare = manifest.closure(of: "tarn-proxy").union(manifest.closure(of: "tarn-watchdog"))
            .union(manifest.targets.values.filter { $0.floor <= 2 }.map(\.name))
        return tree.swiftFiles.filter { $0.path.hasPrefix("Sources/") }.flatMap { file in
            imports(of: file).compactMap { module, line in
                switch module {
                case "Foundation":
                    Finding(text: "\(file.path):\(line): import FoundationEssentials, not Foundation")
                case "FoundationEssentials" where bare.contains(file.target):
                    Finding(text: "\(file.path):\(line): \(file.target) has to do without Foundation")
                default: nil
                }
            }
        }
    }

    private static func imports(of file: SourceTree.SwiftFile) -> [(module: Substring, line: Int)] {
        file.lines.enumerated().compactMap { number, line in
            let words = line.split(separator: " ")
            guard let place = words.firstIndex(of: "import"), place <= 2, place + 1 < words.count,
                words[..<place].allSatisfy({ ["package", "internal", "private", "@preconcurrency"].contains($0) })
            else { return nil }
            return (words[place + 1], number + 1)
        }
    }

    private static func unfinished(_ tree: SourceTree) -> [Finding] {
        // Written so that this file does not find itself.
        let marks = ["TO" + "DO", "FIX" + "ME", "XX" + "X:", "HA" + "CK", "not " + "implemented", "unimple" + "mented"]
        return tree.swiftFiles.flatMap { file in
            file.lines.enumerated().compactMap { number, line in
                marks.first(where: { line.contains($0) }).map { Finding(text: "\(file.path):\(number + 1): \($0)") }
            }
        }
    }

    private static func noPublic(_ tree: SourceTree) -> [Finding] {
        tree.swiftFiles.filter { $0.path.hasPrefix("Sources/") }.flatMap { file in
            file.lines.enumerated().compactMap { number, line in
                line.drop { $0 == " " }.hasPrefix("public ")
                    ? Finding(text: "\(file.path):\(number + 1): package is enough, we ship programs") : nil
            }
        }
    }

    private static func lengths(_ tree: SourceTree) -> [Finding] {
        tree.swiftFiles.flatMap { file in
            var findings = file.lines.enumerated().compactMap { number, line in
                line.count > 120 ? Finding(text: "\(file.path):\(number + 1): \(line.count) columns") : nil
            }
            if file.lines.count > 320 {
                findings.append(
                    Finding(text: "\(file.path): \(file.lines.count) lines; several ideas?", isWarning: true))
            }
            return findings
        }
    }

    private static func describedTargets(_ tree: SourceTree) -> [Finding] {
        let text = tree.files.filter { $0.hasPrefix("docs/") && $0.hasSuffix(".md") }
            .compactMap { Files.text("\(tree.root)/\($0)") }.joined()
        return tree.manifest.targets.keys.sorted().filter { !text.contains("`\($0)`") }.map {
            Finding(text: "\($0): no document in docs/ mentions it; docs/development.md has the list")
        }
    }
}
