import Testing

@testable import ProxyCore

@Suite struct LaneTests {
    @Test func everyStrandOfEveryLaneHasAnIndexOfItsOwn() {
        var indexes: Set<UInt8> = []
        for database in 0..<Lane.databaseCount {
            for usesRESP3 in [false, true] {
                let lane = Lane(databaseIndex: database, usesRESP3: usesRESP3)
                for strand in 0...Lane.bulkStrandCount {
                    let other = lane.strand(strand)
                    #expect(other.strand == strand && other.databaseIndex == database && other.usesRESP3 == usesRESP3)
                    #expect(other.strand(0) == lane && Int(other.index) < Lane.count)
                    indexes.insert(other.index)
                }
            }
        }
        #expect(indexes.count == Lane.count)
    }
}
