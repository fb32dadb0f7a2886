import NIOCore
import NIOHTTP1

/// One client connection's exchanges, one after the other. Pure: bytes and clocks belong to the handler.
struct HTTPExchangeMachine {
    /// What is known of an answer whose head has come.
    struct Answer {
        var status: Int
        var headers: HTTPHeaders
        var body: ByteBuffer
        var isKeptAlive: Bool
    }

    /// What there is while an exchange runs.
    struct Exchange {
        var isStreamed: Bool
        var isKeptAlive: Bool
        /// Whether all of the request has left; a server may answer before.
        var isWritten = false
    }

    enum State {
        case idle
        case waiting(Exchange)
        case receiving(Exchange, Answer)
        case closed
    }

    enum Action {
        case none
        /// The answer is whole; close the connection unless it can be kept.
        case finish(Answer, isReusable: Bool)
        /// Body bytes for a streaming reader.
        case pass(ByteBuffer)
        /// The exchange failed; the connection is to be closed.
        case fail(HTTPClientError)
        /// No exchange is running, so nobody is told; the connection is to be closed.
        case close
    }

    /// The text of a refusal is kept up to here, for the error's message.
    private static let refusalBytes = 64 << 10

    private let maximumBytes: Int
    private(set) var state = State.idle

    init(maximumBytes: Int) {
        self.maximumBytes = maximumBytes
    }

    var isIdle: Bool {
        if case .idle = state { return true }
        return false
    }

    /// False: the connection ended meanwhile and nothing may be written.
    mutating func begin(isStreamed: Bool, isKeptAlive: Bool) -> Bool {
        switch state {
        case .idle:
            state = .waiting(Exchange(isStreamed: isStreamed, isKeptAlive: isKeptAlive))
            return true
        case .closed:
            return false
        case .waiting, .receiving:
            preconditionFailure("a connection carries one exchange at a time")
        }
    }

    mutating func requestWritten() {
        switch state {
        case .waiting(var exchange):
            exchange.isWritten = true
            state = .waiting(exchange)
        case .receiving(var exchange, let answer):
            exchange.isWritten = true
            state = .receiving(exchange, answer)
        case .idle, .closed:
            break  // The answer was faster, or the connection is lost.
        }
    }

    mutating func head(_ head: HTTPResponseHead) -> Action {
        switch state {
        case .waiting(let exchange):
            let answer = Answer(
                status: Int(head.status.code), headers: head.headers, body: ByteBuffer(), isKeptAlive: head.isKeepAlive)
            state = .receiving(exchange, answer)
            return .none
        case .idle, .receiving:
            return violated("the server sent an answer that nobody asked for")
        case .closed:
            return .none
        }
    }

    mutating func body(_ part: ByteBuffer) -> Action {
        switch state {
        case .receiving(let exchange, var answer):
            if exchange.isStreamed && answer.isSuccess { return .pass(part) }
            state = .closed  // Gives up the reference, so that the append below needn't copy.
            let limit = exchange.isStreamed ? Self.refusalBytes : maximumBytes
            guard answer.body.readableBytes + part.readableBytes <= limit else {
                return .fail(
                    HTTPClientError(.tooLarge, "the answer is longer than \(limit) bytes", wasSent: true))
            }
            answer.body.writeImmutableBuffer(part)
            state = .receiving(exchange, answer)
            return .none
        case .idle, .waiting:
            return violated("the server sent a body without a head")
        case .closed:
            return .none
        }
    }

    mutating func end() -> Action {
        switch state {
        case .receiving(let exchange, let answer):
            let isReusable = exchange.isKeptAlive && exchange.isWritten && answer.isKeptAlive && !exchange.isStreamed
            state = isReusable ? .idle : .closed
            return .finish(answer, isReusable: isReusable)
        case .idle, .waiting:
            return violated("the server ended an answer that it had not begun")
        case .closed:
            return .none
        }
    }

    /// Anything that ends the connection: its loss, the deadline, a cancellation.
    mutating func lost(_ error: HTTPClientError) -> Action {
        switch state {
        case .idle:
            state = .closed
            return .close
        case .waiting, .receiving:
            state = .closed
            return .fail(error)
        case .closed:
            return .none
        }
    }

    private mutating func violated(_ message: String) -> Action {
        lost(HTTPClientError(.protocolViolation, message, wasSent: true))
    }
}

extension HTTPExchangeMachine.Answer {
    var isSuccess: Bool { (200...299).contains(status) }
}
