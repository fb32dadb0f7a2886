import ProxyCore

/// Sessions that ask for much at once are spread over connections of their own kind.
///
/// A redis-server takes 16 KiB of a connection, answers, and goes on to the next. Over one connection everybody's large
/// requests are therefore answered in small pieces, and the proxy wakes for each; over several there is as much more
/// to be had at once. It also leaves the first strand to those who ask for little, who don't queue behind the others.
///
/// Order is kept as at any change of a lane: a session goes to another strand only while nothing of it is unanswered.
/// Databases of which nobody asks much have one strand and no other connection.
extension Worker {
    /// What a redis-server takes of a connection at once: less than that does not fill one.
    private static let bulkBytes = 16 << 10
    /// Requests of fewer bytes are no pipeline, however large their replies.
    private static let pipelineBytes = 1 << 10

    /// Which upstreams carry the session's next requests, `count` bytes of which are here.
    @inline(__always)
    mutating func chooseStrand(_ session: SessionPointer, _ count: Int) {
        if count < Self.pipelineBytes && session.pointee.lane.strand == 0 { return }
        if session.pointee.hasUnanswered { return }
        chooseStrandAnew(session, count)
    }

    @inline(never)
    private mutating func chooseStrandAnew(_ session: SessionPointer, _ count: Int) {
        let isBulk =
            count >= Self.bulkBytes || count >= Self.pipelineBytes && session.pointee.largestAnswer >= Self.bulkBytes
        session.pointee.largestAnswer = 0
        let strand = isBulk ? 1 + session.pointee.identifier / loopCount % Lane.bulkStrandCount : 0
        if strand != session.pointee.lane.strand { enter(session, session.pointee.lane.strand(strand)) }
    }
}
