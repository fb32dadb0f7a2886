import FoundationEssentials
import Glibc

/// Short words for what dev does with files; paths are strings.
enum Files {
    static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

    static func read(_ path: String) -> [UInt8]? {
        (try? Data(contentsOf: URL(filePath: path))).map(Array.init)
    }

    static func text(_ path: String) -> String? {
        read(path).map { String(decoding: $0, as: UTF8.self) }
    }

    /// Whole or not at all, also when dev dies on the way.
    static func write(_ bytes: some Sequence<UInt8>, to path: String, mode: mode_t = 0o644) throws {
        let temporary = path + ".new"
        unlink(temporary)
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode)
        guard descriptor >= 0 else { throw failure("create", temporary) }
        defer { close(descriptor) }
        var rest = Array(bytes)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            guard count > 0 || errno == EINTR else { throw failure("write", temporary) }
            rest = rest.dropFirst(max(0, count))
        }
        guard rename(temporary, path) == 0 else { throw failure("rename to", path) }
    }

    static func write(_ text: String, to path: String, mode: mode_t = 0o644) throws {
        try write(text.utf8, to: path, mode: mode)
    }

    static func makeDirectory(_ path: String) throws {
        do {
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        } catch {
            throw Failure(.environment, "cannot make the directory \(path): \(error)")
        }
    }

    static func remove(_ path: String) throws {
        guard lstatSucceeds(path) else { return }
        do {
            try FileManager.default.removeItem(atPath: path)
        } catch {
            throw Failure(.environment, "cannot remove \(path): \(error)")
        }
    }

    static func copy(_ source: String, to target: String) throws {
        try remove(target)
        do {
            try FileManager.default.copyItem(atPath: source, toPath: target)
        } catch {
            throw Failure(.environment, "cannot copy \(source) to \(target): \(error)")
        }
    }

    /// Names, sorted; none when it is not a directory.
    static func list(_ directory: String) -> [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []).sorted()
    }

    /// Paths of all regular files below, relative to it, sorted. Hidden ones are left out.
    static func tree(_ directory: String) -> [String] {
        list(directory).filter { !$0.hasPrefix(".") }.flatMap { name in
            isDirectory("\(directory)/\(name)") ? tree("\(directory)/\(name)").map { "\(name)/\($0)" } : [name]
        }
    }

    static func isDirectory(_ path: String) -> Bool { status(path).map { $0.st_mode & S_IFMT == S_IFDIR } ?? false }

    static func size(_ path: String) -> Int { status(path).map { Int($0.st_size) } ?? 0 }

    static func status(_ path: String) -> stat? {
        var info = stat()
        return stat(path, &info) == 0 ? info : nil
    }

    private static func lstatSucceeds(_ path: String) -> Bool {
        var info = stat()
        return lstat(path, &info) == 0
    }

    private static func failure(_ verb: String, _ path: String) -> Failure {
        Failure(.environment, "cannot \(verb) \(path): \(String(cString: strerror(errno)))")
    }
}
