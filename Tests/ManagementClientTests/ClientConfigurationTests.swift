import FoundationEssentials
import HTTPTransport
import ManagementClient
import Testing

struct ClientConfigurationTests {
    private func sources(_ change: (inout ConfigurationSources) -> Void) -> ConfigurationSources {
        var sources = ConfigurationSources()
        change(&sources)
        return sources
    }

    private let saved = SavedCluster(
        url: "https://saved", caCertificate: "SAVED-CA", user: "saved@x", password: "saved-pw")
    private let node = ConfigurationSources.Node(address: "10.9.9.9", caCertificate: "NODE-CA")

    private func host(_ configuration: ClientConfiguration) -> String { configuration.endpoints[0].host }

    @Test func nothingKnownIsWrongUsage() {
        let failure = #expect(throws: ClientFailure.self) { try ClientConfiguration(ConfigurationSources()) }
        #expect(failure?.kind == .usage)
    }

    @Test func addressComesFromFlagsThenPrefixThenEnvironmentThenSavedThenNode() throws {
        var all = sources {
            $0.flags.url = "https://flag"
            $0.flags.prefix = "/p"
            $0.environment = ["TARN_URL": "https://variable"]
            $0.saved = saved
            $0.node = node
        }
        #expect(host(try ClientConfiguration(all)) == "flag")
        all.flags.url = nil
        #expect(host(try ClientConfiguration(all)) == "10.9.9.9")
        all.flags.prefix = nil
        #expect(host(try ClientConfiguration(all)) == "variable")
        all.environment = [:]
        #expect(host(try ClientConfiguration(all)) == "saved")
        all.saved = nil
        #expect(host(try ClientConfiguration(all)) == "10.9.9.9")
    }

    @Test func trustFollowsTheAddress() throws {
        var all = sources {
            $0.saved = saved
            $0.node = node
        }
        #expect(try ClientConfiguration(all).trust == .pem("SAVED-CA"))
        all.flags.prefix = "/p"
        all.environment = ["TARN_CA": "/other/cluster.pem"]
        #expect(try ClientConfiguration(all).trust == .pem("NODE-CA"))
        all.flags.prefix = nil
        #expect(try ClientConfiguration(all).trust == .file("/other/cluster.pem"))
        all.flags.ca = "/flag.pem"
        #expect(try ClientConfiguration(all).trust == .file("/flag.pem"))
        all.flags.isInsecure = true
        #expect(try ClientConfiguration(all).trust == .anybody)
        let unknown = sources {
            $0.flags.url = "https://elsewhere"; $0.saved = saved
        }
        #expect(try ClientConfiguration(unknown).trust == .system)
    }

    @Test func savedCredentialsStayWithTheirCluster() throws {
        let own = sources { $0.saved = saved }
        #expect(try ClientConfiguration(own).user == "saved@x")
        #expect(try ClientConfiguration(own).password == .text("saved-pw"))

        let elsewhere = sources {
            $0.saved = saved; $0.flags.url = "https://elsewhere"
        }
        #expect(try ClientConfiguration(elsewhere).user == nil)
        #expect(try ClientConfiguration(elsewhere).password == nil)

        let otherNode = sources {
            $0.saved = saved; $0.flags.prefix = "/p"; $0.node = node
        }
        #expect(try ClientConfiguration(otherNode).password == nil)

        var sameCluster = otherNode
        sameCluster.node?.caCertificate = "SAVED-CA"
        #expect(try ClientConfiguration(sameCluster).password == .text("saved-pw"))

        let unchecked = sources {
            $0.saved = saved; $0.flags.url = "https://elsewhere"; $0.flags.isInsecure = true
        }
        #expect(try ClientConfiguration(unchecked).password == nil)
    }

    @Test func credentialsComeFromFlagsThenEnvironmentThenSaved() throws {
        var all = sources {
            $0.saved = saved
            $0.flags.user = "flag@x"
            $0.flags.passwordFile = "/flag"
            $0.environment = ["TARN_USER": "variable@x", "TARN_PASSWORD_FILE": "/variable", "TARN_PASSWORD": "text"]
        }
        #expect(try ClientConfiguration(all).password == .file("/flag"))
        #expect(try ClientConfiguration(all).user == "flag@x")
        all.flags = .init()
        #expect(try ClientConfiguration(all).password == .file("/variable"))
        #expect(try ClientConfiguration(all).user == "variable@x")
        all.environment = ["TARN_PASSWORD": "text", "TARN_USER": ""]
        #expect(try ClientConfiguration(all).password == .text("text"))
        #expect(try ClientConfiguration(all).user == "saved@x")
    }

    @Test func savedFileIsPrivateAndKeepsAnOtherCluster() throws {
        let directory = FileManager.default.temporaryDirectory.path + "/tarn-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let file = SavedClusterFile.usual(environment: ["XDG_CONFIG_HOME": directory, "HOME": "/never"])
        #expect(file.path == directory + "/tarn/config.json")
        #expect(try file.load() == nil)
        #expect(try file.save(saved) == false)
        #expect(try file.save(saved) == false)
        #expect(try file.load() == saved)
        let mode = try FileManager.default.attributesOfItem(atPath: file.path)[.posixPermissions]
        #expect("\(mode ?? 0)" == "\(0o600)")
        var other = saved
        other.caCertificate = "OTHER"
        #expect(try file.save(other))
        #expect(try SavedClusterFile(path: file.path + ".previous").load() == saved)
    }

    @Test func brokenFileIsToldNotIgnored() throws {
        let path = FileManager.default.temporaryDirectory.path + "/tarn-\(UUID().uuidString).json"
        try Data("{".utf8).write(to: URL(filePath: path))
        defer { try? FileManager.default.removeItem(atPath: path) }
        #expect(throws: ClientFailure.self) { try SavedClusterFile(path: path).load() }
    }
}
