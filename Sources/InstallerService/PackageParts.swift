import FoundationEssentials
import HostControl
import PackageArchive

/// What goes into a package, as it is being collected.
struct PackageParts {
    private(set) var inputs: [PackageWriter.Input] = []
    private(set) var warnings: [String] = []
    /// Where copies that differ from their source are kept until the package is written.
    private let workshop: String
    /// Files of the distribution, whose licences have to travel with them.
    private var foreign: [String] = []

    init(workshop: String) {
        self.workshop = workshop
    }

    func source(of path: String) -> String? { inputs.first { $0.path == path }?.source }

    mutating func add(_ source: String, as path: String, isExecutable: Bool) throws {
        guard HostFile.exists(source) else { throw InstallerError(.assembly, "There is no \(source).") }
        inputs.append(PackageWriter.Input(path: path, source: source, isExecutable: isExecutable))
        foreign.append(source)
    }

    /// Adds one of our programs without its symbols, where this machine has `strip`; as it is otherwise.
    ///
    /// - Returns: The path of the copy.
    mutating func addStripped(_ source: String, as path: String) throws -> String {
        let copy = "\(workshop)/\(path)"
        try HostFile.makeDirectory(HostFile.parent(of: copy))
        let bytes = ReleaseKey.withoutKey(try HostFile.read(source))
        try HostFile.write(bytes, to: copy, mode: 0o755)
        if ElfFile(bytes) != nil {
            do {
                let outcome = try Subprocess.run("strip", ["--strip-all", copy])
                guard outcome.status == 0 else { throw InstallerError(.assembly, "strip: \(outcome.output)") }
            } catch let error as HostError where error.code == .process {
                warnings.append("no `strip` on this machine (package binutils): programs keep their symbols")
            }
        }
        inputs.append(PackageWriter.Input(path: path, source: copy, isExecutable: true))
        return copy
    }

    /// Adds every shared library that the programs so far need beyond glibc.
    ///
    /// OpenSSL's go to a directory of their own, which is on the search path only where the machine has none as new.
    mutating func addLibraries() throws {
        let libraries = SharedLibraries.ofThisMachine(try machine())
        let programs = inputs.map(\.source).filter { (try? Self.elf($0)) ?? nil != nil }
        for program in programs where try Self.elf(program)?.neededLibraries.contains("libswiftCore.so") == true {
            let name = program[program.lastIndex(of: "/")!...].dropFirst()
            throw InstallerError(
                .assembly,
                "\(name) needs the Swift runtime as a shared library, which no server has: build with"
                    + " `--static-swift-stdlib`.")
        }
        for (name, source) in try libraries.closure(of: programs).sorted(by: { $0.key < $1.key }) {
            let isOpenSSL = name.hasPrefix("libssl.") || name.hasPrefix("libcrypto.")
            try add(source, as: isOpenSSL ? "lib/openssl/\(name)" : "lib/\(name)", isExecutable: false)
        }
    }

    /// What our programs carry in themselves, with whose licences.
    private static let carried = ["libarchive-dev", "libzstd-dev", "libpcre2-dev"]

    /// Adds the licences of what comes from the distribution, and the general ones that they refer to.
    mutating func addLicenses() throws {
        let owners = DebianPackages.owners(of: foreign)
        for path in foreign where owners[path] == nil {
            warnings.append("no package owns \(path): its licence has to be added by hand")
        }
        var general: Set<String> = []
        for package in Set(owners.values).union(Self.carried).sorted() {
            let source = "/usr/share/doc/\(package)/copyright"
            guard let text = HostFile.text(source) else {
                warnings.append("\(source) is missing: the licence of \(package) has to be added by hand")
                continue
            }
            inputs.append(
                PackageWriter.Input(
                    path: "share/licenses/\(package)/copyright", source: source, isExecutable: false))
            general.formUnion(
                HostFile.names(in: DebianPackages.commonLicenses).filter {
                    text.contains("common-licenses/\($0)")
                })
        }
        for name in general.sorted() {
            inputs.append(
                PackageWriter.Input(
                    path: "share/licenses/common/\(name)", source: "\(DebianPackages.commonLicenses)/\(name)",
                    isExecutable: false))
        }
    }

    /// As `uname -m` says it on machines that can run the programs.
    func architecture() throws -> String { try machine() == .x86_64 ? "x86_64" : "aarch64" }

    /// The newest version of glibc that anything in the package asks for.
    func requiredGlibc() throws -> LibraryVersion {
        var newest = LibraryVersion("2.17")!
        for input in inputs {
            for text in try Self.elf(input.source)?.neededVersions ?? [] where text.hasPrefix("GLIBC_2") {
                if let version = LibraryVersion(text.dropFirst(6)) { newest = max(newest, version) }
            }
        }
        return newest
    }

    private func machine() throws -> ElfFile.Machine {
        let machines = Set(try inputs.compactMap { try Self.elf($0.source)?.machine })
        guard machines.count < 2 else {
            throw InstallerError(.assembly, "The programs are for different architectures.")
        }
        return machines.first ?? (HostFacts.machineArchitecture() == "aarch64" ? .aarch64 : .x86_64)
    }

    private static func elf(_ path: String) throws -> ElfFile? { ElfFile(try HostFile.read(path)) }
}
