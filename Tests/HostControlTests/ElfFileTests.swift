import HostControl
import Testing

@Suite struct ElfFileTests {
    private let redis = "/usr/bin/redis-server"

    @Test func theLibrariesOfRedisAreThoseThatTheLoaderTakes() throws {
        let outcome = try Subprocess.run("ldd", [redis])
        try #require(outcome.status == 0)
        var expected: Set<String> = []
        for line in outcome.output.split(separator: "\n") {
            let name = String(line.split { $0 == " " || $0 == "\t" }.first ?? "")
            if !name.hasPrefix("/"), !SharedLibraries.isPartOfTheCLibrary(name) { expected.insert(name) }
        }
        let machine = try #require(ElfFile(try HostFile.read(redis))).machine
        let found = try SharedLibraries.ofThisMachine(machine).closure(of: [redis])
        #expect(Set(found.keys) == expected)
        #expect(expected.contains("libssl.so.3") && expected.contains("libgpg-error.so.0"))
    }

    @Test func theNeededVersionsOfTheCLibraryAreSeen() throws {
        let file = try #require(ElfFile(try HostFile.read(redis)))
        #expect(file.neededVersions.contains { $0.hasPrefix("GLIBC_2.") })
        #expect(!file.neededVersions.contains(""))
    }

    @Test func aMissingLibraryIsNamed() throws {
        let error = #expect(throws: HostError.self) { try SharedLibraries(directories: []).closure(of: [redis]) }
        #expect(error?.code == .library)
        #expect(error?.message.contains(".so.") == true)
    }

    @Test func damagedFilesAreRefusedOrReadButNeverCrash() throws {
        let redisLibraries = try SharedLibraries.ofThisMachine(.x86_64).closure(of: [redis])
        let whole = try HostFile.read(try #require(redisLibraries["liblzf.so.1"]))
        for count in stride(from: 0, to: min(whole.count, 2048), by: 1) { _ = ElfFile(Array(whole[..<count])) }
        var state: UInt64 = 42
        for _ in 0..<2000 {
            var bytes = whole
            for _ in 0..<8 {
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                // Headers and the dynamic section, where offsets are read from.
                let range = state & 1 == 0 ? 0..<1024 : max(0, bytes.count - 4096)..<bytes.count
                bytes[range.lowerBound + Int(state >> 33) % range.count] = UInt8(truncatingIfNeeded: state >> 20)
            }
            _ = ElfFile(bytes)
        }
        #expect(ElfFile(Array("#!/bin/sh\n".utf8)) == nil)
    }
}
