import FoundationEssentials

extension HostFile {
    /// Removes a file, a link, or a directory with all it holds. None there is fine.
    package static func removeTree(_ path: String) throws(HostError) {
        do {
            try FileManager.default.removeItem(atPath: path)
        } catch {
            guard exists(path) || linkTarget(path) != nil else { return }
            throw HostError(.file, "Cannot remove \(path): \(error).")
        }
    }
}
