import Testing

@testable import dev

@Suite struct LintTests {
    private static let manifest = ManifestReading(
        """
        func library(_ name: String) -> Target { .target(name: name) }
        let package = Package(
            targets: [
                // Floor 0, ground.
                .systemLibrary(name: "COpenSSL", providers: [.apt(["libssl-dev"])]),
                library("Primitives"),
                // Floor 3, drivers.
                library("TLS", ["COpenSSL", "Primitives"]),
                // Floor 5, programs.
                program("server", [
                    "TLS", logging,
                ] + nio, linked: sharedTLS),
                program("dev", []),
                tests("TLSTests", ["TLS"]),
            ]
        """)

    @Test func readsTargetsOfTheManifest() {
        #expect(Set(Self.manifest.targets.keys) == ["COpenSSL", "Primitives", "TLS", "server", "dev"])
        #expect(Self.manifest.targets["TLS"]?.floor == 3)
        #expect(Self.manifest.targets["server"]?.dependencies == ["TLS"])
        #expect(Self.manifest.closure(of: "server") == ["server", "TLS", "COpenSSL", "Primitives"])
    }

    @Test func findsLinksOutsideCode() {
        let text = """
            See [a](docs/a.md) and [b](https://example.com).
            ```
            [c](not/a/link)
            ```
            [d](d.md#part)
            """
        #expect(DocumentLinks.links(in: text) == ["docs/a.md", "https://example.com", "d.md#part"])
    }
}
