import HostControl
import NodeLayout

extension NodeSettings {
    /// Nil when nothing was installed under the prefix yet.
    ///
    /// - Throws: ``InstallerError`` with code `conflict` when the file is damaged: guessing what it said would give
    ///   the node another address or another keeper.
    static func installed(_ paths: NodePaths) throws(InstallerError) -> NodeSettings? {
        guard let text = HostFile.text(paths.settings) else { return nil }
        do {
            return try NodeSettings(parsing: text, of: paths)
        } catch {
            throw InstallerError(.conflict, "\(error). Correct or remove the file.")
        }
    }
}
