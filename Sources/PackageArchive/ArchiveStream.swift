import CArchive
import Glibc

/// A tar archive under zstd, read from a file from its beginning to its end, by libarchive.
///
/// Only the zstd filter and the tar format are switched on: every other decoder would be attack surface, and would
/// pull its library into a `tarn` that is linked statically.
final class ArchiveStream {
    struct Entry {
        var path: String
        var isFile: Bool
        var size: Int64
        var mode: UInt32
    }

    private let archive: OpaquePointer
    private let descriptor: Int32
    private let path: String
    private var entries = 0

    init(path: String) throws(PackageError) {
        self.path = path
        descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .file("open the package", path) }
        guard let archive = archive_read_new() else {
            close(descriptor)
            throw PackageError(.file, "Out of memory.")
        }
        self.archive = archive
        archive_read_support_filter_zstd(archive)
        archive_read_support_format_tar(archive)
        guard archive_read_open_fd(archive, descriptor, 1 << 16) == ARCHIVE_OK else { throw failure() }
    }

    deinit {
        archive_read_free(archive)
        close(descriptor)
    }

    /// The next entry, nil at the end.
    func next() throws(PackageError) -> Entry? {
        var entry: OpaquePointer?
        let result = archive_read_next_header(archive, &entry)
        if result == ARCHIVE_EOF { return nil }
        guard result == ARCHIVE_OK || result == ARCHIVE_WARN, let entry else { throw failure() }
        entries += 1
        // A name that is not UTF-8 has no path here, and the empty one is refused as unsafe.
        let name = archive_entry_pathname(entry).flatMap { String(validatingCString: $0) } ?? ""
        let isLink = archive_entry_hardlink(entry) != nil || archive_entry_symlink(entry) != nil
        return Entry(
            path: name, isFile: !isLink && archive_entry_filetype(entry) == S_IFREG,
            size: archive_entry_size_is_set(entry) != 0 ? archive_entry_size(entry) : -1,
            mode: archive_entry_perm(entry))
    }

    /// Hands the content of the current entry on, piece by piece. A piece is valid only during the call.
    func content(_ body: (UnsafeRawBufferPointer) throws(PackageError) -> Void) throws(PackageError) {
        var expected: Int64 = 0
        while true {
            var start: UnsafeRawPointer?
            var count = 0
            var offset: Int64 = 0
            let result = archive_read_data_block(archive, &start, &count, &offset)
            if result == ARCHIVE_EOF { return }
            guard result == ARCHIVE_OK else { throw failure() }
            // A gap is a sparse file: its digest would have to count zeros that nobody stored.
            guard offset == expected else {
                throw PackageError(.entryKind, "The package holds a sparse file; only plain files may be in it.")
            }
            try body(UnsafeRawBufferPointer(start: start, count: count))
            expected += Int64(count)
        }
    }

    private func failure() -> PackageError {
        let text = archive_error_string(archive).map { String(cString: $0) } ?? "unknown error"
        if text.lowercased().contains("truncated") {
            return PackageError(.truncated, "\(path) ends in the middle: copy or download it again.")
        }
        // libarchive's words for "no format took it" before anything was read.
        if entries == 0 {
            return PackageError(.notAPackage, "\(path) is not a package of Tarn (\(text)).")
        }
        return PackageError(.corrupt, "\(path) is damaged (\(text)): copy or download it again.")
    }
}
