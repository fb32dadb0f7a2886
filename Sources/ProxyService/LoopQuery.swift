import ClusterModel
import ProxyCore
import RESP

/// What one loop asks all loops about the clients of a database.
struct ClientQuery: Sendable {
    enum Body: Sendable {
        case list(ClientFilter)
        case exists(identifier: Int)
        /// Keys that a client has to forget, told to another one.
        case invalidate(target: Int, keys: [UInt8])
        /// The other one is gone.
        case redirectBroken(asker: Int, target: Int)
        case kill(ClientFilter)
        /// - Parameter isError: The blocked command ends with an error instead of as if its time were over.
        case unblock(identifier: Int, isError: Bool)
        /// - Parameter until: Monotonic milliseconds.
        case pause(until: Int, isWritesOnly: Bool)
        case unpause
        /// A command that no shard has seen, for those who MONITOR.
        case monitored(line: [UInt8])
    }

    let database: DatabaseID
    let body: Body
}

/// What one loop answers.
struct ClientAnswer: Sendable {
    var count = 0
    /// By identifier, so that the lists of all loops can be put in order.
    var lines: [Line] = []

    struct Line: Sendable {
        var identifier: Int
        var text: [UInt8]
    }
}

/// A question that is under way; the session that asked waits for its end.
final class LoopQuery {
    /// How the answers become a reply.
    enum Reply {
        case count
        /// CLIENT KILL in its old form: an error where nobody was found.
        case okIfAny
        case ok
        case lines
        /// Nothing is said; the session takes its command again and finds what was answered.
        case noteRedirect(identifier: Int)
    }

    let session: SessionPointer
    let sequence: UInt32
    let reply: Reply
    private var missing: Int
    private(set) var answer = ClientAnswer()

    init(session: SessionPointer, sequence: UInt32, reply: Reply, missing: Int) {
        self.session = session
        self.sequence = sequence
        self.reply = reply
        self.missing = missing
    }

    /// - Returns: True when this was the last answer.
    func add(_ part: ClientAnswer) -> Bool {
        answer.count += part.count
        answer.lines += part.lines
        missing -= 1
        return missing == 0
    }

    func text(usesRESP3: Bool) -> [UInt8] {
        var writer = ReplyWriter(usesRESP3: usesRESP3)
        switch reply {
        case .count: writer.integer(answer.count)
        case .ok: writer.simple("OK")
        case .noteRedirect: break
        case .okIfAny: if answer.count > 0 { writer.simple("OK") } else { writer.error("ERR No such client") }
        case .lines:
            let ordered = answer.lines.sorted { $0.identifier < $1.identifier }
            writer.verbatim(ordered.flatMap(\.text))
        }
        return writer.bytes
    }
}

/// Where a shard's answer to a question on behalf of another loop belongs.
final class Relay {
    let origin: Int
    let ticket: Int
    var missing: Int
    var count = 0

    init(origin: Int, ticket: Int, missing: Int) {
        self.origin = origin
        self.ticket = ticket
        self.missing = missing
    }
}

extension Worker {
    /// Asks every loop, this one too and in the same way; the session waits for the answer.
    mutating func askLoops(
        _ session: SessionPointer, _ body: ClientQuery.Body, _ reply: LoopQuery.Reply, only loop: Int? = nil
    ) -> Step {
        lastQuery += 1
        let asked = loop.map { [loops[$0]] } ?? loops
        queries[lastQuery] = LoopQuery(
            session: session, sequence: session.pointee.nextSequence, reply: reply, missing: asked.count)
        session.pointee.nextSequence &+= 1
        let query = ClientQuery(database: session.pointee.database.pointee.table.routes.database, body: body)
        for mailbox in asked { mailbox.post(.query(query, origin: index, ticket: lastQuery)) }
        return .nextAfterReplies
    }

    /// A question of some loop; the answer goes into its mailbox, now or when a shard has answered.
    mutating func answer(_ query: ClientQuery, _ origin: Int, _ ticket: Int) {
        var answer = ClientAnswer()
        if let database = databases[query.database.rawValue] {
            switch query.body {
            case .list(let filter):
                for session in sessions(of: database) where filter.matches(facts(session)) {
                    answer.lines.append(
                        ClientAnswer.Line(identifier: session.pointee.identifier, text: describe(session)))
                }
            case .exists(let identifier): answer.count = find(database, identifier) == nil ? 0 : 1
            case .invalidate(let target, let keys):
                if let session = find(database, target) {
                    tellInvalid(session, keys)
                } else {
                    let body = ClientQuery.Body.redirectBroken(asker: ticket, target: target)
                    let back = ClientQuery(database: query.database, body: body)
                    loops[origin].post(.query(back, origin: index, ticket: 0))
                }
                return
            case .redirectBroken(let asker, let target):
                if let session = find(database, asker) { noteRedirectBroken(session, target) }
                return
            case .kill(let filter):
                for session in sessions(of: database) where filter.matches(facts(session)) {
                    answer.count += 1
                    if session.pointee.identifier == filter.asker {
                        closeWhenDone(session)  // It gets its reply first.
                    } else {
                        close(session)
                    }
                }
            case .unblock(let identifier, let isError):
                if unblock(database, identifier, isError, Relay(origin: origin, ticket: ticket, missing: 0)) { return }
            case .pause(let until, let isWritesOnly): pause(database, until, isWritesOnly)
            case .unpause: endPause(database)
            case .monitored(var line):
                for session in sessions(of: database) where session.pointee.details?.isMonitor == true {
                    line.withUnsafeMutableBufferPointer { tell(session, $0.baseAddress!, $0.count) }
                }
                return
            }
        }
        loops[origin].post(.answer(ticket: ticket, answer))
    }

    mutating func take(_ answer: ClientAnswer, _ ticket: Int) {
        guard let query = queries[ticket], query.add(answer) else { return }
        queries[ticket] = nil
        if case .noteRedirect(let identifier) = query.reply {
            query.session.pointee.details?.redirectCheck = (identifier, query.answer.count > 0)
        }
        deliver(query.session, query.sequence, query.text(usesRESP3: query.session.pointee.usesRESP3))
    }

    func find(_ database: DatabasePointer, _ identifier: Int) -> SessionPointer? {
        var next = database.pointee.firstSession
        while let session = next, session.pointee.identifier != identifier { next = session.pointee.next }
        return next
    }

    /// A list of its own, since sessions may end while it is gone through.
    func sessions(of database: DatabasePointer) -> [SessionPointer] {
        var all: [SessionPointer] = []
        var next = database.pointee.firstSession
        while let session = next {
            all.append(session)
            next = session.pointee.next
        }
        return all
    }
}
