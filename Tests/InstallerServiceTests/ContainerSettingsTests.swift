import InstallerService
import Testing

@Suite struct ContainerSettingsTests {
    private func settings(_ environment: [String: String]) throws -> ContainerSettings {
        try ContainerSettings(environment: environment, addresses: ["172.30.1.5", "127.0.0.1"])
    }

    @Test func isIdleWithoutAsking() throws {
        let settings = try settings(["TARN_CLUSTER_NAME": "", "TARN_JOIN_ADDRESS": ""])
        #expect(settings.purpose == .idle)
        #expect(settings.address == "172.30.1.5")
    }

    @Test func creates() throws {
        let found = try settings([
            "TARN_CLUSTER_NAME": "c.local", "TARN_ADMIN_USER": "a@c.local", "TARN_ADMIN_PASSWORD_FILE": "/run/pw",
        ])
        #expect(
            found.purpose
                == .create(name: "c.local", administrator: "a@c.local", passwordFile: "/run/pw", tokenFile: nil))
    }

    @Test func joins() throws {
        let found = try settings(["TARN_JOIN_ADDRESS": "172.30.1.4", "TARN_TOKEN_FILE": "/run/token"])
        #expect(found.purpose == .join(address: "172.30.1.4", tokenFile: "/run/token"))
    }

    @Test(arguments: [
        ["TARN_CLUSTER_NAME": "c.local"],
        ["TARN_CLUSTER_NAME": "c.local", "TARN_ADMIN_USER": "a@c.local"],
        ["TARN_JOIN_ADDRESS": "172.30.1.4"],
        ["TARN_JOIN_ADDRESS": "node1", "TARN_TOKEN_FILE": "/run/token"],
        ["TARN_CLUSTER_NAME": "c.local", "TARN_JOIN_ADDRESS": "172.30.1.4"],
        ["TARN_ADDRESS": "here"],
    ])
    func refusesWhatIsNotWhole(environment: [String: String]) {
        #expect(throws: InstallerError.self) { try settings(environment) }
    }

    @Test func needsAnAddressWhereThereIsAChoice() {
        #expect(throws: InstallerError.self) {
            try ContainerSettings(environment: [:], addresses: ["172.30.1.5", "172.31.1.5"])
        }
    }
}
