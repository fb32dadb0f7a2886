import CArchive
import Glibc

/// Writes a tar archive under zstd to a file.
///
/// The headers are made here and not by libarchive: its writer reaches every format it knows, and with them xml2,
/// nettle, lzma and bzip2, which a statically linked `tarn` would have to carry (docs/adr/0004). What is needed is
/// 512 bytes for each file. Same entries and same level, same bytes: no clock, user or directory order gets in.
/// - Source: POSIX.1-2017, pax, "ustar Interchange Format".
final class CompressedTar {
    private let descriptor: Int32
    private let path: String
    private let context: OpaquePointer
    private var output = [UInt8](repeating: 0, count: ZSTD_CStreamOutSize())

    /// - Parameter level: Of zstd, 1 (fast) ... 19 (small).
    init(path: String, level: Int) throws(PackageError) {
        self.path = path
        descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw .file("write", path) }
        guard let context = ZSTD_createCCtx() else {
            close(descriptor)
            throw PackageError(.file, "Out of memory.")
        }
        self.context = context
        ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, Int32(level))
        ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1)
        // The programs share much code; 64 MB of window lets one refer to another. Reading then takes as much memory.
        ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, 26)
        ZSTD_CCtx_setParameter(context, ZSTD_c_enableLongDistanceMatching, 1)
        // One worker or many write the same bytes; none writes others. So never none.
        ZSTD_CCtx_setParameter(context, ZSTD_c_nbWorkers, Int32(max(1, min(8, sysconf(Int32(_SC_NPROCESSORS_ONLN))))))
    }

    deinit {
        ZSTD_freeCCtx(context)
        close(descriptor)
    }

    func add(_ name: String, _ content: [UInt8], mode: UInt32, modified seconds: Int64) throws(PackageError) {
        try PackagePath.check(name)
        try write(Self.header(name, size: content.count, mode: mode, modified: seconds), ZSTD_e_continue)
        try write(content, ZSTD_e_continue)
        let rest = content.count % 512
        if rest != 0 { try write([UInt8](repeating: 0, count: 512 - rest), ZSTD_e_continue) }
    }

    func finish() throws(PackageError) {
        try write([UInt8](repeating: 0, count: 1024), ZSTD_e_end)
        guard fsync(descriptor) == 0 else { throw .file("write", path) }
    }

    private static func header(_ name: String, size: Int, mode: UInt32, modified: Int64) -> [UInt8] {
        var block = [UInt8](repeating: 0, count: 512)
        func put(_ text: String, at offset: Int) {
            block.replaceSubrange(offset..<offset + text.utf8.count, with: text.utf8)
        }
        func put(octal value: Int64, at offset: Int, digits: Int) {
            let text = String(value, radix: 8)
            put(String(repeating: "0", count: digits - text.utf8.count) + text, at: offset)
        }
        put(name, at: 0)
        put(octal: Int64(mode), at: 100, digits: 7)
        put(octal: 0, at: 108, digits: 7)
        put(octal: 0, at: 116, digits: 7)
        put(octal: Int64(size), at: 124, digits: 11)
        put(octal: max(0, modified), at: 136, digits: 11)
        put("        0", at: 148)  // The checksum counts as spaces; type 0: a plain file.
        put("ustar\u{0}00root", at: 257)
        put("root", at: 297)
        let sum = block.reduce(0) { $0 + Int64($1) }
        put(octal: sum, at: 148, digits: 6)
        block[154] = 0
        return block
    }

    private func write(_ bytes: [UInt8], _ directive: ZSTD_EndDirective) throws(PackageError) {
        let result = bytes.withUnsafeBytes { input in
            Result { () throws(PackageError) in try compress(input, directive) }
        }
        try result.get()
    }

    private func compress(_ bytes: UnsafeRawBufferPointer, _ directive: ZSTD_EndDirective) throws(PackageError) {
        var input = ZSTD_inBuffer(src: bytes.baseAddress, size: bytes.count, pos: 0)
        while true {
            let (left, count) = output.withUnsafeMutableBytes { room in
                var target = ZSTD_outBuffer(dst: room.baseAddress, size: room.count, pos: 0)
                return (ZSTD_compressStream2(context, &target, &input, directive), target.pos)
            }
            guard ZSTD_isError(left) == 0 else {
                throw PackageError(.file, "zstd: \(String(cString: ZSTD_getErrorName(left))).")
            }
            try writeOutput(count)
            if directive == ZSTD_e_end ? left == 0 : input.pos == input.size { return }
        }
    }

    private func writeOutput(_ count: Int) throws(PackageError) {
        var done = 0
        while done < count {
            let written = output.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress! + done, count - done) }
            if written < 0 && errno == EINTR { continue }
            guard written > 0 else { throw .file("write", path) }
            done += written
        }
    }
}
