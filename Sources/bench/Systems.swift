import Glibc

/// Starts the systems, each with a process of its own, when they are first needed.
final class Systems {
    let options: Options
    let shards: Shards
    private var running: [SystemName: System] = [:]
    private var processes: [Child] = []
    private var tarns: [SystemName: TarnProcess] = [:]
    private var nextPort: UInt16 = 7201

    init(_ options: Options) {
        self.options = options
        shards = Shards(directory: options.directory, host: options.network + ".1")
    }

    var proxyHost: String { options.network + ".2" }

    func system(_ name: SystemName) throws(BenchFailure) -> System {
        if let known = running[name] { return known }
        let behind = try shards.first(name.shards)
        let system: System
        if name.kind == .direct {
            let addresses = (0..<name.shards).map(shards.address)
            system = System(name: name.text, addresses: addresses, process: nil, shards: behind)
        } else {
            let address = freshAddress()
            let process = try name.kind.isTarn ? startTarn(name, address) : startPeer(name, address)
            try Waiting.until(name.text, process) {
                guard let descriptor = try? address.connect() else { return false }
                defer { close(descriptor) }
                let probe = Array("*2\r\n$3\r\nGET\r\n$7\r\nmissing\r\n".utf8)
                return (try? address.exchange(probe, replyBytes: 5, on: descriptor)) != nil
            }
            processes.append(process)
            system = System(name: name.text, addresses: [address], process: process, shards: behind)
        }
        running[name] = system
        return system
    }

    /// A `tarn-proxy` for a part of the benchmark that asks more of it than one database.
    func freshTarn(_ label: String, _ flags: [String] = []) throws(BenchFailure) -> TarnProcess {
        try TarnProcess(options.programs + "/tarn-proxy", directory: "\(options.directory)/\(label)", flags)
    }

    func freshAddress() -> Address {
        defer { nextPort += 1 }
        return Address(host: proxyHost, port: nextPort)
    }

    private func startTarn(_ name: SystemName, _ address: Address) throws(BenchFailure) -> Child {
        let tarn = try freshTarn(name.text.replacingSlashes, name.kind.flags ?? [])
        tarns[name] = tarn
        try tarn.serve(database: 1, at: address, shards: (0..<name.shards).map(shards.socket))
        return tarn.process
    }

    private func startPeer(_ name: SystemName, _ address: Address) throws(BenchFailure) -> Child {
        let own = "\(options.directory)/\(name.text.replacingSlashes)"
        Files.makeDirectory(own)
        let places = (0..<name.shards).map { index in
            let address = shards.address(index)
            return name.usesUnixSockets ? shards.socket(index) : "\(address.host):\(address.port)"
        }
        let peer = PeerConfiguration(name: name, address: address, shards: places, directory: own)
        try Files.write(peer.text, to: peer.file)
        return try Child(peer.command(predixy: options.predixy), log: own + "/log")
    }
}

extension String {
    var replacingSlashes: String { String(map { $0 == "/" ? "-" : $0 }) }
}
