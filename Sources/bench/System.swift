import Glibc

/// A running system under test and the shards behind it.
final class System: Sendable {
    let name: String
    let addresses: [Address]
    /// Nil where clients talk to the shards themselves.
    let process: ChildReference?
    let shards: [ChildReference]

    init(name: String, addresses: [Address], process: Child?, shards: [Child]) {
        self.name = name
        self.addresses = addresses
        self.process = process.map(ChildReference.init)
        self.shards = shards.map(ChildReference.init)
    }
}

/// What other threads may know of a child.
struct ChildReference: Sendable {
    let pid: Int32
    let log: String

    init(_ child: Child) {
        pid = child.pid
        log = child.log
    }

    var lastLines: String { (Files.read(log) ?? "").split(separator: "\n").suffix(5).map { "\n  " + $0 }.joined() }
}
