package import Primitives

extension ProcessSpecification: WireMessage {
    package func encode(into writer: inout WireWriter) {
        writer.write(name)
        writer.write(executable)
        writer.write(list: arguments) { $0.write($1) }
        writer.write(list: environment.sorted { $0.key < $1.key }) {
            $0.write($1.key)
            $0.write($1.value)
        }
        writer.write(workingDirectory)
        writer.write(restart.rawValue)
        writer.write(addressSpaceLimitBytes)
        writer.write(openFileLimit)
        writer.write(outOfMemoryScore)
        writer.write(stopSignal)
        writer.write(stopTimeoutMilliseconds)
        writer.write(stopPhase)
    }

    package init(from reader: inout WireReader) throws(WireError) {
        name = try reader.readString()
        executable = try reader.readString()
        arguments = try reader.readList { reader throws(WireError) in try reader.readString() }
        let pairs = try reader.readList { reader throws(WireError) in
            (try reader.readString(), try reader.readString())
        }
        environment = Dictionary(pairs) { _, last in last }
        workingDirectory = try reader.readString()
        guard let restart = Restart(rawValue: try reader.read()) else { throw .invalid("restart policy") }
        self.restart = restart
        addressSpaceLimitBytes = try reader.read()
        openFileLimit = try reader.read()
        outOfMemoryScore = try reader.read()
        stopSignal = try reader.read()
        stopTimeoutMilliseconds = try reader.read()
        stopPhase = try reader.read()
    }
}

extension ProcessExit: WireMessage {
    package func encode(into writer: inout WireWriter) {
        switch self {
        case .status(let code):
            writer.write(UInt8(0))
            writer.write(code)
        case .signal(let number):
            writer.write(UInt8(1))
            writer.write(number)
        case .unknown:
            writer.write(UInt8(2))
            writer.write(Int32(0))
        }
    }

    package init(from reader: inout WireReader) throws(WireError) {
        let kind = try reader.read(UInt8.self)
        let number = try reader.read(Int32.self)
        switch kind {
        case 0: self = .status(number)
        case 1: self = .signal(number)
        case 2: self = .unknown
        default: throw .invalid("kind of exit")
        }
    }
}

extension ProcessStatus: WireMessage {
    package func encode(into writer: inout WireWriter) {
        writer.write(name)
        writer.write(state.rawValue)
        writer.write(pid)
        writer.write(restarts)
        writer.write(optional: lastExit) { $1.encode(into: &$0) }
    }

    package init(from reader: inout WireReader) throws(WireError) {
        name = try reader.readString()
        guard let state = State(rawValue: try reader.read()) else { throw .invalid("state of a process") }
        self.state = state
        pid = try reader.read()
        restarts = try reader.read()
        lastExit = try reader.readOptional { reader throws(WireError) in try ProcessExit(from: &reader) }
    }
}

extension WatchdogRequest: WireMessage {
    package func encode(into writer: inout WireWriter) {
        writer.write(number)
        switch command {
        case .start(let specification):
            writer.write(UInt8(1))
            specification.encode(into: &writer)
        case .stop(let name):
            writer.write(UInt8(2))
            writer.write(name)
        case .signal(let name, let number):
            writer.write(UInt8(3))
            writer.write(name)
            writer.write(number)
        case .list:
            writer.write(UInt8(4))
        case .reexecute(let path):
            writer.write(UInt8(5))
            writer.write(path)
        case .shutdown:
            writer.write(UInt8(6))
        }
    }

    package init(from reader: inout WireReader) throws(WireError) {
        number = try reader.read()
        switch try reader.read(UInt8.self) {
        case 1: command = .start(try ProcessSpecification(from: &reader))
        case 2: command = .stop(name: try reader.readString())
        case 3: command = .signal(name: try reader.readString(), number: try reader.read())
        case 4: command = .list
        case 5: command = .reexecute(path: try reader.readString())
        case 6: command = .shutdown
        default: throw .invalid("kind of request")
        }
    }
}

extension WatchdogReply: WireMessage {
    package func encode(into writer: inout WireWriter) {
        switch self {
        case .done(let number, let statuses):
            writer.write(UInt8(1))
            writer.write(number)
            writer.write(list: statuses) { $1.encode(into: &$0) }
        case .failed(let number, let message):
            writer.write(UInt8(2))
            writer.write(number)
            writer.write(message)
        case .exited(let status):
            writer.write(UInt8(3))
            status.encode(into: &writer)
        case .restarted(let status):
            writer.write(UInt8(4))
            status.encode(into: &writer)
        }
    }

    package init(from reader: inout WireReader) throws(WireError) {
        switch try reader.read(UInt8.self) {
        case 1:
            let number = try reader.read(UInt32.self)
            self = .done(
                number: number,
                try reader.readList { reader throws(WireError) in try ProcessStatus(from: &reader) })
        case 2:
            let number = try reader.read(UInt32.self)
            self = .failed(number: number, message: try reader.readString())
        case 3: self = .exited(try ProcessStatus(from: &reader))
        case 4: self = .restarted(try ProcessStatus(from: &reader))
        default: throw .invalid("kind of reply")
        }
    }
}
