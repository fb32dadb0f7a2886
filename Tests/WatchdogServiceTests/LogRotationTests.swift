import Glibc
import Testing
import WatchdogService

/// Appends numbered lines to a file from a thread of its own until it is told to stop, as a process' log is written.
private final class LineWriter: @unchecked Sendable {
    private let descriptor: Int32
    private let isStopped = UnsafeMutablePointer<Bool>.allocate(capacity: 1)
    private var thread = pthread_t()

    init(path: String) {
        descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
        isStopped.initialize(to: false)
        pthread_create(
            &thread, nil,
            { context in
                guard let context else { return nil }
                let writer = Unmanaged<LineWriter>.fromOpaque(context).takeUnretainedValue()
                var number = 0
                while !writer.isStopped.pointee {
                    let line = "\(number)\n"
                    _ = write(writer.descriptor, line, line.utf8.count)
                    number += 1
                }
                return nil
            }, Unmanaged.passUnretained(self).toOpaque())
    }

    func stop() {
        isStopped.pointee = true
        pthread_join(thread, nil)
        close(descriptor)
    }
}

private func content(of path: String) -> [UInt8]? {
    guard let file = fopen(path, "r") else { return nil }
    defer { fclose(file) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 1 << 16)
    while case let count = fread(&chunk, 1, chunk.count, file), count > 0 { bytes += chunk[..<count] }
    return bytes
}

private func withDirectory<Result>(_ body: (String) throws -> Result) rethrows -> Result {
    let template = strdup("/tmp/tarn-rotation-XXXXXX")
    defer { free(template) }
    guard let template, let made = mkdtemp(template) else { preconditionFailure("no temporary directory") }
    let path = String(cString: made)
    defer {
        for name in ["a.log", "a.log.tmp"] + (1...9).map({ "a.log.\($0)" }) { unlink("\(path)/\(name)") }
        rmdir(path)
    }
    return try body(path)
}

private func rotate(_ path: String, beyond limitBytes: Int64) -> Bool {
    guard let rotation = LogRotation(of: path, limitBytes: limitBytes) else { return false }
    while rotation.step() {}
    return true
}

@Suite struct Rotation {
    @Test func anActiveWriterLosesAtMostTheMomentOfTheEmptying() throws {
        try withDirectory { directory in
            let path = "\(directory)/a.log"
            let writer = LineWriter(path: path)
            let deadline = ContinuousClock.now + .seconds(20)
            while !rotate(path, beyond: 2 << 20), ContinuousClock.now < deadline { usleep(1000) }
            usleep(10_000)
            writer.stop()

            let old = try #require(content(of: "\(path).1"))
            let new = try #require(content(of: path))
            #expect(old.count > 2 << 20)
            #expect(!new.contains(0), "the writer appends, so an emptied file has no hole")
            // A reader may see a write half done where it crosses a page, so the copy's last line can be cut short:
            // that line is part of the moment that may be lost.
            let whole = old[..<(old.lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0)]
            let numbers = [Array(whole), new].map { bytes in
                bytes.split(separator: UInt8(ascii: "\n")).compactMap { Int(String(decoding: $0, as: UTF8.self)) }
            }
            // Whole lines, each once, without a gap but the one between the two files.
            #expect(numbers[0] == Array(0..<numbers[0].count))
            let resumed = try #require(numbers[1].first)
            #expect(numbers[1] == Array(resumed..<resumed + numbers[1].count))
            let lost = resumed - numbers[0].count
            #expect(lost >= 0)
            #expect(lost < numbers[0].count / 10, "lost \(lost) of \(numbers[0].count) lines")
        }
    }

    @Test func fiveOldOnesAreKept() {
        withDirectory { directory in
            let path = "\(directory)/a.log"
            for round in 1...7 {
                let descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND, 0o600)
                let text = "round \(round)\n"
                _ = write(descriptor, text, text.utf8.count)
                close(descriptor)
                #expect(rotate(path, beyond: 4))
            }
            for age in 1...5 {
                let text = content(of: "\(path).\(age)").map { String(decoding: $0, as: UTF8.self) }
                #expect(text == "round \(8 - age)\n")
            }
            #expect(access("\(path).6", F_OK) != 0)
            #expect(content(of: path)?.isEmpty == true)
        }
    }

    @Test func aSmallLogIsLeftAloneAndALinkIsNotFollowed() {
        withDirectory { directory in
            let path = "\(directory)/a.log"
            symlink("/etc/passwd", path)
            #expect(!rotate(path, beyond: 1))
            unlink(path)
            #expect(!rotate(path, beyond: 1))
        }
    }
}
