import CLinux
import Glibc
import WatchdogProtocol

/// A child that has been forked and waits at its gate, before its program.
struct ForkedProcess {
    fileprivate var spawn: clinux_spawn
    var identity: ProcessIdentity
    var executable: String

    /// Ends the child before its program.
    func abandon() {
        close(spawn.gate)
        close(spawn.report)
        var exit = clinux_exit()
        _ = clinux_collect(identity.pid, 1, &exit)
    }

    /// Lets the child execute its program and waits until it has.
    mutating func release(directory: String) throws(WatchdogError) {
        let failure = clinux_spawn_release(&spawn)
        guard failure.stage != 0 else { return }
        var exit = clinux_exit()
        _ = clinux_collect(identity.pid, 1, &exit)
        let reason = String(cString: strerror(failure.error))
        switch UInt32(failure.stage) {
        case CLINUX_STAGE_EXECUTE.rawValue: throw WatchdogError(.spawn, "cannot execute \(executable): \(reason)")
        case CLINUX_STAGE_DIRECTORY.rawValue:
            throw WatchdogError(.spawn, "cannot start \(executable) in directory \(directory): \(reason)")
        case CLINUX_STAGE_LIMITS.rawValue:
            throw WatchdogError(.spawn, "cannot set the limits of \(executable): \(reason)")
        default: throw WatchdogError(.spawn, "cannot prepare the start of \(executable): \(reason)")
        }
    }
}

/// The C strings that the child reads; it has its own copy from the fork on.
private final class SpawnBlock {
    let executable: UnsafeMutablePointer<CChar>
    let directory: UnsafeMutablePointer<CChar>
    let arguments: UnsafeMutableBufferPointer<UnsafeMutablePointer<CChar>?>
    let environment: UnsafeMutableBufferPointer<UnsafeMutablePointer<CChar>?>

    init(_ specification: ProcessSpecification, environment variables: [String]) {
        executable = strdup(specification.executable)
        directory = strdup(specification.workingDirectory)
        arguments = Self.list([specification.executable] + specification.arguments)
        environment = Self.list(variables)
    }

    deinit {
        free(executable)
        free(directory)
        for list in [arguments, environment] {
            for text in list { free(text) }
            list.deallocate()
        }
    }

    private static func list(_ texts: [String]) -> UnsafeMutableBufferPointer<UnsafeMutablePointer<CChar>?> {
        let list = UnsafeMutableBufferPointer<UnsafeMutablePointer<CChar>?>.allocate(capacity: texts.count + 1)
        list.initialize(repeating: nil)
        for (index, text) in texts.enumerated() { list[index] = strdup(text) }
        return list
    }
}

enum Spawner {
    /// Forks; the child has its own session, log, limits and a clean signal state, and waits.
    static func fork(
        _ specification: ProcessSpecification, environment: [String], log path: String
    ) throws(WatchdogError) -> ForkedProcess {
        let output = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0o640)
        guard output >= 0 else { throw .system("open the log \(path)") }
        defer { close(output) }
        let block = SpawnBlock(specification, environment: environment)
        var spawn = clinux_spawn()
        spawn.executable = UnsafePointer(block.executable)
        spawn.directory = UnsafePointer(block.directory)
        spawn.arguments = UnsafePointer(block.arguments.baseAddress)
        spawn.environment = UnsafePointer(block.environment.baseAddress)
        spawn.output = output
        spawn.address_space = specification.addressSpaceLimitBytes
        spawn.open_files = specification.openFileLimit
        spawn.oom_score_adj = specification.outOfMemoryScore
        let error = withExtendedLifetime(block) { clinux_spawn_fork(&spawn) }
        guard error == 0 else { throw .system("fork for \(specification.executable)", error) }
        // The child is ours and not collected, so its entry in /proc is there even if it has died meanwhile.
        let identity = ProcessFacts.identity(of: spawn.pid) ?? ProcessIdentity(pid: spawn.pid, startTicks: 0)
        return ForkedProcess(spawn: spawn, identity: identity, executable: specification.executable)
    }
}
