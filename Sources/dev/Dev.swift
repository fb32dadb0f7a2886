import Glibc

/// The developer's verbs: everything from a fresh clone to a running cluster and a full test run.
///
/// It has no dependency, so that `swift run dev` starts in seconds on a machine that has nothing but Swift, and then
/// fetches what the rest needs.
@main
struct Dev {
    static func main() {
        Console.begin()
        Interruption.install()
        do {
            let words = Array(CommandLine.arguments.dropFirst())
            if words.first == "bench" {
                try BenchVerb(Array(words.dropFirst())).run()
            } else {
                try run(try Arguments(words))
            }
        } catch let failure as Failure {
            Console.clearProgress()
            Console.error("dev: \(failure.message)")
            leave(failure.exitCode)
        } catch is TestsFailed {
            leave(1)
        } catch {
            Console.error("dev: \(error)")
            leave(1)
        }
        leave(0)
    }

    private static func run(_ arguments: Arguments) throws {
        switch arguments.verb {
        case "up": try UpVerb(arguments).run()
        case "down": try DownVerb(arguments).run()
        case "status": try StatusVerb(arguments).run()
        case "test": try TestVerb(arguments).run()
        case "lint": try LintVerb(arguments).run()
        case "format": try FormatVerb(arguments).run()
        case "fuzz": try FuzzVerb(arguments).run()
        case "redis-suite": try RedisSuiteVerb(arguments).run()
        case "faults": try FaultsVerb(arguments).run()
        case "package": try PackageVerb(arguments).run()
        case "image": try ImageVerb(arguments).run()
        case "help", "--help", "-h": Console.out(Help.text)
        default: throw Failure(.usage, "no verb \"\(arguments.verb)\"; `swift run dev help` lists them")
        }
    }

    private static func leave(_ code: Int32) -> Never {
        CleanUp.runAll()
        exit(code)
    }
}
