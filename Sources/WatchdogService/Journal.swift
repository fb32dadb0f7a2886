import Glibc
import Primitives

/// The watchdog's own log: one line per event on standard error, a constant message and then what varies.
enum Journal {
    static func note(_ message: String, _ details: KeyValuePairs<String, String> = [:]) {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        var line = "\(WallTime(milliseconds: Int64(time.tv_sec) * 1000)) \(message)"
        for (key, value) in details { line += " \(key)=\(value)" }
        // A log that cannot be written must not stop the keeper.
        try? HostFile.write(Array((line + "\n").utf8), to: 2, named: "standard error")
    }
}
