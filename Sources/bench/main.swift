import Glibc

/// Compares Tarn's proxy with others on this machine. `dev bench proxy` builds it and runs it.
do {
    let arguments = Array(CommandLine.arguments.dropFirst())
    if arguments.contains("--help") || arguments.contains("help") {
        Console.out(Options.usage)
        exit(0)
    }
    let options = try Options(arguments)
    try Benchmark(options).run()
} catch {
    Console.step("\(error)")
    exit(error.description.contains(Options.usage) ? 2 : 1)
}
