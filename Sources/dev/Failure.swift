/// Why a verb stopped, in words that say what to do.
struct Failure: Error {
    enum Code {
        case usage
        /// Something the machine lacks, which dev may not or can not put there.
        case environment
        /// A command ended with an error; its own output has been shown.
        case command
        /// The system built here did not do what it should.
        case product
        case interrupted
    }

    var code: Code
    var message: String

    init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    /// 2 for a wrong command line and 130 for Ctrl-C, as shells do; 1 for all else.
    var exitCode: Int32 {
        switch code {
        case .usage: 2
        case .interrupted: 130
        case .environment, .command, .product: 1
        }
    }
}
