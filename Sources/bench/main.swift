import Glibc

/// Compares Tarn's proxy with others on this machine. `dev bench proxy` builds it and runs it.
do {
    let options = try Options(Array(CommandLine.arguments.dropFirst()))
    try Benchmark(options).run()
} catch {
    Console.step("\(error)")
    exit(error.description.contains(Options.usage) ? 2 : 1)
}
