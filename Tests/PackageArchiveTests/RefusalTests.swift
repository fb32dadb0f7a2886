import FoundationEssentials
import Glibc
import PackageArchive
import Testing
import TLS

/// One lie, and the code of the refusal that it must meet.
struct Lie: CustomTestStringConvertible, Sendable {
    var name: String
    var code: PackageError.Code
    var tell: @Sendable (inout ForgedPackage) -> Void
    var testDescription: String { name }

    static let all: [Lie] = [
        listedAndPacked("path that climbs out", .unsafePath, "../evil"),
        listedAndPacked("path that climbs out in the middle", .unsafePath, "bin/../../evil"),
        listedAndPacked("absolute path", .unsafePath, "/tmp/evil"),
        listedAndPacked("empty component", .unsafePath, "bin//evil"),
        listedAndPacked("control character", .unsafePath, "bin/\u{1B}[2Jevil"),
        packed("unlisted path that climbs out", .unsafePath, "../evil"),
        packed("unlisted file", .entryUnlisted, "bin/evil"),
        packed("second manifest", .entryUnlisted, "manifest.json"),
        Lie(name: "symbolic link out", code: .entryKind) {
            $0.entries[0].kind = .symbolicLink("/etc/passwd")
            $0.entries[0].content = []
        },
        Lie(name: "hard link", code: .entryKind) {
            $0.entries[1].kind = .hardLink("bin/tarn-proxy")
            $0.entries[1].content = []
        },
        Lie(name: "directory", code: .entryKind) {
            $0.entries[1].kind = .directory
            $0.entries[1].content = []
        },
        Lie(name: "fifo", code: .entryKind) {
            $0.entries[1].kind = .fifo
            $0.entries[1].content = []
        },
        Lie(name: "file twice in the archive", code: .entryDuplicate) { $0.entries.append(ForgedPackage.proxy) },
        Lie(name: "file twice in the manifest", code: .entryDuplicate) { $0.listed.append(ForgedPackage.proxy) },
        Lie(name: "file missing", code: .entryMissing) { $0.entries.removeLast() },
        Lie(name: "shorter", code: .wrongSize) { $0.entries[1].content.removeLast() },
        Lie(name: "longer", code: .wrongSize) { $0.entries[1].content.append(1) },
        Lie(name: "one bit", code: .wrongDigest) { $0.entries[1].content[99_999] ^= 1 },
        Lie(name: "set-user-id", code: .wrongMode) { $0.entries[0].mode = 0o4755 },
        Lie(name: "manifest changed after signing", code: .signatureInvalid) {
            $0.alterManifest = { $0 + [0x0A] }
        },
        Lie(name: "unknown key", code: .keyUnknown) { $0.signer = ForgedPackage.otherKey },
        Lie(name: "unknown key that claims to be the known one", code: .signatureInvalid) {
            $0.signer = ForgedPackage.otherKey
            $0.claimedKey = ForgedPackage.trusted[0]
        },
        Lie(name: "other architecture", code: .wrongArchitecture) { $0.architecture = "aarch64" },
        Lie(name: "newer format", code: .formatTooNew) { $0.format = PackageManifest.currentFormat + 1 },
        Lie(name: "absurd size", code: .tooLarge) { $0.alterManifestFiles = { $0[0].size = 1 << 60 } },
        Lie(name: "many files of allowed size", code: .tooLarge) { lie in
            lie.listed += (0..<6).map { ForgedPackage.Entry(path: "lib/\($0)") }
            lie.alterManifestFiles = { for index in $0.indices { $0[index].size = 1 << 30 } }
        },
        Lie(name: "negative size", code: .manifestInvalid) { $0.alterManifestFiles = { $0[0].size = -1 } },
        Lie(name: "digest of another length", code: .manifestInvalid) {
            $0.alterManifestFiles = { $0[0].sha256 = "00" }
        },
        Lie(name: "manifest beyond its limit", code: .tooLarge) {
            $0.alterManifest = { $0 + [UInt8](repeating: 0x20, count: PackageLimits.manifestBytes) }
        },
        Lie(name: "no manifest", code: .notAPackage) { $0.firstEntryName = "README" },
    ]

    private static func packed(_ name: String, _ code: PackageError.Code, _ path: String) -> Lie {
        Lie(name: name, code: code) { $0.entries.append(ForgedPackage.Entry(path: path, content: [1])) }
    }

    private static func listedAndPacked(_ name: String, _ code: PackageError.Code, _ path: String) -> Lie {
        Lie(name: name, code: code) {
            $0.listed.append(ForgedPackage.Entry(path: path, content: [1]))
            $0.entries.append(ForgedPackage.Entry(path: path, content: [1]))
        }
    }
}

@Suite struct RefusalTests {
    /// Unpacks and expects a refusal, by unpacking and by verifying, that leaves the directory as it was.
    private func expectRefusal(
        of package: String, in directory: String, _ code: PackageError.Code, trusted: [PublicKey]
    ) throws {
        let reader = PackageReader(path: package, trusted: trusted)
        let before = try FileManager.default.contentsOfDirectory(atPath: directory).sorted()
        let unpacked = #expect(throws: PackageError.self) {
            try reader.unpack(into: "\(directory)/tree", architecture: "x86_64")
        }
        #expect(unpacked?.code == code, "\(unpacked?.message ?? "")")
        let verified = #expect(throws: PackageError.self) { try reader.verify(architecture: "x86_64") }
        #expect(verified?.code == code)
        #expect(try FileManager.default.contentsOfDirectory(atPath: directory).sorted() == before)
        #expect(access("/tmp/evil", F_OK) != 0 && access("\(directory)/evil", F_OK) != 0)
    }

    @Test(arguments: Lie.all) func everyLieIsRefusedAndLeavesNothing(_ lie: Lie) throws {
        try withTemporaryDirectory { directory in
            var package = ForgedPackage()
            lie.tell(&package)
            try package.write(to: "\(directory)/package")
            try expectRefusal(of: "\(directory)/package", in: directory, lie.code, trusted: ForgedPackage.trusted)
        }
    }

    @Test func theHonestPackageIsTaken() throws {
        try withTemporaryDirectory { directory in
            try ForgedPackage().write(to: "\(directory)/package")
            let reader = PackageReader(path: "\(directory)/package", trusted: ForgedPackage.trusted)
            try reader.unpack(into: "\(directory)/tree", architecture: "x86_64")
            #expect(access("\(directory)/tree/bin/tarn-proxy", X_OK) == 0)
        }
    }

    @Test func withoutATrustedKeyNothingIsTaken() throws {
        try withTemporaryDirectory { directory in
            try ForgedPackage().write(to: "\(directory)/package")
            try expectRefusal(of: "\(directory)/package", in: directory, .noTrustedKey, trusted: [])
        }
    }

    @Test func whatIsNoArchiveIsRefused() throws {
        try withTemporaryDirectory { directory in
            for (name, bytes) in [("text", Array("hello\n".utf8)), ("zeros", [UInt8](repeating: 0, count: 4096))] {
                try save(Data(bytes), to: "\(directory)/\(name)")
                try expectRefusal(
                    of: "\(directory)/\(name)", in: directory, .notAPackage, trusted: ForgedPackage.trusted)
            }
        }
    }

    @Test func cutOffAnywhereItIsRefused() throws {
        try withTemporaryDirectory { directory in
            var package = ForgedPackage()
            // Incompressible, so that cuts fall into the content too.
            var random = SystemRandomNumberGenerator()
            let noise = (0..<200_000).map { _ in UInt8.random(in: 0...255, using: &random) }
            let entry = ForgedPackage.Entry(path: "lib/noise", content: noise)
            package.listed.append(entry)
            package.entries.append(entry)
            try package.write(to: "\(directory)/whole")
            let whole = try #require(FileManager.default.contents(atPath: "\(directory)/whole"))
            for step in 1..<40 {
                let cut = whole.prefix(whole.count * step / 40)
                try save(cut, to: "\(directory)/cut")
                let reader = PackageReader(path: "\(directory)/cut", trusted: ForgedPackage.trusted)
                let error = #expect(throws: PackageError.self) {
                    try reader.unpack(into: "\(directory)/tree", architecture: "x86_64")
                }
                #expect(error?.code == .truncated, "cut after \(cut.count) of \(whole.count): \(error?.message ?? "")")
                #expect(access("\(directory)/tree", F_OK) != 0)
            }
        }
    }

    @Test func anyDamagedByteIsRefused() throws {
        try withTemporaryDirectory { directory in
            try ForgedPackage().write(to: "\(directory)/whole")
            let whole = try #require(FileManager.default.contents(atPath: "\(directory)/whole"))
            for index in stride(from: 0, to: whole.count, by: 7) {
                var bytes = whole
                bytes[index] ^= 0x55
                try save(bytes, to: "\(directory)/bad")
                let reader = PackageReader(path: "\(directory)/bad", trusted: ForgedPackage.trusted)
                // Where the change does not reach the content (a bit of zstd's frame header that nobody reads),
                // what was unpacked has been compared with what was signed; else it is refused.
                if (try? reader.unpack(into: "\(directory)/tree", architecture: "x86_64")) != nil {
                    let library = FileManager.default.contents(atPath: "\(directory)/tree/lib/libx.so.1")
                    #expect(library.map { Array($0) } == ForgedPackage.library.content)
                    try FileManager.default.removeItem(atPath: "\(directory)/tree")
                }
                #expect(access("\(directory)/tree", F_OK) != 0)
            }
        }
    }
}
