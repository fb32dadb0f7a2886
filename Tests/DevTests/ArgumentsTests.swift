import Testing

@testable import dev

@Suite struct ArgumentsTests {
    @Test func takesFlagsAndValues() throws {
        let arguments = try Arguments(["up", "--nodes", "5", "--json", "--network=127.0.9"])
        #expect(arguments.verb == "up")
        #expect(try arguments.number("nodes", in: 1...9) == 5)
        #expect(arguments.has("json"))
        #expect(arguments.value("network") == "127.0.9")
    }

    @Test(arguments: [["up", "--nodes"], ["up", "--what"], ["up", "--json=1"]])
    func refusesWhatItDoesNotKnow(_ line: [String]) {
        #expect(throws: Failure.self) { try Arguments(line) }
    }

    @Test func refusesNumbersOutOfRange() throws {
        let arguments = try Arguments(["up", "--nodes", "0"])
        #expect(throws: Failure.self) { try arguments.number("nodes", in: 1...9) }
    }
}
