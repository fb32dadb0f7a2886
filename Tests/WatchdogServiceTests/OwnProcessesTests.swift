import Glibc
import NodeLayout
import Testing
import WatchdogProtocol
import WatchdogService

@Suite struct OwnProcessesTests {
    @Test func theLibraryPathFollowsTheInstallersChoiceAndAProcessMayOverrideIt() {
        let paths = NodePaths(prefix: "/p")
        func libraries(_ openSSL: NodeSettings.OpenSSLOrigin, _ specification: ProcessSpecification) -> String? {
            OwnProcesses.environment(
                of: specification, NodeSettings(prefix: "/p", address: nil, openSSL: openSSL), paths
            ).first { $0.hasPrefix("LD_LIBRARY_PATH=") }
        }
        #expect(libraries(.system, process("x")) == "LD_LIBRARY_PATH=/p/opt/tarn/current/lib")
        #expect(
            libraries(.package, process("x"))
                == "LD_LIBRARY_PATH=/p/opt/tarn/current/lib:/p/opt/tarn/current/lib/openssl")
        var own = process("x")
        own.environment = ["LD_LIBRARY_PATH": "/mine"]
        #expect(libraries(.package, own) == "LD_LIBRARY_PATH=/mine")
    }

    /// The manager hands primaries over while every proxy is there to hold their requests, and is told why it ends.
    @Test func theManagerStopsFirst() {
        let own = OwnProcesses.specifications(NodePaths(prefix: "/p")).sorted { $0.stopPhase < $1.stopPhase }
        #expect(own.map(\.name) == ["manager", "proxy"])
        #expect(own.map(\.stopSignal) == [SIGUSR2, SIGTERM])
    }
}
