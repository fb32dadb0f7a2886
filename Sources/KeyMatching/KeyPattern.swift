import CPCRE2

/// One compiled rule. Immutable once made, so all threads may use it.
struct KeyPattern {
    /// Compiled patterns beyond this take milliseconds to become machine code; a repetition of hundreds makes them.
    static let maximumCompiledBytes = 16 << 10

    /// The whole key has to match. A key is bytes: `.` is any of them, a line feed included, and none is UTF-8.
    private static let options =
        PCRE2_ANCHORED | PCRE2_ENDANCHORED | PCRE2_DOTALL | PCRE2_DOLLAR_ENDONLY | PCRE2_NEVER_UTF | PCRE2_NEVER_UCP

    let code: OpaquePointer
    /// Number of the group that is called `tag`.
    let tagGroup: Int

    struct Refusal: Error { let reason: String }

    /// - Parameter isForUse: Makes machine code of it, where the machine lets one.
    init(_ pattern: String, isForUse: Bool) throws(Refusal) {
        var error: Int32 = 0
        var offset = 0
        let bytes = Array(pattern.utf8)
        guard let code = pcre2_compile_8(bytes, bytes.count, Self.options, &error, &offset, nil) else {
            throw Refusal(reason: "does not compile: \(Self.text(of: error)) at offset \(offset)")
        }
        let group = pcre2_substring_number_from_name_8(code, "tag")
        var size = 0
        pcre2_pattern_info_8(code, UInt32(PCRE2_INFO_SIZE), &size)
        let reason: String? =
            if group == PCRE2_ERROR_NOUNIQUESUBSTRING {
                "has more than one group (?<tag>...); it needs one"
            } else if group < 0 {
                "has no group (?<tag>...), which tells what is hashed"
            } else if size > Self.maximumCompiledBytes {
                "compiles to \(size) bytes, more than \(Self.maximumCompiledBytes): repeat less"
            } else {
                nil
            }
        if let reason {
            pcre2_code_free_8(code)
            throw Refusal(reason: reason)
        }
        // Where memory can't be made executable it is interpreted: slower, with the same outcome.
        if isForUse { _ = pcre2_jit_compile_8(code, UInt32(PCRE2_JIT_COMPLETE)) }
        self.code = code
        tagGroup = Int(group)
    }

    func free() { pcre2_code_free_8(code) }

    private static func text(of error: Int32) -> String {
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 256) { buffer in
            let count = pcre2_get_error_message_8(error, buffer.baseAddress, buffer.count)
            return count > 0 ? String(decoding: buffer.prefix(Int(count)), as: UTF8.self) : "error \(error)"
        }
    }
}
