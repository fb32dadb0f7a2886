import NIOCore
import NIOHTTP1
import Testing

@testable import HTTPTransport

@Suite struct MachineTests {
    private func head(_ status: HTTPResponseStatus = .ok, close: Bool = false) -> HTTPResponseHead {
        HTTPResponseHead(version: .http1_1, status: status, headers: close ? ["Connection": "close"] : [:])
    }

    private func started(isStreamed: Bool = false, isKeptAlive: Bool = true) -> HTTPExchangeMachine {
        var machine = HTTPExchangeMachine(maximumBytes: 10)
        #expect(machine.begin(isStreamed: isStreamed, isKeptAlive: isKeptAlive) == true)
        return machine
    }

    private func isReusable(_ action: HTTPExchangeMachine.Action) -> Bool? {
        if case .finish(_, let isReusable) = action { return isReusable }
        return nil
    }

    @Test func connectionIsKeptOnlyAfterACleanExchange() {
        var clean = started()
        clean.requestWritten()
        _ = clean.head(head())
        #expect(isReusable(clean.end()) == true)
        #expect(clean.begin(isStreamed: false, isKeptAlive: true) == true)

        var early = started()  // The answer overtakes the request: a 413, say.
        _ = early.head(head())
        #expect(isReusable(early.end()) == false)

        var closing = started()
        closing.requestWritten()
        _ = closing.head(head(close: true))
        #expect(isReusable(closing.end()) == false)
        #expect(closing.begin(isStreamed: false, isKeptAlive: true) == false)
    }

    @Test func longAnswersAndUnaskedOnesAreRefused() {
        var long = started()
        _ = long.head(head())
        _ = long.body(ByteBuffer(string: "0123456789"))
        guard case .fail(let error) = long.body(ByteBuffer(string: "x")), case .tooLarge = error.code else {
            return #expect(Bool(false), "not refused")
        }
        var idle = HTTPExchangeMachine(maximumBytes: 10)
        guard case .close = idle.head(head()) else { return #expect(Bool(false), "not closed") }
        #expect(idle.begin(isStreamed: false, isKeptAlive: true) == false)
    }

    @Test func streamedBodyPassesAndStreamedRefusalIsGathered() {
        var stream = started(isStreamed: true)
        _ = stream.head(head())
        guard case .pass = stream.body(ByteBuffer(string: "0123456789abc")) else {
            return #expect(Bool(false), "not passed on")
        }
        var refused = started(isStreamed: true)
        _ = refused.head(head(.notFound))
        _ = refused.body(ByteBuffer(string: "why"))
        guard case .finish(let answer, _) = refused.end() else { return #expect(Bool(false), "not ended") }
        #expect(answer.body == ByteBuffer(string: "why"))
    }

    @Test func tlsHandlerSaysGoodbyeOnce() {
        var machine = TLSHandlerMachine()
        #expect(machine.activated() == true)
        #expect(machine.activated() == false)
        machine.established()
        #expect(machine.inputOver() == .tellInputClosed)
        #expect(machine.inputOver() == .ignore)  // close_notify, then the end of the TCP stream.
        #expect(machine.closeOutputWanted() == .closeAll)
        #expect(!machine.isOpenForOutput)
        #expect(machine.closeWanted() == .now)
        #expect(machine.closeWanted() == .now)
    }

    @Test func failedServerLingersForTheAlert() {
        var machine = TLSHandlerMachine()
        _ = machine.activated()
        #expect(machine.failed(lingering: true) == true)
        #expect(machine.inputOver() == .closeAll)
        var open = TLSHandlerMachine()
        _ = open.activated()
        open.established()
        #expect(open.failed(lingering: true) == false)
        #expect(open.state == .closed)
    }
}
