import FoundationEssentials
import ManagementAPI
import ManagementClient
import Primitives
import TLS

/// Remembers beside the client's configuration that a create was asked for and its end not seen.
///
/// A call that was killed, or lost its connection, can't know whether the database was made. Called again with the same
/// options it takes the database of that name as its own work; without this note it is somebody else's, and refused.
struct UnfinishedCreate {
    private let path: String
    private let attempt: String

    init(_ request: BDBRequest, at url: String) {
        let file = SavedClusterFile.usual(environment: ClientEnvironment.variables()).path
        let directory = String(file[..<(file.lastIndex(of: "/") ?? file.startIndex)])
        path = "\(directory)/unfinished/db-create-\(pathSegment(request.name ?? ""))"
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        // Only the digest: a request may hold the database's password.
        attempt = Hex.encode(Crypto.sha256(Array(url.utf8) + Array((try? encoder.encode(request)) ?? Data())))
    }

    /// An earlier call like this one did not see its end.
    var isSecondTry: Bool {
        FileManager.default.contents(atPath: path).map { String(decoding: $0, as: UTF8.self) } == attempt
    }

    /// Best effort: a home that can't be written to costs a second try its memory and nothing else.
    func note() {
        let directory = String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)])
        try? FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        try? Data(attempt.utf8).write(to: URL(filePath: path), options: .atomic)
    }

    func forget() {
        try? FileManager.default.removeItem(atPath: path)
    }
}
