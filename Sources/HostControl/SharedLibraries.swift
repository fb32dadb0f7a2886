import Glibc

/// Finds the shared libraries that programs need beyond glibc, as the loader of this machine would.
package struct SharedLibraries: Sendable {
    /// Directories in the order in which they are searched.
    package var directories: [String]

    package init(directories: [String]) {
        self.directories = directories
    }

    /// The loader's own directories and those of `/etc/ld.so.conf.d`.
    package static func ofThisMachine(_ machine: ElfFile.Machine) -> SharedLibraries {
        let triplet = machine == .x86_64 ? "x86_64-linux-gnu" : "aarch64-linux-gnu"
        var directories: [String] = []
        for name in HostFile.names(in: "/etc/ld.so.conf.d") where name.hasSuffix(".conf") {
            let lines = (HostFile.text("/etc/ld.so.conf.d/\(name)") ?? "").split(separator: "\n")
            directories += lines.map(String.init).filter { $0.hasPrefix("/") }
        }
        directories += ["/lib/\(triplet)", "/usr/lib/\(triplet)", "/lib64", "/usr/lib64", "/lib", "/usr/lib"]
        return SharedLibraries(directories: directories)
    }

    /// Parts of glibc: they belong to the machine, must match its loader, and never travel.
    package static func isPartOfTheCLibrary(_ name: String) -> Bool {
        let stem = name.prefix { $0 != "." }
        let parts: Set<Substring> = [
            "libc", "libm", "libdl", "libpthread", "librt", "libresolv", "libutil", "libanl", "libnsl",
            "ld-linux-x86-64", "ld-linux-aarch64", "linux-vdso",
        ]
        return parts.contains(stem)
    }

    /// Everything the programs load, directly or through other libraries, by name, without glibc.
    ///
    /// - Throws: ``HostError`` with code `library` when a program is no ELF file or a library is not on this machine.
    package func closure(of programs: [String]) throws(HostError) -> [String: String] {
        var found: [String: String] = [:]
        var pending = programs
        while let path = pending.popLast() {
            guard let file = ElfFile(try HostFile.read(path)) else {
                throw HostError(.library, "\(path) is not a 64-bit ELF file for x86_64 or aarch64.")
            }
            for name in file.neededLibraries where found[name] == nil && !Self.isPartOfTheCLibrary(name) {
                guard let location = locate(name) else {
                    throw HostError(.library, "\(path) needs \(name), which is not on this machine: install it.")
                }
                found[name] = location
                pending.append(location)
            }
        }
        return found
    }

    /// Where the loader would find a library; nil when it is not on this machine.
    package func locate(_ name: String) -> String? {
        directories.lazy.map { "\($0)/\(name)" }.first { HostFile.exists($0) }
    }
}
