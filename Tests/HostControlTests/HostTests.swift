import Glibc
import HostControl
import Primitives
import Testing

@Suite struct HostTests {
    @Test func versionsCompareByNumber() throws {
        #expect(try #require(LibraryVersion("3.0.9")) < #require(LibraryVersion("3.0.17")))
        #expect(LibraryVersion("2.36") == LibraryVersion("2.36.0"))
        #expect(LibraryVersion("3.0.2-beta1")?.numbers == [3, 0, 2])
        #expect(LibraryVersion("") == nil && LibraryVersion("x1") == nil)
    }

    @Test func theSystemsOpenSSLTellsItsVersion() throws {
        let path = try #require(SharedLibraries.ofThisMachine(.x86_64).locate("libcrypto.so.3"))
        #expect(LibraryVersion.ofOpenSSL(libraryFile: path)?.numbers.first == 3)
        #expect(LibraryVersion.ofOpenSSL(libraryFile: "/usr/bin/redis-server") == nil)
    }

    @Test func aFileIsReplacedWholeWithTheModeAskedFor() throws {
        let path = "/tmp/tarn-host-\(getpid())"
        defer { unlink(path) }
        try HostFile.write("one".utf8, to: path, mode: 0o644)
        try HostFile.write("two".utf8, to: path, mode: 0o600)
        #expect(HostFile.text(path) == "two")
        var information = stat()
        stat(path, &information)
        #expect(information.st_mode & 0o777 == 0o600)
        #expect(!HostFile.names(in: "/tmp").contains { $0.hasPrefix("tarn-host-\(getpid()).new") })
    }

    @Test func theNewestThatWasSetAsideIsKept() throws {
        let directory = "/tmp/tarn-aside-\(getpid())"
        defer { try? HostFile.removeTree(directory) }
        for (number, reason) in ["broken", "left", "broken", "broken"].enumerated() {
            try HostFile.makeDirectory("\(directory)/store/member")
            try HostFile.write("\(number)".utf8, to: "\(directory)/store/member/log", mode: 0o600)
            let time = WallTime(milliseconds: Int64(number) * 1000)
            let name = try HostFile.setAside("\(directory)/store", reason: reason, at: time)
            #expect(HostFile.text("\(name)/member/log") == "\(number)")
        }
        #expect(HostFile.names(in: directory) == ["store.broken-3", "store.left-1"])
        #expect(throws: HostError.self) {
            try HostFile.setAside("\(directory)/store", reason: "broken", at: WallTime(milliseconds: 9000))
        }
        #expect(HostFile.names(in: directory) == ["store.broken-3", "store.left-1"])
    }

    @Test func portsAreFreeInUseOrElsewhere() throws {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        inet_pton(AF_INET, "127.0.61.1", &address.sin_addr)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                _ = bind(descriptor, $0, length)
                listen(descriptor, 1)
                getsockname(descriptor, $0, &length)
            }
        }
        let port = UInt16(bigEndian: address.sin_port)
        #expect(NetworkProbe.state(of: port, on: "127.0.61.1") == .inUse)
        #expect(NetworkProbe.state(of: port, on: "127.0.61.2") == .free)
        #expect(NetworkProbe.state(of: port, on: "192.0.2.1") == .addressMissing)
        #expect(NetworkProbe.accepts("127.0.61.1", port: port))
        #expect(!NetworkProbe.accepts("127.0.61.2", port: port))
    }

    @Test func portRangesAreRead() {
        #expect(HostFacts.portRanges("8080,9000-9100") == [8080...8080, 9000...9100])
        #expect(HostFacts.portRanges("") == [])
        #expect(HostFacts.portRanges("9-1,x") == [])
    }

    @Test func aProgramsOutputAndStatusComeBackAndTimeIsBounded() throws {
        let outcome = try Subprocess.run("sh", ["-c", "echo out; echo err >&2; exit 3"])
        #expect(outcome.status == 3)
        #expect(outcome.output == "out\nerr\n")
        #expect(try Subprocess.run("sleep", ["100"], timeout: .milliseconds(50)).status == 137)
        #expect(throws: HostError(.process, "")) { try Subprocess.run("/nowhere/program", []) }
    }

    @Test func onlyProcessesUnderTheDirectoryAreFound() throws {
        let directory = "/tmp/tarn-process-\(getpid())"
        try HostFile.makeDirectory("\(directory)/bin")
        defer { _ = try? Subprocess.run("rm", ["-r", directory]) }
        try HostFile.write("#!/bin/sh\nsleep 100\nexit 0\n".utf8, to: "\(directory)/bin/keeper", mode: 0o755)
        let pid = try Subprocess.start("\(directory)/bin/keeper", [], log: "/dev/null")
        defer {
            _ = try? Subprocess.run("pkill", ["-9", "-P", "\(pid)"])
            kill(pid, SIGKILL)
        }
        let deadline = ContinuousClock.now + .seconds(10)
        var found: [RunningProcess] = []
        repeat { found = RunningProcess.all(under: directory) } while found.isEmpty && ContinuousClock.now < deadline
        #expect(found.map(\.pid) == [pid] && found.first?.name == "keeper")
        #expect(RunningProcess.all(under: directory + "/bin/keep").isEmpty)
        kill(pid, SIGKILL)
        while RunningProcess.isAlive(pid), ContinuousClock.now < deadline { sched_yield() }
        #expect(!RunningProcess.isAlive(pid))  // A zombie: nobody has waited for it yet.
    }

    @Test func thisMachineTellsItsFacts() {
        let facts = HostFacts.ofThisMachine(prefix: "/nowhere/yet")
        #expect(facts.memory > .zero && facts.freeDisk > .zero && facts.processorCount > 0)
        #expect(facts.glibc.numbers.first == 2)
        #expect(NetworkProbe.addresses().contains("127.0.0.1"))
    }
}
