import Glibc

/// Why a package was refused or could not be made. Each code stands for one finding, so that scripts can tell them.
package struct PackageError: Error, Equatable, CustomStringConvertible {
    package enum Code: String, CaseIterable, Sendable {
        /// The file system said no.
        case file = "package_file"
        /// Not a tar archive under zstd that begins with our manifest.
        case notAPackage = "package_not_a_package"
        /// Ends in the middle: the download or copy was cut off.
        case truncated = "package_truncated"
        /// Damaged: the archive does not decode.
        case corrupt = "package_corrupt"
        case manifestInvalid = "package_manifest_invalid"
        case formatTooNew = "package_format_too_new"
        case signatureInvalid = "package_signature_invalid"
        /// Signed, but not by a key that is trusted here.
        case keyUnknown = "package_key_unknown"
        /// Nobody told which key to trust.
        case noTrustedKey = "package_no_trusted_key"
        case keyInvalid = "package_key_invalid"
        case wrongArchitecture = "package_wrong_architecture"
        /// Absolute, or leaves the tree through `..`, or is otherwise no plain path.
        case unsafePath = "package_unsafe_path"
        /// A symbolic or hard link, directory, device: packages hold plain files only.
        case entryKind = "package_entry_kind"
        case entryUnlisted = "package_entry_unlisted"
        case entryDuplicate = "package_entry_duplicate"
        case entryMissing = "package_entry_missing"
        case wrongSize = "package_wrong_size"
        case wrongMode = "package_wrong_mode"
        case wrongDigest = "package_wrong_digest"
        /// Beyond a limit of ``PackageLimits``.
        case tooLarge = "package_too_large"
    }

    package var code: Code
    /// What happened, and what to do.
    package var message: String

    package init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    static func file(_ operation: String, _ path: String, _ number: Int32 = errno) -> PackageError {
        PackageError(.file, "Cannot \(operation) \(path): \(String(cString: strerror(number))).")
    }

    package var description: String { message }

    package static func == (left: PackageError, right: PackageError) -> Bool { left.code == right.code }
}

/// Bounds that no honest package comes near; a hostile one is refused before it fills memory or disk.
package enum PackageLimits {
    /// Ours has 30 files and 6 KiB.
    package static let manifestBytes = 4 << 20
    package static let signatureBytes = 4 << 10
    package static let fileCount = 10_000
    /// Our largest program has 70 MB.
    package static let fileBytes: Int64 = 1 << 30
    package static let totalBytes: Int64 = 4 << 30
    /// What a ustar header holds without its prefix field.
    package static let pathBytes = 100
}
