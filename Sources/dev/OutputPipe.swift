import Glibc

/// One output of a child: bytes kept, lines reported as they become whole.
final class OutputPipe {
    let readEnd: Int32
    private(set) var writeEnd: Int32
    private(set) var bytes: [UInt8] = []
    private(set) var isClosed = false
    private var reported = 0

    init() throws {
        var ends: [Int32] = [0, 0]
        guard pipe(&ends) == 0 else {
            throw Failure(.environment, "cannot make a pipe: \(String(cString: strerror(errno)))")
        }
        readEnd = ends[0]
        writeEnd = ends[1]
        // Not inherited by children started later; dev has one thread, so none can start in between.
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        _ = fcntl(readEnd, F_SETFL, O_NONBLOCK)
    }

    deinit {
        closeWriteEnd()
        close(readEnd)
    }

    func closeWriteEnd() {
        guard writeEnd >= 0 else { return }
        close(writeEnd)
        writeEnd = -1
    }

    /// Takes what one read gives and reports the lines completed by it.
    func read(_ onLine: ((String) -> Void)?) {
        guard !isClosed else { return }
        var chunk = [UInt8](repeating: 0, count: 65536)
        let count = Glibc.read(readEnd, &chunk, chunk.count)
        if count > 0 {
            bytes.append(contentsOf: chunk[..<count])
            report(onLine)
        } else if count == 0 || (errno != EAGAIN && errno != EINTR) {
            isClosed = true
        }
    }

    /// Takes what is there without waiting.
    func drain(_ onLine: ((String) -> Void)?) {
        var before = -1
        while !isClosed, bytes.count != before {
            before = bytes.count
            read(onLine)
        }
    }

    /// Reports a last line without a line feed.
    func finish(_ onLine: ((String) -> Void)?) {
        guard reported < bytes.count else { return }
        onLine?(String(decoding: bytes[reported...], as: UTF8.self))
        reported = bytes.count
    }

    private func report(_ onLine: ((String) -> Void)?) {
        while let end = bytes[reported...].firstIndex(of: UInt8(ascii: "\n")) {
            onLine?(String(decoding: bytes[reported..<end], as: UTF8.self))
            reported = end + 1
        }
    }
}
