import Glibc

/// One line on standard error, which the watchdog keeps in the process's log. For rare events, never per request.
func log(_ text: String) {
    let line = Array(("tarn-proxy: " + text + "\n").utf8)
    _ = line.withUnsafeBytes { write(2, $0.baseAddress, $0.count) }
}
