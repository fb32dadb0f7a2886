import Glibc
import WatchdogProtocol

/// Where the programs of this build are: beside the test bundle's own.
let programDirectory: String = {
    var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
    let count = max(0, readlink("/proc/self/exe", &buffer, buffer.count))
    let path = String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    return String(path[..<(path.lastIndex(of: "/") ?? path.endIndex)])
}()

/// Starts a program, output to a file; the caller collects it.
func spawnProgram(_ words: [String], output: String) throws -> pid_t {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY | O_CREAT | O_APPEND, 0o600)
    posix_spawn_file_actions_adddup2(&actions, 1, 2)
    let arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
    defer { for argument in arguments { free(argument) } }
    var pid: pid_t = 0
    let error = posix_spawnp(&pid, words[0], &actions, nil, arguments, environ)
    guard error == 0 else { throw Expired(what: "start of \(words[0])", last: String(cString: strerror(error))) }
    return pid
}

func temporaryDirectory() throws -> String {
    guard let template = strdup("/tmp/tarn-watchdog-XXXXXX") else { throw Expired(what: "memory", last: "none") }
    defer { free(template) }
    guard let path = mkdtemp(template) else {
        throw Expired(what: "temporary directory", last: String(cString: strerror(errno)))
    }
    return String(cString: path)
}

/// Runs a program to its end.
///
/// - Returns: Its exit status, and what it printed.
func runProgram(_ program: String, _ arguments: [String]) throws -> (status: Int32, output: String) {
    let directory = try temporaryDirectory()
    let output = "\(directory)/output"
    defer {
        unlink(output)
        rmdir(directory)
    }
    let pid = try spawnProgram([program] + arguments, output: output)
    var status: Int32 = 0
    while waitpid(pid, &status, 0) < 0, errno == EINTR {}
    return (status & 0x7F == 0 ? status >> 8 & 0xFF : -(status & 0x7F), contentOfFile(output) ?? "")
}

func contentOfFile(_ path: String) -> String? {
    guard let file = fopen(path, "r") else { return nil }
    defer { fclose(file) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 1 << 14)
    while case let count = fread(&chunk, 1, chunk.count, file), count > 0 { bytes += chunk[..<count] }
    return String(decoding: bytes, as: UTF8.self)
}

/// Fields of /proc/<pid>/stat after the name: state first, then the parent's pid.
func processFacts(_ pid: Int32) -> (state: String, parent: Int32)? {
    guard let fields = contentOfFile("/proc/\(pid)/stat")?.split(separator: ")").last?.split(separator: " "),
        fields.count > 1, let parent = Int32(fields[1])
    else { return nil }
    return (String(fields[0]), parent)
}

func processes(mentioning text: String, in file: String) -> [Int32] {
    guard let directory = opendir("/proc") else { return [] }
    defer { closedir(directory) }
    var pids: [Int32] = []
    while let entry = readdir(directory) {
        let name = withUnsafePointer(to: &entry.pointee.d_name) {
            $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
        }
        guard let pid = Int32(name), pid != getpid() else { continue }
        if contentOfFile("/proc/\(pid)/\(file)")?.contains(text) == true { pids.append(pid) }
    }
    return pids
}

/// Children as the kernel lists them, zombies included.
func children(of pid: Int32) -> [Int32] {
    (contentOfFile("/proc/\(pid)/task/\(pid)/children") ?? "").split(separator: " ").compactMap { Int32($0) }
}

/// Gone, or dead and waiting for whoever is its parent.
func isDead(_ pid: Int32) -> Bool { processFacts(pid).map { $0.state == "Z" || $0.state == "X" } ?? true }

func shell(
    _ name: String, _ script: String, _ restart: ProcessSpecification.Restart = .never,
    stopTimeoutMilliseconds: UInt32 = 5000, phase: UInt8 = 30
) -> ProcessSpecification {
    ProcessSpecification(
        name: name, executable: "/bin/sh", arguments: ["-c", script], restart: restart,
        stopTimeoutMilliseconds: stopTimeoutMilliseconds, stopPhase: phase)
}

func isExit(of name: String) -> (WatchdogReply) -> Bool {
    { if case .exited(let status) = $0 { status.name == name } else { false } }
}

func isRestart(of name: String) -> (WatchdogReply) -> Bool {
    { if case .restarted(let status) = $0 { status.name == name } else { false } }
}
