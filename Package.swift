// swift-tools-version: 6.2
// Targets by floor: a target imports only from lower floors, and on floors 2 and 3 from those above it in this list.
// docs/architecture.md says what each one is for.
import PackageDescription

let strict: [SwiftSetting] = [
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
]

// The long-running programs take OpenSSL from the machine (or from the package, whichever is newer);
// `tarn` has to run on a machine that has nothing, before anything is unpacked, so it carries its own.
// See docs/adr/0002-one-tls-library.md.
let sharedTLS: [LinkerSetting] = [.linkedLibrary("ssl"), .linkedLibrary("crypto")]
let sharedArchive: [LinkerSetting] = [.linkedLibrary("archive"), .linkedLibrary("zstd")]
let carriedTLS: [LinkerSetting] = [.linkedLibrary(":libssl.a"), .linkedLibrary(":libcrypto.a")]
let carriedArchive: [LinkerSetting] = [.linkedLibrary(":libarchive.a"), .linkedLibrary(":libzstd.a")]
// Small, and every program that knows key rules has to read them alike.
let carriedRegex: [LinkerSetting] = [.linkedLibrary(":libpcre2-8.a")]

let nio: [Target.Dependency] = [
    .product(name: "NIOCore", package: "swift-nio"),
    .product(name: "NIOPosix", package: "swift-nio"),
    .product(name: "NIOHTTP1", package: "swift-nio"),
]
let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")
let hummingbird: Target.Dependency = .product(name: "Hummingbird", package: "hummingbird")
let hummingbirdCore: Target.Dependency = .product(name: "HummingbirdCore", package: "hummingbird")
let lifecycle: Target.Dependency = .product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let unixSignals: Target.Dependency = .product(name: "UnixSignals", package: "swift-service-lifecycle")
let httpTypes: Target.Dependency = .product(name: "HTTPTypes", package: "swift-http-types")
let arguments: Target.Dependency = .product(name: "ArgumentParser", package: "swift-argument-parser")

func library(
    _ name: String, _ dependencies: [Target.Dependency] = [], linked: [LinkerSetting] = [], exclude: [String] = []
) -> Target {
    .target(
        name: name, dependencies: dependencies, exclude: exclude, swiftSettings: strict, linkerSettings: linked)
}

func program(_ name: String, _ dependencies: [Target.Dependency], linked: [LinkerSetting] = []) -> Target {
    .executableTarget(name: name, dependencies: dependencies, swiftSettings: strict, linkerSettings: linked)
}

func tests(
    _ name: String, _ dependencies: [Target.Dependency], linked: [LinkerSetting] = [], exclude: [String] = []
) -> Target {
    .testTarget(
        name: name, dependencies: dependencies, exclude: exclude, swiftSettings: strict, linkerSettings: linked)
}

let package = Package(
    name: "tarn",
    products: [
        .executable(name: "tarn", targets: ["tarn"]),
        .executable(name: "tarn-watchdog", targets: ["tarn-watchdog"]),
        .executable(name: "tarn-manager", targets: ["tarn-manager"]),
        .executable(name: "tarn-proxy", targets: ["tarn-proxy"]),
        .executable(name: "bench", targets: ["bench"]),
        .executable(name: "dev", targets: ["dev"]),
    ],
    dependencies: [
        // No traits: the router without full Foundation keeps 40 MB of ICU data out of the programs.
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1", traits: []),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0", traits: []),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    ],
    targets: [
        // Floor 0, ground: system libraries, values without I/O.
        .systemLibrary(name: "COpenSSL", providers: [.apt(["libssl-dev"])]),
        .systemLibrary(name: "CArchive", providers: [.apt(["libarchive-dev", "libzstd-dev"])]),
        .systemLibrary(name: "CPCRE2", providers: [.apt(["libpcre2-dev"])]),
        .target(name: "CLinux"),
        library("Primitives"),
        library("ClusterModel", ["Primitives"]),

        // Floor 1, formats.
        library("RESP", ["Primitives"]),
        library("WatchdogProtocol", ["Primitives"]),
        library("ProxyControl", ["Primitives", "ClusterModel"]),
        library("ManagementAPI", ["Primitives", "ClusterModel"]),
        library("NodeLayout"),
        library("KeyMatching", ["CPCRE2", "ClusterModel"], linked: carriedRegex),

        // Floor 2, cores: decisions, no I/O.
        library("ProxyCore", ["Primitives", "ClusterModel", "RESP", "ProxyControl", "KeyMatching"],
            exclude: ["DESIGN.md"]),
        library("ClusterStore", ["Primitives"]),
        library("ManagerCore", ["Primitives", "ClusterModel", "ClusterStore", "KeyMatching"]),
        library("AccessControl", ["Primitives", "ClusterModel"]),

        // Floor 3, drivers.
        library("LocalSocket", ["CLinux", "Primitives"]),
        library("Reactor", ["CLinux", "Primitives"]),
        library("TLS", ["COpenSSL", "Primitives"]),
        library("HTTPTransport", ["TLS", "Primitives", hummingbirdCore, logging] + nio),
        library("EtcdStore", ["ClusterStore", "WatchdogProtocol", "HTTPTransport", "TLS", "Primitives", logging] + nio),
        library("ShardControl", ["ClusterModel", "Primitives"] + nio),
        library("HostControl", ["CLinux", "Primitives"]),
        library("PackageArchive", ["CArchive", "TLS", "Primitives"]),
        library("ManagementClient", [
            "ManagementAPI", "NodeLayout", "HostControl", "HTTPTransport", "TLS", "Primitives",
        ] + nio),

        // Floor 4, services.
        library("ProxyService", [
            "ProxyCore", "ProxyControl", "KeyMatching", "Reactor", "RESP", "LocalSocket", "CLinux", "COpenSSL",
            "Primitives", "ClusterModel", "NodeLayout",
        ]),
        library("WatchdogService", ["WatchdogProtocol", "NodeLayout", "LocalSocket", "CLinux", "Primitives"]),
        library("NodeService", [
            "ClusterModel", "WatchdogProtocol", "ProxyControl", "NodeLayout", "ShardControl", "HostControl",
            "LocalSocket",
            "Primitives", logging,
        ] + nio),
        library("ManagerService", [
            "ClusterModel", "ManagerCore", "ManagementAPI", "ClusterStore", "HTTPTransport", "HostControl", "TLS",
            "Primitives", logging,
        ] + nio),
        library("ManagementServer", [
            "ManagementAPI", "ManagerCore", "AccessControl", "ClusterStore", "ClusterModel", "HTTPTransport", "TLS",
            "Primitives", hummingbird, httpTypes, logging,
        ] + nio),
        library("InstallerService", [
            "PackageArchive", "HostControl", "NodeLayout", "LocalSocket", "WatchdogProtocol", "TLS", "Primitives",
            "CLinux",
        ]),

        library("ProxyFuzz", ["ProxyCore", "KeyMatching", "ClusterModel", "RESP", "Primitives"]),
        library("Simulator", ["ManagerCore", "ProxyControl", "ClusterModel", "Primitives"]),
        library("TestSupport", [
            "ClusterStore", "EtcdStore", "HTTPTransport", "TLS", "Primitives", logging,
        ] + nio),

        // Floor 5, programs: parse flags, build services, run them.
        program("tarn", [
            "InstallerService", "PackageArchive", "HostControl", "ManagementClient", "ManagementAPI", "HTTPTransport",
            "ClusterModel", "NodeLayout", "TLS", "Primitives", arguments, logging,
        ] + nio, linked: carriedArchive + carriedTLS),
        program("tarn-watchdog", ["WatchdogService", "NodeLayout", "WatchdogProtocol", "Primitives"]),
        program("tarn-manager", [
            "NodeService", "ManagerService", "ManagementServer", "ManagementAPI", "EtcdStore", "ClusterStore",
            "ManagerCore", "HostControl", "NodeLayout", "ClusterModel", "HTTPTransport", "TLS", "Primitives",
            "AccessControl", "ShardControl", logging, lifecycle, unixSignals, hummingbird,
        ] + nio, linked: sharedTLS),
        program("tarn-proxy", ["ProxyService", "Primitives"], linked: sharedTLS),
        program("bench", [
            "ProxyControl", "Reactor", "LocalSocket", "CLinux", "ClusterModel", "NodeLayout", "Primitives",
        ]),
        program("tarn-fuzz", ["ProxyFuzz", "Primitives"]),
        program("simulate", ["Simulator"]),
        program("dev", []),
        tests("ClusterStoreTests", ["ClusterStore", "TestSupport"], linked: sharedTLS),
        tests("IntegrationTests", [
            "ClusterStore", "EtcdStore", "HTTPTransport", "TestSupport", "WatchdogProtocol", "LocalSocket",
            "Primitives",
            "ProxyControl", "ClusterModel", "NodeLayout", "NodeService", "ShardControl", "TLS", "ProxyCore", "RESP",
            "ProxyFuzz", "tarn-proxy", logging,
        ] + nio, linked: sharedTLS),
        tests("ManagerServiceTests", [
            "ManagerService", "ManagerCore", "ManagementAPI", "ClusterStore", "ClusterModel", "TLS", "Primitives",
            logging,
        ], linked: sharedTLS),
        tests("HostControlTests", ["HostControl", "Primitives"]),
        tests("PackageArchiveTests", [
            "PackageArchive", "CArchive", "TLS", "Primitives",
        ], linked: sharedArchive + sharedTLS),
        tests("InstallerServiceTests", [
            "InstallerService", "PackageArchive", "HostControl", "NodeLayout", "TLS", "Primitives",
        ], linked: sharedArchive + sharedTLS),
        tests("ShardControlTests", ["ShardControl", "ClusterModel", "Primitives"]),
        tests("NodeServiceTests", [
            "NodeService", "NodeLayout", "ShardControl", "ProxyControl", "ClusterModel", "Primitives",
        ]),
        tests("WatchdogProtocolTests", ["WatchdogProtocol", "Primitives"]),
        tests("WatchdogServiceTests", ["WatchdogService", "NodeLayout", "WatchdogProtocol", "Primitives"]),
        tests("NodeLayoutTests", ["NodeLayout"]),
        tests("PrimitivesTests", ["Primitives"]),
        tests("RESPTests", ["RESP"]),
        tests("ReactorTests", ["Reactor", "CLinux"]),
        tests("KeyMatchingTests", ["KeyMatching", "ClusterModel"]),
        tests("ProxyCoreTests", ["ProxyCore", "KeyMatching", "ClusterModel", "RESP"]),
        tests("ProxyFuzzTests", ["ProxyFuzz"]),
        tests("ClusterModelTests", ["ClusterModel", "Primitives"]),
        tests("AccessControlTests", ["AccessControl", "Primitives"]),
        tests("ManagementAPITests", ["ManagementAPI", "AccessControl", "ClusterModel", "Primitives"]),
        tests("ManagerCoreTests", [
            "ManagerCore", "ClusterStore", "ClusterModel", "Primitives",
        ], exclude: ["Scenarios"]),
        tests("SimulatorTests", ["Simulator"]),
        tests("DevTests", ["dev"]),
        tests("BenchTests", ["bench"]),
        tests("SystemTests", ["dev"]),
        tests("TLSTests", ["TLS", "COpenSSL", "Primitives"], linked: sharedTLS),
        tests("HTTPTransportTests", [
            "HTTPTransport", "TLS", hummingbird, logging,
        ] + nio, linked: sharedTLS),
        tests("ManagementServerTests", [
            "ManagementServer", "ManagementAPI", "ManagerService", "ManagerCore", "AccessControl", "ClusterStore",
            "ClusterModel", "HTTPTransport", "TLS", "Primitives", logging, hummingbird,
        ] + nio, linked: sharedTLS),
        tests("ManagementClientTests", ["ManagementClient", "HTTPTransport"], linked: sharedTLS),
    ],
    swiftLanguageModes: [.v6]
)
