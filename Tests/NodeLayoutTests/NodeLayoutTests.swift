import NodeLayout
import Testing

@Suite struct NodeSettingsTests {
    private func parse(_ text: String) throws -> NodeSettings {
        try NodeSettings(parsing: text, of: NodePaths(prefix: "/found"))
    }

    @Test func commentsBlanksCarriageReturnsAndForeignKeysAreAccepted() throws {
        let text = "# by tarn\n\nprefix = /srv/one/\r\n  address=10.1.2.3\t\nsupervisor = systemd \n"
        #expect(
            try parse(text + "openssl\t= package\r\nsomething = newer\n")
                == NodeSettings(prefix: "/srv/one", address: "10.1.2.3", supervisor: .systemd, openSSL: .package))
    }

    @Test func whatIsNotSaidHasADefaultOrIsAskedFor() throws {
        let settings = try parse("supervisor = self\n")
        #expect(settings == NodeSettings(prefix: "/found", address: nil, supervisor: .itself, openSSL: .system))
        let error = #expect(throws: NodeSettingsError.self) { try settings.requiredAddress }
        #expect(error?.description == "/found/etc/tarn/node.conf: `address = <IPv4 address>` is missing")
    }

    @Test(arguments: [
        ("supervisor = upstart", "`supervisor = upstart`; accepted: systemd, self, container"),
        ("openssl = ours", "`openssl = ours`; accepted: system, package"),
        ("address = db1", "`address = db1`; accepted: an IPv4 address"),
        ("address = 10.0.0.256", "`address = 10.0.0.256`; accepted: an IPv4 address"),
        ("address = 10.0.0.01", "`address = 10.0.0.01`; accepted: an IPv4 address"),
        ("address = 10.0.0", "`address = 10.0.0`; accepted: an IPv4 address"),
        ("address = 10.0.0.+1", "`address = 10.0.0.+1`; accepted: an IPv4 address"),
        ("address =", "`address = `; accepted: an IPv4 address"),
        ("prefix = srv", "`prefix = srv`; accepted: an absolute path"),
        ("\naddress 10.1.2.3", "line 2 is `address 10.1.2.3`; accepted: `key = value`"),
    ])
    func errorsNameTheKeyAndWhatItAccepts(text: String, problem: String) {
        let error = #expect(throws: NodeSettingsError.self) { try parse(text) }
        #expect(error == NodeSettingsError(path: "/found/etc/tarn/node.conf", problem: problem))
    }

    @Test(arguments: [
        NodeSettings(prefix: "/", address: "10.0.0.1", supervisor: .systemd, openSSL: .package),
        NodeSettings(prefix: "/srv/a", address: nil, supervisor: .container, openSSL: .system),
    ])
    func settingsSurviveTheirText(settings: NodeSettings) throws {
        #expect(try parse(settings.text) == settings)
    }
}

@Suite struct NodePathsTests {
    @Test func theRootPrefixHasNoDoubleSlashAndKeepsItsName() {
        let root = NodePaths(prefix: "/")
        #expect(root.watchdogSocket == "/run/tarn/watchdog.sock")
        #expect(root.prefix == "/" && root.isSystem)
    }

    @Test func slashesAtTheEndDoNotMatter() {
        let paths = NodePaths(prefix: "/n1//")
        #expect(paths == NodePaths(prefix: "/n1"))
        #expect(paths.prefix == "/n1" && !paths.isSystem)
        #expect(paths.program("redis-server") == "/n1/opt/tarn/current/bin/redis-server")
        #expect(paths.log(of: "etcd") == "/n1/var/log/tarn/etcd.log")
    }
}
