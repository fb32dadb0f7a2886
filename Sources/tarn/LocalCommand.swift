import ArgumentParser
import FoundationEssentials
import Glibc
import HostControl
import InstallerService
import NodeLayout
import PackageArchive

/// What the verbs that work on this machine, without a cluster, have in common.
enum LocalCommand {
    private struct Failure: Encodable {
        struct Detail: Encodable {
            var code: String
            var message: String
        }
        var error: Detail
    }

    /// Runs a verb and turns its errors into text, or with `--json` into `{"error": {"code": …, "message": …}}`;
    /// the exit status is 1 either way.
    static func run(json: Bool, _ body: () throws -> Void) throws {
        do {
            try body()
        } catch {
            let detail: Failure.Detail
            switch error {
            case let error as PackageError:
                detail = Failure.Detail(code: error.code.rawValue, message: error.message)
            case let error as InstallerError:
                detail = Failure.Detail(code: error.code.rawValue, message: error.message)
            case let error as HostError: detail = Failure.Detail(code: error.code.rawValue, message: error.message)
            default: throw error
            }
            if json {
                try printJSON(Failure(error: detail))
            } else {
                printToStandardError("Error: \(detail.message) [\(detail.code)]")
            }
            throw ExitCode(1)
        }
    }

    static func printJSON(_ value: some Encodable) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        print(String(decoding: try encoder.encode(value), as: UTF8.self))
    }

    static func printToStandardError(_ text: String) {
        let line = Array((text + "\n").utf8)
        _ = write(2, line, line.count)
    }

    static func absolute(_ path: String) -> String {
        if path.hasPrefix("/") { return path }
        return FileManager.default.currentDirectoryPath + "/" + path
    }

    static func environment(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }

    static var isInteractive: Bool { isatty(0) == 1 && isatty(1) == 1 }

    static func ask(_ question: String) -> Bool {
        print("\(question) [y/N] ", terminator: "")
        fflush(nil)
        return ["y", "yes"].contains((readLine() ?? "").lowercased())
    }

    /// Which keys may have signed a package: the given one alone, else the one that this program carries and those
    /// that the administrator put under the prefix (docs/adr/0004-who-trusts-a-package.md).
    static func trustedKeys(given: String?, prefix: String?) throws -> [PublicKey] {
        if let given { return [try PublicKey(file: given)] }
        var keys: [PublicKey] = []
        if let key = ReleaseKey.carried() { keys.append(key) }
        let directory = NodePaths(prefix: prefix ?? "/").trustedKeys
        for name in HostFile.names(in: directory) where name.hasSuffix(".pub") {
            keys.append(try PublicKey(file: "\(directory)/\(name)"))
        }
        return keys
    }
}

struct JSONOption: ParsableArguments {
    @Flag(help: "Print one JSON object instead of text.")
    var json = false
}
