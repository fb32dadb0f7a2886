/// What a TLS handler may do when. Pure: the session and the channel belong to the handler.
///
/// ```
///  idle ─active─▶ handshaking ─established─▶ open ─close wanted─▶ leaving ─▶ closed
///                      └──────── failed (server) ──────▶ draining ────────────▲
/// ```
struct TLSHandlerMachine {
    /// The directions of an open connection.
    struct Open: Equatable {
        /// The peer said close_notify or ended the TCP stream.
        var isInputOver = false
        /// We said close_notify.
        var isOutputOver = false
    }

    enum State: Equatable {
        case idle
        case handshaking
        case open(Open)
        /// close_notify is on its way out; the channel is closed once it is written.
        case leaving
        /// The handshake failed and the alert is sent. What still comes in is read and dropped for a moment: closing
        /// with unread bytes makes the kernel send a reset, which destroys the alert before the peer has read why.
        case draining
        case closed
    }

    enum InputOver: Equatable { case ignore, tellInputClosed, closeAll, failHandshake }
    enum Close: Equatable { case now, goodbyeFirst }
    enum CloseOutput: Equatable { case passOn, goodbye, closeAll, ignore }

    private(set) var state = State.idle

    /// Whether ciphertext is to be decrypted.
    var isOpenForInput: Bool {
        if case .open(let open) = state { return !open.isInputOver }
        return false
    }

    /// Whether plaintext may be encrypted.
    var isOpenForOutput: Bool {
        if case .open(let open) = state { return !open.isOutputOver }
        return false
    }

    var isHandshaking: Bool { state == .handshaking }

    /// True: begin the handshake.
    mutating func activated() -> Bool {
        guard state == .idle else { return false }
        state = .handshaking
        return true
    }

    mutating func established() {
        precondition(state == .handshaking, "a handshake ends once")
        state = .open(Open())
    }

    /// The peer writes no more. The event comes twice from an orderly peer: close_notify, then the end of the stream.
    mutating func inputOver() -> InputOver {
        switch state {
        case .handshaking:
            return .failHandshake
        case .open(var open):
            guard !open.isInputOver else { return .ignore }
            open.isInputOver = true
            state = .open(open)
            return open.isOutputOver ? .closeAll : .tellInputClosed
        case .draining:
            return .closeAll
        case .idle, .leaving, .closed:
            return .ignore
        }
    }

    mutating func closeOutputWanted() -> CloseOutput {
        switch state {
        case .open(var open):
            guard !open.isOutputOver else { return .ignore }
            open.isOutputOver = true
            state = .open(open)
            return open.isInputOver ? .closeAll : .goodbye
        case .idle, .handshaking:
            return .closeAll
        case .leaving, .draining, .closed:
            return .passOn
        }
    }

    mutating func closeWanted() -> Close {
        switch state {
        case .open(let open):
            state = .leaving
            // A second wish while the first goodbye can't be written means: don't wait any longer.
            return open.isOutputOver ? .now : .goodbyeFirst
        case .idle, .handshaking, .leaving, .draining, .closed:
            state = .closed
            return .now
        }
    }

    /// The session is unusable. True: linger, so that the peer can read the alert.
    mutating func failed(lingering: Bool) -> Bool {
        let linger = lingering && state == .handshaking
        state = linger ? .draining : .closed
        return linger
    }

    mutating func inactive() {
        state = .closed
    }
}
