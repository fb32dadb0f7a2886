package import HostControl
import NodeLayout
package import PackageArchive
import Primitives

extension Preflight {
    /// The state of the fixed ports on an address; empty without one.
    package static func probe(_ address: String?) -> [UInt16: NetworkProbe.PortState] {
        guard let address else { return [:] }
        return Dictionary(uniqueKeysWithValues: fixedPorts.map { ($0, NetworkProbe.state(of: $0, on: address)) })
    }

    /// Judges this machine, by what a package asks for or, without one, by what this `tarn` itself needs.
    package static func ofThisMachine(
        prefix: String, address: String?, package manifest: PackageManifest?
    ) -> [PreflightCheck] {
        let facts = HostFacts.ofThisMachine(prefix: prefix)
        let paths = NodePaths(prefix: prefix)
        let installed = try? NodeSettings.installed(paths)
        let address =
            address ?? installed?.address
            ?? NetworkProbe.addresses().first
        return Preflight(
            facts: facts, architecture: manifest?.architecture ?? facts.architecture,
            // Without a package: this program runs, so its glibc is there; 2.36 is what release builds ask for.
            glibc: manifest.flatMap { LibraryVersion($0.glibc) } ?? LibraryVersion("2.36")!,
            builtAt: manifest?.builtAt ?? HostFile.modificationTime("/proc/self/exe") ?? WallTime(milliseconds: 0),
            address: address, ports: probe(address), isRunning: NodeProcesses(paths: paths).isWatchdogUp
        ).checks()
    }
}
