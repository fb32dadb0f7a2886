import ProxyCore
import RESP

/// ACL, as far as clients of a database may see it.
extension Worker {
    mutating func accessControl(_ session: SessionPointer, _ arguments: [ByteSpan]) -> Step {
        guard arguments[1].isWord("whoami") else {
            return rejectPermission(session, "acl|\(arguments[1].text.lowercased())")
        }
        answer(session, Array("$7\r\ndefault\r\n".utf8))
        return .next
    }
}
