package import Primitives
package import WatchdogProtocol

/// A process as the state file remembers it.
package struct SavedProcess: Hashable, Sendable {
    package enum State: Hashable, Sendable {
        case running(ProcessIdentity)
        case stopping(ProcessIdentity)
        case waitingToRestart
        case ended
    }

    package var specification: ProcessSpecification
    package var state: State
    package var starts: UInt32
    package var failures: UInt32
    package var lastExit: ProcessExit?

    package init(
        specification: ProcessSpecification, state: State, starts: UInt32, failures: UInt32, lastExit: ProcessExit?
    ) {
        self.specification = specification
        self.state = state
        self.starts = starts
        self.failures = failures
        self.lastExit = lastExit
    }
}

/// Everything that a watchdog needs to take over from one that was killed or has replaced itself.
package struct SavedState: Hashable, Sendable {
    /// Raised with every change of the layout; another one is refused instead of misread.
    package static let layout: UInt8 = 1

    /// Boot and pid namespace in which the pids mean anything.
    package var machine: String
    package var processes: [SavedProcess]

    package init(machine: String, processes: [SavedProcess]) {
        self.machine = machine
        self.processes = processes
    }
}

extension SavedState: WireMessage {
    package func encode(into writer: inout WireWriter) {
        writer.write(Self.layout)
        writer.write(machine)
        writer.write(list: processes) { $1.encode(into: &$0) }
    }

    package init(from reader: inout WireReader) throws(WireError) {
        guard try reader.read(UInt8.self) == Self.layout else { throw .invalid("layout of the state file") }
        machine = try reader.readString()
        processes = try reader.readList { reader throws(WireError) in try SavedProcess(from: &reader) }
        guard reader.isAtEnd else { throw .invalid("rest after the state") }
    }
}

extension SavedProcess: WireMessage {
    package func encode(into writer: inout WireWriter) {
        specification.encode(into: &writer)
        let (kind, identity): (UInt8, ProcessIdentity) =
            switch state {
            case .running(let identity): (0, identity)
            case .stopping(let identity): (1, identity)
            case .waitingToRestart: (2, ProcessIdentity(pid: 0, startTicks: 0))
            case .ended: (3, ProcessIdentity(pid: 0, startTicks: 0))
            }
        writer.write(kind)
        writer.write(identity.pid)
        writer.write(identity.startTicks)
        writer.write(starts)
        writer.write(failures)
        writer.write(optional: lastExit) { $1.encode(into: &$0) }
    }

    package init(from reader: inout WireReader) throws(WireError) {
        specification = try ProcessSpecification(from: &reader)
        let kind = try reader.read(UInt8.self)
        let identity = ProcessIdentity(pid: try reader.read(), startTicks: try reader.read())
        switch kind {
        case 0: state = .running(identity)
        case 1: state = .stopping(identity)
        case 2: state = .waitingToRestart
        case 3: state = .ended
        default: throw .invalid("state of a saved process")
        }
        starts = try reader.read()
        failures = try reader.read()
        lastExit = try reader.readOptional { reader throws(WireError) in try ProcessExit(from: &reader) }
    }
}
