import Glibc

/// Tells whether the inputs of a step are what they were when the step last succeeded.
///
/// Made of paths, sizes and modification times: a wrong "changed" costs one null build, and a whole tree takes a few
/// milliseconds. FNV-1a is enough, nobody attacks it.
struct Fingerprint {
    private var hash: UInt64 = 0xCBF2_9CE4_8422_2325

    mutating func add(_ text: String) {
        for byte in text.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        hash = (hash ^ 0xFF) &* 0x100_0000_01B3
    }

    mutating func add(file path: String) {
        guard let status = Files.status(path) else { return add("\(path) is not there") }
        add("\(path) \(status.st_size) \(status.st_mtim.tv_sec).\(status.st_mtim.tv_nsec)")
    }

    mutating func add(tree path: String) {
        for file in Files.tree(path) { add(file: "\(path)/\(file)") }
    }

    var value: String { String(hash, radix: 16) }
}

/// The fingerprint at the last success, in `.build/dev-stamps`.
struct Stamp {
    let path: String

    init(path: String) { self.path = path }

    init(_ name: String, _ workspace: Workspace) { path = "\(workspace.stamps)/\(name)" }

    func matches(_ fingerprint: Fingerprint) -> Bool { Files.text(path) == fingerprint.value }
    func save(_ fingerprint: Fingerprint) throws { try Files.write(fingerprint.value, to: path) }
}
