import Testing
import WatchdogProtocol
import WatchdogService

@Suite struct Settings {
    @Test func commentsBlanksAndForeignKeysAreAccepted() throws {
        let settings = try NodeSettings(
            parsing: "# made by tarn\n\nprefix = /\n address=10.0.0.1\nsupervisor = systemd \nopenssl\t= package\r\n")
        #expect(settings == NodeSettings(supervisor: .systemd, openSSL: .package))
    }

    @Test func wrongValuesAreNamed() {
        let error = #expect(throws: WatchdogError.self) { try NodeSettings(parsing: "supervisor = upstart") }
        #expect(error?.message == "supervisor = upstart: self, systemd or container is accepted")
        #expect(throws: WatchdogError.self) { try NodeSettings(parsing: "supervisor\n") }
    }

    @Test func theLibraryPathFollowsTheInstallersChoiceAndAProcessMayOverrideIt() {
        let layout = NodeLayout(prefix: "/p")
        func libraries(_ openSSL: NodeSettings.OpenSSL, _ specification: ProcessSpecification) -> String? {
            OwnProcesses.environment(
                of: specification, NodeSettings(supervisor: .own, openSSL: openSSL), layout
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

    @Test func theRootPrefixHasNoDoubleSlash() {
        #expect(NodeLayout(prefix: "/").socket == "/run/tarn/watchdog.sock")
        #expect(NodeLayout(prefix: "/a/b").log(of: "etcd") == "/a/b/var/log/tarn/etcd.log")
    }
}
