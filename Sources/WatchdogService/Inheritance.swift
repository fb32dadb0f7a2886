import Glibc

/// The descriptors that a watchdog hands to the program that replaces it, in one environment variable.
struct Inheritance: Equatable {
    static let variable = "TARN_WATCHDOG_INHERITED"

    var listener: Int32
    var lock: Int32
    /// Who ordered the replacement, and waits for its answer: connection and number of the request.
    var asker: Asker?

    struct Asker: Equatable {
        var descriptor: Int32
        var number: UInt32
    }

    var text: String { "\(listener),\(lock)" + (asker.map { ",\($0.descriptor),\($0.number)" } ?? "") }

    init(listener: Int32, lock: Int32, asker: Asker?) {
        self.listener = listener
        self.lock = lock
        self.asker = asker
    }

    init?(parsing text: String) {
        let numbers = text.split(separator: ",").map { UInt32($0) }
        guard numbers.count == 2 || numbers.count == 4, let listener = numbers[0].map(Int32.init(bitPattern:)),
            let lock = numbers[1].map(Int32.init(bitPattern:))
        else { return nil }
        self.init(listener: listener, lock: lock, asker: nil)
        if numbers.count == 4, let descriptor = numbers[2], let number = numbers[3] {
            asker = Asker(descriptor: Int32(bitPattern: descriptor), number: number)
        }
    }

    /// What this process has inherited, if it replaces a watchdog; children must not see it.
    static func take() -> Inheritance? {
        guard let value = getenv(variable), let inherited = Inheritance(parsing: String(cString: value)) else {
            return nil
        }
        unsetenv(variable)
        guard inherited.isOpen else { return nil }
        inherited.setCloseOnExec(true)
        return inherited
    }

    func setCloseOnExec(_ closes: Bool) {
        for descriptor in descriptors { _ = fcntl(descriptor, F_SETFD, closes ? FD_CLOEXEC : 0) }
    }

    private var descriptors: [Int32] { [listener, lock] + (asker.map { [$0.descriptor] } ?? []) }
    private var isOpen: Bool { descriptors.allSatisfy { $0 > 2 && fcntl($0, F_GETFD) >= 0 } }
}
