import FoundationEssentials
import Glibc
import PackageArchive
import Primitives
import Testing
import TLS

@Suite struct RoundTripTests {
    private let key = ForgedPackage.trustedKey

    private func write(in directory: String, level: Int = 3) throws -> (path: String, manifest: PackageManifest) {
        let contents: [(path: String, bytes: [UInt8], isExecutable: Bool)] = [
            ("lib/openssl/libssl.so.3", [UInt8](repeating: 3, count: 513), false),
            ("bin/empty", [], true),
            ("bin/exact", [UInt8](repeating: 9, count: 1024), true),
            ("share/licenses/x/copyright", Array("free\n".utf8), false),
        ]
        var inputs: [PackageWriter.Input] = []
        for (index, content) in contents.enumerated() {
            let source = "\(directory)/source-\(index)"
            try save(Data(content.bytes), to: source)
            inputs.append(.init(path: content.path, source: source, isExecutable: content.isExecutable))
        }
        let writer = PackageWriter(
            version: "1.2.3", architecture: "x86_64", builtAt: WallTime(milliseconds: 1_700_000_000_000),
            components: ["etcd": "3.4.23"], glibc: "2.36", level: level)
        return try writer.write(inputs.shuffled(), into: directory, signedBy: key)
    }

    @Test func whatIsWrittenComesBack() throws {
        try withTemporaryDirectory { directory in
            umask(0o077)  // Must not reach the tree: others have to run the programs.
            defer { umask(0o022) }
            let (path, manifest) = try write(in: directory)
            #expect(path == "\(directory)/tarn-1.2.3-linux-x86_64.tar.zst")
            let reader = PackageReader(path: path, trusted: ForgedPackage.trusted)
            #expect(try reader.head().manifest == manifest)
            #expect(try reader.unpack(into: "\(directory)/tree", architecture: "x86_64") == manifest)
            for file in manifest.files {
                let bytes = try #require(FileManager.default.contents(atPath: "\(directory)/tree/\(file.path)"))
                #expect(Hex.encode(Crypto.sha256(Array(bytes))) == file.sha256)
                var information = stat()
                stat("\(directory)/tree/\(file.path)", &information)
                #expect(information.st_mode & 0o7777 == (file.isExecutable ? 0o755 : 0o644), "\(file.path)")
            }
            var information = stat()
            stat("\(directory)/tree/lib/openssl", &information)
            #expect(information.st_mode & 0o7777 == 0o755)
        }
    }

    @Test func equalInputsGiveEqualBytes() throws {
        try withTemporaryDirectory { directory in
            let first = FileManager.default.contents(atPath: try write(in: directory).path)
            let second = FileManager.default.contents(atPath: try write(in: directory).path)
            #expect(first != nil && first == second)
        }
    }

    @Test func aDirectoryInTheWayIsNotTouched() throws {
        try withTemporaryDirectory { directory in
            let path = try write(in: directory).path
            try FileManager.default.createDirectory(
                atPath: "\(directory)/tree/mine", withIntermediateDirectories: true)
            let reader = PackageReader(path: path, trusted: ForgedPackage.trusted)
            #expect(throws: PackageError(.file, "")) {
                try reader.unpack(into: "\(directory)/tree", architecture: "x86_64")
            }
            #expect(access("\(directory)/tree/mine", F_OK) == 0)
        }
    }

    @Test func aProgramCarriesOneKeyAndLosesItWithoutTrace() throws {
        try withTemporaryDirectory { directory in
            let program = Array("\u{7F}ELF and so on".utf8)
            let mine = ForgedPackage.trusted[0]
            let other = try PublicKey(bytes: ForgedPackage.otherKey.publicKey)
            let marked = ReleaseKey.attach(mine, to: ReleaseKey.attach(other, to: program))
            try save(Data(marked), to: "\(directory)/marked")
            try save(Data(program), to: "\(directory)/plain")
            #expect(ReleaseKey.carried(by: "\(directory)/marked") == mine)
            #expect(ReleaseKey.carried(by: "\(directory)/plain") == nil)
            #expect(ReleaseKey.withoutKey(marked) == program)
        }
    }

    @Test func aPublicKeySurvivesItsTextForm() throws {
        let key = ForgedPackage.trusted[0]
        #expect(try PublicKey(pem: key.pem) == key)
        #expect(key.pem == (try self.key.publicKeyPEM))
        #expect(throws: PackageError(.keyInvalid, "")) { try PublicKey(pem: "hello") }
    }
}
