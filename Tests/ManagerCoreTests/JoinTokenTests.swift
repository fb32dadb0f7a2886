import ManagerCore
import Testing

struct JoinTokenTests {
    private let token = JoinToken(
        random: Array(0..<UInt8(JoinToken.randomByteCount)), authorityDigest: String(repeating: "c0", count: 32))

    @Test func readsBackWhatItWrites() throws {
        #expect(try JoinToken(parsing: token.text) == token)
        #expect(try JoinToken(parsing: " \(token.text.uppercased())\n") == token)
        #expect(token.id == "00010203" && token.secretBytes == Array(4..<36))
    }

    @Test func everyMistypedCharacterIsNoticed() {
        let text = Array(token.text)
        for index in text.indices.dropFirst(5) {
            var mistyped = text
            mistyped[index] = text[index] == "0" ? "8" : "0"
            guard String(mistyped) != token.text else { continue }
            #expect(throws: JoinTokenError.self, "character \(index)") { try JoinToken(parsing: String(mistyped)) }
        }
    }

    @Test func eachFaultHasItsName() {
        func code(_ text: String) -> JoinTokenError.Code? {
            do {
                _ = try JoinToken(parsing: text)
                return nil
            } catch {
                return error.code
            }
        }
        #expect(code("") == .notAToken)
        #expect(code("hello") == .notAToken)
        #expect(code("tarn2" + token.text.dropFirst(5)) == .unknownVersion)
        #expect(code(String(token.text.dropLast(3))) == .truncated)
        #expect(code("tarn1.abc") == .truncated)
        var swapped = Array(token.text)
        swapped.swapAt(8, 9)
        swapped.swapAt(12, 13)
        #expect(code(String(swapped)) == .mistyped)
    }
}
