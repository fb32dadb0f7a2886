/// All samples, by load and system in the order in which they first came.
struct Results {
    private(set) var loads: [Load] = []
    private(set) var names: [Load: [SystemName]] = [:]
    private var cells: [Load: [SystemName: Cell]] = [:]
    private var calls: [Load: [SystemName: Double]] = [:]
    var callsProblem: String?

    /// A window in which nobody was answered, on a machine that others had for all of it, says nothing of the system.
    mutating func add(_ sample: Sample, _ name: SystemName, _ load: Load) {
        if sample.requestsPerSecond == 0 { return }
        if cells[load] == nil { loads.append(load) }
        if cells[load]?[name] == nil { names[load, default: []].append(name) }
        cells[load, default: [:]][name, default: Cell()].samples.append(sample)
    }

    mutating func addCalls(_ perRequest: Double, _ name: SystemName, _ load: Load) {
        calls[load, default: [:]][name] = perRequest
    }

    func cell(_ load: Load, _ name: SystemName) -> Cell? { cells[load]?[name] }
    func calls(_ load: Load, _ name: SystemName) -> Double? { calls[load]?[name] }

    /// CPU of Tarn's proxy divided by the peer's, both with as many shards; medians.
    func ratio(_ load: Load, to peer: SystemName) -> Double? {
        let own = SystemName(.tarn, shards: peer.shards)
        guard let tarn = cell(load, own), let other = cell(load, peer) else { return nil }
        return Statistics.ratio(tarn.median(\.proxy), other.median(\.proxy))
    }

    func throughputRatio(_ load: Load, to peer: SystemName) -> Double? {
        let own = SystemName(.tarn, shards: peer.shards)
        guard let tarn = cell(load, own), let other = cell(load, peer) else { return nil }
        return Statistics.ratio(tarn.median(\.requestsPerSecond), other.median(\.requestsPerSecond))
    }
}
