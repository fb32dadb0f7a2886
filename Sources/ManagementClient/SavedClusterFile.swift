import FoundationEssentials
import Glibc
import HostControl

/// The file that remembers the cluster.
package struct SavedClusterFile: Sendable {
    package let path: String

    package init(path: String) {
        self.path = path
    }

    /// `$TARN_CONFIG`, else `$XDG_CONFIG_HOME/tarn/config.json`, else `~/.config/tarn/config.json`.
    package static func usual(environment: [String: String]) -> SavedClusterFile {
        if let path = environment["TARN_CONFIG"], !path.isEmpty { return SavedClusterFile(path: path) }
        if let base = environment["XDG_CONFIG_HOME"], !base.isEmpty {
            return SavedClusterFile(path: "\(base)/tarn/config.json")
        }
        let home = environment["HOME"].flatMap { $0.isEmpty ? nil : $0 } ?? "/root"
        return SavedClusterFile(path: "\(home)/.config/tarn/config.json")
    }

    /// Nil when there is none.
    /// - Throws: `usage` when there is one that can't be understood.
    package func load() throws(ClientFailure) -> SavedCluster? {
        guard let data = FileManager.default.contents(atPath: path) else { return nil }
        do {
            return try JSONDecoder().decode(SavedCluster.self, from: data)
        } catch {
            throw ClientFailure(
                .usage, "bad_config", "\(path) can't be read as tarn's configuration: correct or remove it")
        }
    }

    /// What was there about another cluster is kept beside it as `config.json.previous`.
    /// - Returns: Whether something was moved out of the way.
    package func save(_ cluster: SavedCluster) throws(ClientFailure) -> Bool {
        let directory = String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)])
        do {
            try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        } catch {
            throw ClientFailure(.refused, "file", "can't make \(directory): \(error)")
        }
        let old = (try? load()).flatMap { $0 }
        let isOther = old.map { $0.caCertificate != cluster.caCertificate || $0.url != cluster.url } ?? false
        if isOther { rename(path, path + ".previous") }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        guard let data = try? encoder.encode(cluster) else { return isOther }
        do throws(HostError) {
            try HostFile.write(data + [UInt8(ascii: "\n")], to: path, mode: 0o600)
        } catch {
            throw ClientFailure(.refused, "file", error.message)
        }
        return isOther
    }
}
