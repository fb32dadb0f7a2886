import NIOCore
import TLS

/// Puts TLS between a channel's socket and the rest of its pipeline.
final class TLSHandler: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// Plaintext is encrypted in parts of this size so that a large body isn't in memory once more as a whole.
    private static let encryptedPartBytes = 64 << 10
    /// Writes up to one TLS record (RFC 8446, 5.1) are joined, so that head and body of an answer travel as one.
    private static let joinedBytes = 16 << 10
    /// How long a peer gets to take our close_notify, or to read our alert, before the socket is closed regardless.
    private static let lingerTime = TimeAmount.seconds(1)

    private let session: TLSSession
    private let isServer: Bool
    private let handshakeTimeout: TimeAmount
    private let handshakePromise: EventLoopPromise<Void>?
    private let onFailure: ((TLSError) -> Void)?
    private var machine = TLSHandlerMachine()
    private var pendingWrites = MarkedCircularBuffer<(ByteBuffer, EventLoopPromise<Void>?)>(initialCapacity: 8)
    private var timer: Scheduled<Void>?
    /// A read was asked for and no plaintext has answered it yet.
    private var isReadWanted = false
    private var hasDelivered = false
    private var cachedPeer: TLSPeer?

    /// - Parameters:
    ///   - handshakePromise: completed exactly once if the handler is ever active or removed.
    ///   - onFailure: told of errors that end the connection; on a server they are not sent up the pipeline, where
    ///     every port scan would be an error of the application's.
    init(
        context: TLSContext, serverName: String?, isServer: Bool, handshakeTimeout: TimeAmount,
        handshakePromise: EventLoopPromise<Void>?, onFailure: ((TLSError) -> Void)? = nil
    ) throws {
        session = try TLSSession(context: context, serverName: serverName)
        self.isServer = isServer
        self.handshakeTimeout = handshakeTimeout
        self.handshakePromise = handshakePromise
        self.onFailure = onFailure
    }

    /// What the handshake told; nil before its end.
    var peer: TLSPeer? {
        guard session.isEstablished else { return nil }
        if cachedPeer == nil { cachedPeer = session.peer }
        return cachedPeer
    }

    func exportKeyingMaterial(label: String) throws(TLSError) -> [UInt8] {
        try session.exportKeyingMaterial(label: label, length: 32)
    }

    // MARK: Life

    func handlerAdded(context: ChannelHandlerContext) {
        if context.channel.isActive { start(context) }
    }

    func channelActive(context: ChannelHandlerContext) {
        start(context)
        context.fireChannelActive()
    }

    func channelInactive(context: ChannelHandlerContext) {
        end(context, reason: TLSError(.closed, "the peer closed the connection during the TLS handshake"))
        context.fireChannelInactive()
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        end(context, reason: TLSError(.closed, "the connection was closed before the TLS handshake"))
    }

    private func end(_ context: ChannelHandlerContext, reason: TLSError) {
        if machine.isHandshaking { onFailure?(reason) }
        machine.inactive()
        timer?.cancel()
        handshakePromise?.fail(reason)
        failPendingWrites(ChannelError.ioOnClosedChannel)
    }

    private func start(_ context: ChannelHandlerContext) {
        guard machine.activated() else { return }
        schedule(context, in: handshakeTimeout) { handler, context in
            guard handler.machine.isHandshaking else { return }
            handler.fail(context, TLSError(.handshakeFailed, "the TLS handshake took too long: check the network"))
        }
        advance(context)
        // With automatic reading off, nobody else asks for the handshake's bytes.
        if machine.isHandshaking { context.read() }
    }

    private func schedule(
        _ context: ChannelHandlerContext, in delay: TimeAmount,
        _ body: @escaping (TLSHandler, ChannelHandlerContext) -> Void
    ) {
        timer?.cancel()
        let loopBound = context.loopBound
        timer = context.eventLoop.assumeIsolated().scheduleTask(in: delay) { body(self, loopBound.value) }
    }

    // MARK: In

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard machine.isHandshaking || machine.isOpenForInput else { return }
        let ciphertext = unwrapInboundIn(data)
        do throws(TLSError) {
            try ciphertext.withUnsafeReadableBytes { bytes throws(TLSError) in try session.receive(bytes) }
        } catch {
            return fail(context, error)
        }
        advance(context, expecting: ciphertext.readableBytes)
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        if hasDelivered {
            hasDelivered = false
            isReadWanted = false
        } else if isReadWanted || machine.isHandshaking || machine.state == .draining {
            // The bytes were a part of a record or a handshake message: whoever waits for plaintext still waits.
            context.read()
        }
        context.fireChannelReadComplete()
    }

    func read(context: ChannelHandlerContext) {
        isReadWanted = true
        context.read()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard let event = event as? ChannelEvent, event == .inputClosed else {
            return context.fireUserInboundEventTriggered(event)
        }
        inputOver(context)
    }

    /// Takes handshake and decryption as far as the bytes received allow.
    private func advance(_ context: ChannelHandlerContext, expecting bytes: Int = 0) {
        do throws(TLSError) {
            if machine.isHandshaking {
                guard try session.handshake() == .complete else { return flushOutput(context) }
                machine.established()
                timer?.cancel()
                flushOutput(context)
                handshakePromise?.succeed()
                encryptPendingWrites(context)
            }
            if machine.isOpenForInput { try decrypt(context, expecting: bytes) }
        } catch {
            fail(context, error)
        }
    }

    private func decrypt(_ context: ChannelHandlerContext, expecting bytes: Int) throws(TLSError) {
        var plaintext = context.channel.allocator.buffer(capacity: bytes)
        var result = TLSSession.ReadResult.needsInput
        var failure: TLSError?
        repeat {
            plaintext.writeWithUnsafeMutableBytes(minimumWritableBytes: 1024) { space in
                do throws(TLSError) {
                    result = try session.read(into: space)
                    if case .bytes(let count) = result { return count }
                } catch {
                    failure = error
                }
                return 0
            }
            // What came before a broken record is good and goes up first.
        } while failure == nil && result != .needsInput && result != .endOfStream
        if plaintext.readableBytes > 0 {
            hasDelivered = true
            context.fireChannelRead(wrapInboundOut(plaintext))
        }
        if let failure { throw failure }
        flushOutput(context)  // Answers to key updates.
        if result == .endOfStream { inputOver(context) }
    }

    private func inputOver(_ context: ChannelHandlerContext) {
        switch machine.inputOver() {
        case .ignore:
            break
        case .failHandshake:
            let reason = TLSError(.closed, "the peer closed the connection during the TLS handshake")
            fail(context, reason, isPeerGone: true)
        case .closeAll:
            context.close(promise: nil)
        case .tellInputClosed where isServer:
            context.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
        case .tellInputClosed:
            // A server that writes no more has nothing to read for either.
            close(context: context, mode: .all, promise: nil)
        }
    }

    // MARK: Out

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        pendingWrites.append((unwrapOutboundIn(data), promise))
    }

    func flush(context: ChannelHandlerContext) {
        pendingWrites.mark()
        encryptPendingWrites(context)
    }

    private func encryptPendingWrites(_ context: ChannelHandlerContext) {
        guard pendingWrites.hasMark, !machine.isHandshaking, machine.state != .idle else { return }
        guard machine.isOpenForOutput else { return failPendingWrites(ChannelError.outputClosed) }
        do throws(TLSError) {
            var joined = ByteBuffer()
            var promises: [EventLoopPromise<Void>] = []
            while pendingWrites.hasMark, let (plaintext, promise) = pendingWrites.popFirst() {
                if let promise { promises.append(promise) }
                if joined.readableBytes + plaintext.readableBytes <= Self.joinedBytes {
                    joined.writeImmutableBuffer(plaintext)
                } else {
                    try encrypt(joined, context)
                    joined = ByteBuffer()
                    try encrypt(plaintext, context)
                }
            }
            try encrypt(joined, context)
            writeOutput(context, promise: Self.join(promises))
            context.flush()
        } catch {
            fail(context, error)
        }
    }

    private func encrypt(_ plaintext: ByteBuffer, _ context: ChannelHandlerContext) throws(TLSError) {
        var rest = plaintext
        while let part = rest.readSlice(length: min(Self.encryptedPartBytes, rest.readableBytes)),
            part.readableBytes > 0
        {
            try part.withUnsafeReadableBytes { bytes throws(TLSError) in try session.write(bytes) }
            // The last part stays in the session, to leave with the promise.
            if rest.readableBytes > 0 { writeOutput(context, promise: nil) }
        }
    }

    /// One promise that stands for all.
    private static func join(_ promises: [EventLoopPromise<Void>]) -> EventLoopPromise<Void>? {
        guard let first = promises.first else { return nil }
        for other in promises.dropFirst() { first.futureResult.cascade(to: other) }
        return first
    }

    private func writeOutput(_ context: ChannelHandlerContext, promise: EventLoopPromise<Void>?) {
        var ciphertext = ByteBuffer()
        session.takeOutput { bytes in ciphertext = context.channel.allocator.buffer(bytes: bytes) }
        guard ciphertext.readableBytes > 0 || promise != nil else { return }
        context.write(wrapOutboundOut(ciphertext), promise: promise)
    }

    private func flushOutput(_ context: ChannelHandlerContext) {
        guard session.hasOutput else { return }
        writeOutput(context, promise: nil)
        context.flush()
    }

    private func failPendingWrites(_ error: any Error) {
        while let (_, promise) = pendingWrites.popFirst() { promise?.fail(error) }
    }

    // MARK: End

    func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        switch mode {
        case .input:
            context.close(mode: .input, promise: promise)
        case .output:
            closeOutput(context, promise)
        case .all:
            guard machine.closeWanted() == .goodbyeFirst else {
                return context.close(mode: .all, promise: promise)
            }
            sayGoodbye(context, then: .all, promise)
            schedule(context, in: Self.lingerTime) { _, context in context.close(promise: nil) }
        }
    }

    private func closeOutput(_ context: ChannelHandlerContext, _ promise: EventLoopPromise<Void>?) {
        switch machine.closeOutputWanted() {
        case .passOn: context.close(mode: .output, promise: promise)
        case .goodbye: sayGoodbye(context, then: .output, promise)
        case .closeAll: sayGoodbye(context, then: .all, promise)
        case .ignore: promise?.succeed()
        }
    }

    /// Writes close_notify behind everything that was written, then closes.
    private func sayGoodbye(
        _ context: ChannelHandlerContext, then mode: CloseMode, _ promise: EventLoopPromise<Void>?
    ) {
        failPendingWrites(ChannelError.outputClosed)
        session.close()
        let written = context.eventLoop.makePromise(of: Void.self)
        let loopBound = context.loopBound
        written.futureResult.assumeIsolated().whenComplete { _ in loopBound.value.close(mode: mode, promise: promise) }
        writeOutput(context, promise: written)
        context.flush()
    }

    private func fail(_ context: ChannelHandlerContext, _ error: TLSError, isPeerGone: Bool = false) {
        let wasHandshaking = machine.isHandshaking
        flushOutput(context)
        let lingers = machine.failed(lingering: isServer && !isPeerGone)
        timer?.cancel()
        onFailure?(error)
        handshakePromise?.fail(error)
        failPendingWrites(error)
        if !isServer && !wasHandshaking { context.fireErrorCaught(error) }
        guard lingers else { return context.close(promise: nil) }
        context.close(mode: .output, promise: nil)
        schedule(context, in: Self.lingerTime) { _, context in context.close(promise: nil) }
    }
}

@available(*, unavailable)
extension TLSHandler: Sendable {}
