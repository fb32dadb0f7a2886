import Glibc
import HostControl

/// Which Debian package a file came from, by dpkg's own lists.
enum DebianPackages {
    static let commonLicenses = "/usr/share/common-licenses"
    private static let lists = "/var/lib/dpkg/info"

    /// Package names by file; files that no package owns are left out.
    static func owners(of files: [String]) -> [String: String] {
        // A file may be listed under its name, the name of what it links to, and either with or without /usr.
        var wanted: [String: String] = [:]
        for file in files {
            for name in [file, resolved(file)] {
                wanted[name] = file
                wanted[name.hasPrefix("/usr/") ? String(name.dropFirst(4)) : "/usr" + name] = file
            }
        }
        var owners: [String: String] = [:]
        for list in HostFile.names(in: lists) where list.hasSuffix(".list") {
            for line in (HostFile.text("\(lists)/\(list)") ?? "").split(separator: "\n") {
                guard let file = wanted[String(line)] else { continue }
                owners[file] = String(list.dropLast(5).prefix { $0 != ":" })
            }
        }
        return owners
    }

    private static func resolved(_ path: String) -> String {
        guard let pointer = realpath(path, nil) else { return path }
        defer { free(pointer) }
        return String(cString: pointer)
    }
}
