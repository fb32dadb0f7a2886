import CLinux
import Glibc
import Synchronization

/// The one way into a thread: others post, the owner is woken by a readable descriptor and takes all.
///
/// The lock is held for an append or a swap and never on the request path.
package final class Mailbox<Message: Sendable>: Sendable {
    private let messages = Mutex<[Message]>([])
    /// Readable while messages wait.
    package let descriptor: Int32

    package init() {
        descriptor = clinux_eventfd()
        precondition(descriptor >= 0, "eventfd failed: the process is out of descriptors")
    }

    deinit { close(descriptor) }

    package func post(_ message: Message) {
        messages.withLock { $0.append(message) }
        var one: UInt64 = 1
        _ = write(descriptor, &one, 8)
    }

    /// Everything that waits, in order. Owner only.
    package func takeAll() -> [Message] {
        var count: UInt64 = 0
        _ = read(descriptor, &count, 8)
        return messages.withLock { waiting in
            defer { waiting = [] }
            return waiting
        }
    }
}
