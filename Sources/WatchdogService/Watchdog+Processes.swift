import CLinux
import Glibc
import NodeLayout
import Primitives
import WatchdogProtocol

// Carries out what the table decides, and tells it what became of it.
extension Watchdog {
    func perform(_ actions: [ProcessTable.Action]) {
        for action in actions {
            switch action {
            case .spawn(let name): spawn(name)
            case .adopt(let name, let identity): adopt(name, identity)
            case .signal(let identity, let number): signal(identity, number)
            case .kill(let identity):
                Journal.note("killing a process that did not stop in time", ["pid": String(identity.pid)])
                killGroup(of: identity)
                signal(identity, SIGKILL)
            case .save: isStateChanged = true
            case .reply(let ticket, let reply): send(reply, to: ticket.connection)
            case .broadcast(let reply):
                note(reply)
                for number in connections.keys { send(reply, to: number) }
            case .finish: finish()
            }
        }
    }

    /// Collects whatever has ended: our own, and orphans that came to us as PID 1 or subreaper.
    func reap() {
        var exit = clinux_exit()
        while clinux_peek_ended(&exit) == 0, exit.pid > 0 {
            if let name = watched.first(where: { $0.value.identity.pid == exit.pid })?.key {
                ended(name)
                // Not collected by its descriptor: then it would be the first again, for ever.
                if watched[name]?.identity.pid == exit.pid { return }
            } else {
                _ = clinux_collect(exit.pid, 0, &exit)
            }
            exit = clinux_exit()
        }
    }

    /// Called for the process' descriptor or for SIGCHLD, whichever is first.
    func ended(_ name: String) {
        guard let process = watched[name] else { return }
        var result = clinux_exit()
        let error = clinux_collect_descriptor(process.descriptor, &result)
        // Neither an error nor a pid: it still lives, the event was about a thread of it or an earlier wait.
        if error == 0, result.pid == 0 { return }
        // What it forked and left behind, as a background save, must not go on beside its successor.
        killGroup(of: process.identity)
        forget(name)
        let exit: ProcessExit =
            error != 0 ? .unknown : result.is_signal != 0 ? .signal(result.status) : .status(result.status)
        perform(table.exited(name, exit, at: ProcessFacts.now()))
    }

    private func spawn(_ name: String) {
        guard let specification = table.specification(of: name) else { return }
        do throws(WatchdogError) {
            var process = try Spawner.fork(
                specification, environment: OwnProcesses.environment(of: specification, settings, paths),
                log: paths.log(of: name))
            // Before it goes on: a process that runs unwatched would be worse than none.
            do { try watch(name, process.identity) } catch {
                process.abandon()
                throw error
            }
            perform(table.forked(name, as: process.identity))
            saveIfChanged()
            try process.release(directory: specification.workingDirectory)
            Journal.note("process started", ["name": name, "pid": String(process.identity.pid)])
            perform(table.started(name, at: ProcessFacts.now()))
        } catch {
            forget(name)
            Journal.note("process could not be started", ["name": name, "error": error.message])
            perform(table.startFailed(name, because: error.message, at: ProcessFacts.now()))
        }
    }

    private func adopt(_ name: String, _ identity: ProcessIdentity) {
        do {
            try watch(name, identity)
            Journal.note("process adopted", ["name": name, "pid": String(identity.pid)])
        } catch {
            // It was there a moment ago, so it has ended just now.
            perform(table.exited(name, .unknown, at: ProcessFacts.now()))
        }
    }

    private func watch(_ name: String, _ identity: ProcessIdentity) throws(WatchdogError) {
        let descriptor = clinux_pidfd_open(identity.pid)
        guard descriptor >= 0 else { throw .system("watch pid \(identity.pid)") }
        do { try poll.add(.process(name), descriptor) } catch {
            close(descriptor)
            throw error
        }
        watched[name] = Watched(identity: identity, descriptor: descriptor)
    }

    private func forget(_ name: String) {
        guard let process = watched.removeValue(forKey: name) else { return }
        poll.remove(.process(name))
        close(process.descriptor)
    }

    func signal(_ identity: ProcessIdentity, _ number: Int32) {
        guard let process = watched.values.first(where: { $0.identity == identity }) else { return }
        _ = clinux_pidfd_signal(process.descriptor, number)
    }

    /// Every process leads a group of its own. While the group has members its number is not used again.
    private func killGroup(of identity: ProcessIdentity) {
        if identity.pid > 1 { kill(-identity.pid, SIGKILL) }
    }

    /// Before anything is answered, and before a new process goes on to its program.
    func saveIfChanged() {
        guard isStateChanged else { return }
        isStateChanged = false
        let state = SavedState(machine: ProcessFacts.machine(), processes: table.saved)
        var writer = WireWriter()
        state.encode(into: &writer)
        do { try HostFile.replace(paths.watchdogState, with: writer.bytes) } catch {
            Journal.note("state could not be saved", ["error": error.message])
        }
    }

    private func finish() {
        isFinished = true
        isStateChanged = false
        unlink(paths.watchdogSocket)
        unlink(paths.watchdogState)
    }

    private func note(_ event: WatchdogReply) {
        switch event {
        case .exited(let status):
            let exit = status.lastExit.map { String(describing: $0) } ?? "unknown"
            Journal.note("process ended", ["name": status.name, "exit": exit])
        case .restarted(let status):
            Journal.note("process restarted", ["name": status.name, "restarts": String(status.restarts)])
        case .done, .failed: break
        }
    }
}
