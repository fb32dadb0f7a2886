import HTTPTransport

/// In which order the members are asked: the preferred one first, those that failed lately last.
///
/// Without the memory of failures every call of a node whose own member is stopped would wait for it first.
struct EndpointOrder {
    /// How long a failed member comes last. Raising it makes calls stay away from the local member for longer after it
    /// came back; lowering it makes them run into a dead one more often, at 200 ms each.
    static let avoidance = Duration.seconds(2)

    private var endpoints: [HTTPEndpoint] = []
    /// Nil: none of them is.
    private(set) var preferred: HTTPEndpoint?
    private var avoidedUntil: [HTTPEndpoint: Duration] = [:]

    init(_ endpoints: [HTTPEndpoint], preferring local: HTTPEndpoint?) {
        set(endpoints, preferring: local)
    }

    mutating func set(_ endpoints: [HTTPEndpoint], preferring local: HTTPEndpoint?) {
        self.endpoints = endpoints.filter { $0 == local } + endpoints.filter { $0 != local }
        preferred = endpoints.first { $0 == local }
        avoidedUntil = avoidedUntil.filter { endpoints.contains($0.key) }
    }

    mutating func failed(_ endpoint: HTTPEndpoint, at now: Duration) {
        avoidedUntil[endpoint] = now + Self.avoidance
    }

    mutating func answered(_ endpoint: HTTPEndpoint) {
        avoidedUntil[endpoint] = nil
    }

    func isAvoided(_ endpoint: HTTPEndpoint, at now: Duration) -> Bool {
        avoidedUntil[endpoint].map { $0 > now } ?? false
    }

    func round(at now: Duration) -> [HTTPEndpoint] {
        endpoints.filter { !isAvoided($0, at: now) } + endpoints.filter { isAvoided($0, at: now) }
    }
}
