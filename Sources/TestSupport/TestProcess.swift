import FoundationEssentials
import Glibc

/// A real program under test. Killed when the object goes.
package final class TestProcess: Sendable {
    package let pid: Int32

    /// - Parameter log: file that both outputs are appended to.
    package init(_ executable: String, _ arguments: [String], environment: [String: String] = [:], log: String) throws {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, log, O_WRONLY | O_CREAT | O_APPEND, 0o644)
        posix_spawn_file_actions_adddup2(&actions, 1, 2)
        let variables = ["PATH": "/usr/local/bin:/usr/bin:/bin"].merging(environment) { $1 }
        var argv = ([executable] + arguments).map { strdup($0) } + [nil]
        var environ = variables.map { strdup("\($0)=\($1)") } + [nil]
        defer { (argv + environ).forEach { free($0) } }
        var pid: pid_t = 0
        let result = posix_spawnp(&pid, executable, &actions, nil, &argv, &environ)
        guard result == 0 else { throw Violation("can't start \(executable): \(String(cString: strerror(result)))") }
        self.pid = pid
    }

    deinit { kill() }

    package func signal(_ number: Int32) { Glibc.kill(pid, number) }

    /// Memory it has in RAM now.
    package func residentBytes() throws -> Int {
        let text = try String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8)
        let line = text.split(separator: "\n").first { $0.hasPrefix("VmRSS:") }
        guard
            let kilobytes = line?.split(whereSeparator: { $0 == " " || $0 == "\t" }).dropFirst().first.flatMap({
                Int($0)
            })
        else { throw Violation("no VmRSS of \(pid)") }
        return kilobytes << 10
    }

    /// Returns when it is gone; a stopped one dies, too.
    package func kill() {
        signal(SIGKILL)
        var status: Int32 = 0
        waitpid(pid, &status, 0)
    }
}

/// A directory that lives as long as the object.
package final class TestDirectory: Sendable {
    package let path: String

    package init() throws {
        // What mkdtemp wants at the end, to put a name in its place.
        let placeholder = String(repeating: "X", count: 6)
        var template = Array("/tmp/tarn-test-\(placeholder)".utf8CString)
        guard mkdtemp(&template) != nil else { throw Violation("no temporary directory") }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit {
        try? FileManager.default.removeItem(atPath: path)
    }

    package func makeDirectory(_ name: String) throws -> String {
        let full = "\(path)/\(name)"
        guard mkdir(full, 0o700) == 0 else { throw Violation("can't make \(full)") }
        return full
    }

    package func write(_ text: String, to name: String) throws {
        let descriptor = open("\(path)/\(name)", O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        guard descriptor >= 0 else { throw Violation("can't write \(path)/\(name)") }
        defer { close(descriptor) }
        let bytes = Array(text.utf8)
        guard Glibc.write(descriptor, bytes, bytes.count) == bytes.count else { throw Violation("short write") }
    }
}
