import HTTPTransport
import ManagementClient
import Testing

struct TextTests {
    @Test func columnsAreAsWideAsTheirWidestCell() {
        var table = TextTable("ID", "NAME", "STATUS")
        table.add("1", "a database", "active")
        table.add("1000", nil, "")
        #expect(
            table.text == """
                ID    NAME        STATUS
                1     a database  active
                1000  -           -
                """)
    }

    @Test func noBlanksAtTheEndOfALine() {
        var table = TextTable("A", "LONG HEADING")
        table.add("é", "x")
        #expect(table.text == "A  LONG HEADING\né  x")
    }

    @Test(arguments: [
        ("90", 90), ("90s", 90), ("30m", 1800), ("1h", 3600), ("7d", 604_800), ("1h30m", 5400), ("2W", 1_209_600),
    ])
    func spans(_ text: String, _ seconds: Int64) {
        #expect(DurationText.seconds(text) == seconds)
    }

    @Test(arguments: ["", "0", "0s", "-1", "1x", "h", "1h30", "99999999999999999999", "9223372036854775807m", "1.5h"])
    func spansThatAreNone(_ text: String) {
        #expect(DurationText.seconds(text) == nil)
    }

    @Test(arguments: [(Int64(0), "0s"), (59, "59s"), (90, "1m 30s"), (3600, "1h"), (183_600, "2d 3h")])
    func spansInWords(_ seconds: Int64, _ text: String) {
        #expect(DurationText.text(seconds: seconds) == text)
    }

    @Test func addresses() throws {
        #expect(try APIAddress.parse("https://10.0.0.1") == [HTTPEndpoint(host: "10.0.0.1", port: 9443)])
        #expect(
            try APIAddress.parse("https://a:1/, b")
                == [HTTPEndpoint(host: "a", port: 1), HTTPEndpoint(host: "b", port: 9443)])
        #expect(try APIAddress.parse("https://[::1]:9000") == [HTTPEndpoint(host: "::1", port: 9000)])
    }

    @Test(arguments: [
        "", ",", "http://a", "https://", "https://a:b", "https://a:0", "https://a:70000", "https://a/b", "::1",
    ])
    func addressesThatAreNone(_ text: String) {
        let failure = #expect(throws: ClientFailure.self) { try APIAddress.parse(text) }
        #expect(failure?.kind == .usage)
    }
}
