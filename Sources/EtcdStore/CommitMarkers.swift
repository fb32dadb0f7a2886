/// Names and values of the markers by which a store's user knows its own commits again.
///
/// A commit whose attempt timed out may be in all the same, and then the repetition finds its conditions broken, by
/// itself. To tell that from a real conflict every conditional transaction also writes a marker of a value used only
/// once, and reads it when the conditions don't hold: our value there means that our own attempt did it. Comparing the
/// written keys instead would fail when somebody has already built on our commit.
///
/// Markers lie outside the prefix that anybody watches. Commits under way at the same time use different ones; names
/// are used again, so their number stays as small as the largest number of simultaneous commits.
struct CommitMarkers {
    struct Marker: Hashable, Sendable {
        fileprivate var place: Int
        var key: String
        var value: String
    }

    private let user: String
    private let run: String
    private var taken: Set<Int> = []
    private var count: UInt64 = 0

    /// - Parameter run: random; no other user of this name has it.
    init(user: String, run: String) {
        self.user = user
        self.run = run
    }

    mutating func take() -> Marker {
        let place = (0...taken.count).first { !taken.contains($0) } ?? 0
        taken.insert(place)
        count += 1
        return Marker(place: place, key: "/tarn-commits/\(user)/\(place)", value: "\(run)-\(count)")
    }

    mutating func give(back marker: Marker) {
        taken.remove(marker.place)
    }
}
