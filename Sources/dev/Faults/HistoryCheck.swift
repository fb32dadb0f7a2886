/// What a history shows that a correct database would not have done. Pure: notes in, report out.
struct HistoryReport: Sendable, Equatable {
    var acknowledgedWrites = 0
    /// Acknowledged, and not there in the end.
    var lost: [Int] = []
    /// There more than once.
    var duplicated: [Int] = []
    /// There, though the client had been told that it was not done.
    var undead: [Int] = []
    /// There, and nobody ever wrote it.
    var strange: [Int] = []
    /// Appended after another append had been acknowledged, and stands before it.
    var misplaced: [Int] = []
    /// Accepted between two lost writes of the same shard and kept: two primaries took writes at the same time.
    var split: [Int] = []
    /// Reads that began after a newer value had been acknowledged or seen, and did not get it, although it was there.
    var stale: [Operation] = []
    /// Reads that got an older value because the newer one had been lost.
    var rolledBack = 0
    /// Writes whose fate the client never learnt.
    var unknown = 0
    /// Of these, the ones that were done.
    var unknownDone = 0

    /// Whether anything is wrong beyond losses, which a database without confirmed replication may have.
    var isConsistent: Bool {
        duplicated.isEmpty && undead.isEmpty && strange.isEmpty && misplaced.isEmpty && split.isEmpty && stale.isEmpty
    }
}

extension History {
    /// - Parameter forksOnce: Whether each shard's history can have broken off once at most. Only then do a kept write
    ///   between two lost ones show two primaries.
    /// - Parameter mayLose: Whether registers may have been rolled back on a shard that lost nothing else: it takes a
    ///   single lost write, and appends are only half of all.
    func report(forksOnce: Bool = true, mayLose: Bool = false) -> HistoryReport {
        var report = HistoryReport()
        let appends = operations.compactMap { operation -> (element: Int, list: Int, operation: Operation)? in
            if case .append(let list, let element) = operation.kind { (element, list, operation) } else { nil }
        }
        let byElement = Dictionary(appends.map { ($0.element, $0) }, uniquingKeysWith: { first, _ in first })
        var places: [Int: (list: Int, index: Int)] = [:]
        for (list, elements) in lists.sorted(by: { $0.key < $1.key }) {
            for (index, element) in elements.enumerated() {
                if byElement[element]?.list != list {
                    report.strange.append(element)
                } else if places.updateValue((list, index), forKey: element) != nil {
                    report.duplicated.append(element)
                }
            }
        }
        for append in appends {
            let isThere = places[append.element] != nil
            switch append.operation.outcome {
            case .done, .value:
                report.acknowledgedWrites += 1
                if !isThere { report.lost.append(append.element) }
            case .refused:
                if isThere { report.undead.append(append.element) }
            case .unknown:
                report.unknown += 1
                if isThere { report.unknownDone += 1 }
            }
        }
        report.misplaced = misplaced(byElement.mapValues(\.operation))
        if forksOnce { report.split = split(appends.map { ($0.element, $0.operation) }, kept: Set(places.keys)) }
        let losing = Set(report.lost.compactMap { byElement[$0]?.operation.shard })
        report.stale += staleLasts(byElement.mapValues(\.operation), places)
        addRegisters(to: &report, losing: { mayLose || losing.contains($0) })
        report.stale.sort { $0.start < $1.start }
        return report
    }

    /// The list is the order in which the database did things: who stands behind an element must not have ended before
    /// that element's append began.
    private func misplaced(_ appends: [Int: Operation]) -> [Int] {
        lists.sorted { $0.key < $1.key }.flatMap { _, elements in
            var found: [Int] = []
            var latestStart = Int64.min
            for element in elements {
                guard let append = appends[element] else { continue }
                if append.outcome == .done, append.end < latestStart { found.append(element) }
                latestStart = max(latestStart, append.start)
            }
            return found
        }
    }

    /// Writes lost with a dead primary are the end of its history. One that was kept, and lies in time wholly between
    /// two of them, was taken by another primary while the first one still took some.
    private func split(_ appends: [(element: Int, operation: Operation)], kept: Set<Int>) -> [Int] {
        let acknowledged = appends.filter { $0.operation.outcome == .done }
        return Dictionary(grouping: acknowledged, by: \.operation.shard).sorted { $0.key < $1.key }.flatMap { _, all in
            let lost = all.filter { !kept.contains($0.element) }.map(\.operation)
            guard let firstEnd = lost.map(\.end).min(), let lastStart = lost.map(\.start).max() else { return [Int]() }
            return all.filter {
                kept.contains($0.element) && $0.operation.start > firstEnd && $0.operation.end < lastStart
            }.map(\.element)
        }
    }

    /// What is in the list in the end tells exactly what each read of its last element had to know: everything that
    /// had been acknowledged when it began and is there in the end, and every last element that had been read by then.
    private func staleLasts(
        _ appends: [Int: Operation], _ places: [Int: (list: Int, index: Int)]
    ) -> [Operation] {
        var known: [Int: [(end: Int64, index: Int)]] = [:]
        for (element, append) in appends where append.outcome == .done {
            if let place = places[element] { known[place.list, default: []].append((append.end, place.index)) }
        }
        let reads = operations.compactMap { operation -> (list: Int, index: Int, operation: Operation)? in
            guard case .last(let list) = operation.kind, case .value(let element) = operation.outcome else {
                return nil
            }
            guard let element else { return (list, -1, operation) }
            // An element that was lost, or that nobody wrote: told of as such.
            return places[element].map { (list, $0.index, operation) }
        }
        for read in reads where read.index >= 0 {
            known[read.list, default: []].append((read.operation.end, read.index))
        }
        let floors = known.mapValues { Floor($0.map { ($0.end, $0.index) }) }
        return reads.filter { $0.index < floors[$0.list]?.value(before: $0.operation.start) ?? -1 }.map(\.operation)
    }

    /// A register's old versions leave no trace. Where nothing of the newer ones can have been lost, an older value is
    /// stale; where it can, it is stale if a newer one was seen again later, and else counts as rolled back.
    ///
    /// What can be lost is all of a shard that loses, and everywhere a version that its writer was never told was done:
    /// it can be read at its primary and go with it. Such a version may also arrive long after newer ones, so reading
    /// it proves nothing.
    private func addRegisters(to report: inout HistoryReport, losing: (Int) -> Bool) {
        var known: [Int: [(end: Int64, version: Int)]] = [:]
        var reads: [(register: Int, version: Int, operation: Operation)] = []
        var refused: [Int: Set<Int>] = [:]
        var givenUp: [Int: Set<Int>] = [:]
        for operation in operations {
            switch (operation.kind, operation.outcome) {
            case (.write(let register, let version), .done):
                report.acknowledgedWrites += 1
                known[register, default: []].append((operation.end, version))
            case (.write(let register, let version), .refused): refused[register, default: []].insert(version)
            case (.write(let register, let version), .unknown):
                report.unknown += 1
                givenUp[register, default: []].insert(version)
            case (.read(let register), .value(let version)):
                reads.append((register, version ?? 0, operation))
                known[register, default: []].append((operation.end, version ?? 0))
            default: break
            }
        }
        let floors = known.mapValues { Floor($0.map { ($0.end, $0.version) }) }
        let promised = Dictionary(
            uniqueKeysWithValues: known.map { register, all in
                let sure = all.filter { givenUp[register]?.contains($0.version) != true }
                return (register, Floor(sure.map { ($0.end, $0.version) }))
            })
        let seen = Dictionary(grouping: reads, by: \.register).mapValues { Set($0.map(\.version)) }
        for (register, versions) in refused.sorted(by: { $0.key < $1.key }) {
            report.undead += versions.intersection(seen[register] ?? []).sorted()
        }
        for read in reads {
            let floor = floors[read.register]?.value(before: read.operation.start) ?? 0
            guard read.version < floor, givenUp[read.register]?.contains(read.version) != true else { continue }
            let isSeenLater = reads.contains {
                $0.register == read.register && $0.operation.start > read.operation.end
                    && $0.version > read.version && $0.version <= floor
            }
            let lacksPromised = read.version < promised[read.register]?.value(before: read.operation.start) ?? 0
            if isSeenLater || lacksPromised && !losing(read.operation.shard) {
                report.stale.append(read.operation)
            } else {
                report.rolledBack += 1
            }
        }
    }
}

/// The highest number that was known at a moment.
private struct Floor {
    private let times: [Int64]
    private let highest: [Int]

    init(_ known: [(time: Int64, number: Int)]) {
        let sorted = known.sorted { $0.time < $1.time }
        times = sorted.map(\.time)
        var top = Int.min
        highest = sorted.map { entry in
            top = max(top, entry.number)
            return top
        }
    }

    /// Of all that was known strictly before `time`.
    func value(before time: Int64) -> Int? {
        var low = 0
        var high = times.count
        while low < high {
            let middle = (low + high) / 2
            if times[middle] < time { low = middle + 1 } else { high = middle }
        }
        return low > 0 ? highest[low - 1] : nil
    }
}
