import COpenSSL

/// Checks of names and addresses that go into certificates or are dialled.
enum HostName {
    /// Whether the text is a literal IPv4 or IPv6 address.
    static func isAddress(_ text: String) -> Bool {
        guard let octets = a2i_IPADDRESS(text) else {
            ErrorQueue.clear()
            return false
        }
        ASN1_OCTET_STRING_free(octets)
        return true
    }

    /// Letters, digits, `-`, `_`, `.` and `*`: nothing that could be read as more of an extension's text.
    static func isName(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.count <= 253
            && text.utf8.allSatisfy { byte in
                (byte | 0x20 >= UInt8(ascii: "a") && byte | 0x20 <= UInt8(ascii: "z"))
                    || (byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9")) || "-_.*".utf8.contains(byte)
            }
    }
}
