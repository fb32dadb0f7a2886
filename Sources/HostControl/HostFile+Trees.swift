import FoundationEssentials
import Glibc
package import Primitives

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

    /// Renames a directory to `path.reason-seconds`, for who wants to look at it, and removes what was set aside for
    /// that reason before: what breaks again and again must not fill the disk.
    ///
    /// - Returns: The new name.
    @discardableResult
    package static func setAside(_ path: String, reason: String, at time: WallTime) throws(HostError) -> String {
        let aside = "\(path).\(reason)-\(time.milliseconds / 1000)"
        guard rename(path, aside) == 0 else { throw .file("set aside", path) }
        let directory = parent(of: path)
        for name in names(in: directory).map({ "\(directory)/\($0)" })
        where name.hasPrefix("\(path).\(reason)-") && name != aside {
            try removeTree(name)
        }
        return aside
    }
}
