import HostControl
package import NodeLayout

extension NodeSettings {
    /// - Throws: ``NodeSettingsError`` when the file can't be read or has an odd value.
    package static func load(prefix: String) throws(NodeSettingsError) -> NodeSettings {
        let paths = NodePaths(prefix: prefix)
        guard let text = HostFile.content(paths.settings) else { throw .missing(paths) }
        return try NodeSettings(parsing: text, of: paths)
    }
}
