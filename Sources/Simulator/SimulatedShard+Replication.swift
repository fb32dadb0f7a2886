import ClusterModel

/// PSYNC between two shards: partial where the histories agree, else a whole copy.
extension SimulatedShard {
    private static let retryPause = Span.seconds(1)
    /// How long a silent connection is taken for one: redis' `repl-timeout`.
    private static let linkTimeout = Span.seconds(10)

    // MARK: The replica's side

    /// Tries until there is a link, as redis does: at once, then every second.
    func connect(_ number: Int) {
        guard number == generation, case .replica(let id) = role else { return }
        simulation.after(Self.retryPause, for: process) { [unowned self] in
            guard number == generation else { return }
            if isLinkUp || isSynchronizing { watchLink(number) } else { connect(number) }
        }
        guard !isLinkUp, !isSynchronizing, let primary = simulation.shards[id], primary.process.isAlive,
            simulation.network.isOpenBothWays(process.node, primary.process.node)
        else { return }
        let request = (history: history, offset: offset)
        let life = primary.process.life
        let delay = simulation.network.delay(process.node, primary.process.node)
        simulation.after(delay, for: primary.process) { [unowned self] in
            guard primary.process.life == life, number == generation else { return }
            primary.attach(self, number, history: request.history, offset: request.offset)
        }
    }

    private func watchLink(_ number: Int) {
        guard number == generation else { return }
        if let peer = linkPeer, peer.shard.process.life != peer.life {
            // A machine that still runs closes the connections of its dead processes; one without power doesn't.
            let isTold =
                simulation.node(peer.shard.process.node).isPowered
                && simulation.network.isOpen(peer.shard.process.node, process.node)
            if isTold || peer.since + Self.linkTimeout < simulation.now {
                isLinkUp = false
                isSynchronizing = false
                generation += 1
                return connect(generation)
            }
        } else if let peer = linkPeer {
            linkPeer?.since = simulation.now
            // The primary has forgotten us: a FIN will have come.
            if !peer.shard.attachments.contains(where: { $0.shard === self && $0.generation == number }) {
                isLinkUp = false
                isSynchronizing = false
                generation += 1
                return connect(generation)
            }
        }
        simulation.after(Self.retryPause, for: process) { [unowned self] in watchLink(number) }
    }

    // MARK: The primary's side

    private func attach(_ replica: SimulatedShard, _ number: Int, history: Int, offset: Int) {
        // A replica without a link to its own primary refuses (NOMASTERLINK), one that loads does, too.
        guard !isLoading, role == .primary || isLinkUp else { return }
        attachments.removeAll { $0.shard === replica }
        let pipe = simulation.network.open(from: process.node, to: replica.process)
        attachments.append(Attachment(shard: replica, generation: number, pipe: pipe))
        replica.linkPeer = (self, process.life, simulation.now)
        let agrees =
            history == self.history && offset <= log.count
            || earlier.map { history == $0.history && offset <= $0.upTo } ?? false
        if agrees {
            send(replica, number, from: offset, isWhole: false)
        } else {
            replica.isSynchronizing = true
            simulation.after(simulation.random.milliseconds(30...600), for: process) { [unowned self] in
                send(replica, number, from: 0, isWhole: true)
            }
        }
    }

    private func send(_ replica: SimulatedShard, _ number: Int, from start: Int, isWhole: Bool) {
        guard let index = attachments.firstIndex(where: { $0.shard === replica && $0.generation == number }) else {
            return
        }
        attachments[index].isStreaming = true
        let copy = log
        let history = history
        simulation.network.send(over: attachments[index].pipe) { [unowned self] in
            guard number == replica.generation else { return }
            if isWhole {
                replica.load(copy, history: history)
                simulation.tell(replica.process, "has a whole copy of shard \(id), \(copy.count) writes")
            } else {
                replica.continueFrom(start, Array(copy[start...]), history: history)
                replica.caughtUp()
                simulation.tell(replica.process, "goes on with shard \(id) from \(start)")
            }
            replica.acknowledge(to: self, number)
        }
    }

    func stream(_ index: Int, from start: Int) {
        let replica = attachments[index].shard
        let number = attachments[index].generation
        let writes = Array(log[start...])
        let history = history
        simulation.network.send(over: attachments[index].pipe) { [unowned self] in
            guard number == replica.generation else { return }
            replica.continueFrom(start, writes, history: history)
            replica.acknowledge(to: self, number)
        }
    }

    private func acknowledge(to primary: SimulatedShard, _ number: Int) {
        guard simulation.isDurable(database) else { return }
        let offset = offset
        let life = primary.process.life
        let from = process.node
        // The way back is a connection, too; what it loses comes with the next acknowledgement.
        simulation.network.sendDatagram(from: from, to: primary.process) { [unowned self] in
            guard primary.process.life == life,
                primary.attachments.contains(where: { $0.shard === self && $0.generation == number })
            else { return }
            primary.acknowledged(offset)
        }
    }
}
