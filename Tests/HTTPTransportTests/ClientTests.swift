import NIOCore
import NIOPosix
import Synchronization
import TLS
import Testing

@testable import HTTPTransport

@Suite struct ClientTests {
    let group = MultiThreadedEventLoopGroup.singleton

    private func withServer(
        observed: Observed = Observed(),
        _ body: @Sendable (HTTPClient, HTTPEndpoint) async throws -> Void
    ) async throws {
        let cluster = try TestCluster()
        let context = try cluster.serverContext()
        let client = HTTPClient(group: group, tls: try cluster.clientContext())
        try await TestServer.run(observed: observed, context: { context }) { endpoint in
            try await body(client, endpoint)
            await client.shutdown()
        }
    }

    @Test func requestsShareAConnection() async throws {
        try await withServer { client, endpoint in
            var ports: Set<String> = []
            for _ in 0..<20 {
                let response = try await client.send(.init(path: "/port"), to: endpoint, deadline: .seconds(5))
                ports.insert(String(decoding: response.body, as: UTF8.self))
                #expect(response.status == 200 && response.peer?.commonName == "node1")
            }
            #expect(ports.count == 1)
        }
    }

    @Test func fiftyAtOnceLeaveEightIdle() async throws {
        try await withServer { client, endpoint in
            let count = try await withThrowingTaskGroup(of: Int.self) { tasks in
                for number in 0..<50 {
                    tasks.addTask {
                        let body = [UInt8](repeating: UInt8(number), count: 10_000)
                        let request = HTTPClientRequest(method: "POST", path: "/echo", body: body)
                        let response = try await client.send(request, to: endpoint, deadline: .seconds(20))
                        return response.body == body ? 1 : 0
                    }
                }
                return try await tasks.reduce(0, +)
            }
            #expect(count == 50)
            #expect((1...8).contains(client.pool.idleCount(endpoint)))
        }
    }

    /// In a partition of one direction each kept connection would carry one more heartbeat.
    @Test func aRequestThatTimedOutIsFollowedByOneOnANewConnection() async throws {
        try await withServer { client, endpoint in
            try await withThrowingTaskGroup(of: Void.self) { tasks in
                for _ in 0..<20 {
                    tasks.addTask {
                        _ = try await client.send(
                            .init(method: "POST", path: "/echo", body: [UInt8](repeating: 1, count: 10_000)),
                            to: endpoint, deadline: .seconds(20))
                    }
                }
                try await tasks.waitForAll()
            }
            #expect(client.pool.idleCount(endpoint) > 1)
            await #expect(throws: HTTPClientError.self) {
                try await client.send(.init(path: "/slow"), to: endpoint, deadline: .milliseconds(200))
            }
            #expect(client.pool.idleCount(endpoint) == 0)
        }
    }

    @Test func largeBodiesGoBothWays() async throws {
        try await withServer { client, endpoint in
            let body = (0..<5_000_000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
            for _ in 0..<2 {
                let response = try await client.send(
                    .init(method: "POST", path: "/echo", body: body), to: endpoint, deadline: .seconds(20))
                #expect(response.body == body)
            }
        }
    }

    @Test func deadlineAndCancellationFreeTheCaller() async throws {
        try await withServer { client, endpoint in
            _ = try await client.send(.init(path: "/port"), to: endpoint, deadline: .seconds(5))
            let begin = ContinuousClock.now
            let error = await #expect(throws: HTTPClientError.self) {
                try await client.send(.init(path: "/slow"), to: endpoint, deadline: .milliseconds(300))
            }
            guard case .timedOut = error?.code else { return #expect(Bool(false), "\(String(describing: error))") }
            #expect(error?.wasSent == true)
            let task = Task { try await client.send(.init(path: "/slow"), to: endpoint, deadline: .seconds(30)) }
            try await Task.sleep(for: .milliseconds(100))
            task.cancel()
            let cancelled = await #expect(throws: HTTPClientError.self) { try await task.value }
            guard case .cancelled = cancelled?.code else {
                return #expect(Bool(false), "\(String(describing: cancelled))")
            }
            #expect(ContinuousClock.now - begin < .seconds(5))
            // Neither connection may come back: an answer on it would belong to another request.
            #expect(client.pool.idleCount(endpoint) == 0)
        }
    }

    @Test func cancellationAtAnyMomentEndsTheCall() async throws {
        try await withServer { client, endpoint in
            for delay in 0..<40 {
                let task = Task { try await client.send(.init(path: "/port"), to: endpoint, deadline: .seconds(5)) }
                try await Task.sleep(for: .microseconds(delay * 100))
                task.cancel()
                _ = await task.result
            }
            let response = try await client.send(.init(path: "/port"), to: endpoint, deadline: .seconds(5))
            #expect(response.status == 200)
        }
    }

    @Test func streamsComeInPartsAndCloseWithTheirReader() async throws {
        let observed = Observed()
        try await withServer(observed: observed) { client, endpoint in
            var text = ""
            for try await chunk in client.stream(.init(path: "/events"), to: endpoint, connectDeadline: .seconds(5)) {
                text += String(decoding: chunk, as: UTF8.self)
                if text.contains("event 3") { break }
            }
            #expect(text.hasPrefix("event 1\nevent 2\nevent 3\n"))
            #expect(await eventually { observed.closedStreams.withLock { $0 } == 1 })
        }
    }

    @Test func refusedStreamsThrowTheirStatus() async throws {
        try await withServer { client, endpoint in
            let error = await #expect(throws: HTTPClientError.self) {
                for try await _ in client.stream(.init(path: "/none"), to: endpoint, connectDeadline: .seconds(5)) {}
            }
            guard case .status(404) = error?.code else { return #expect(Bool(false), "\(String(describing: error))") }
        }
    }

    @Test func exporterIsTheSameAtBothEnds() async throws {
        try await withServer { client, endpoint in
            let response = try await client.send(
                to: endpoint, exporterLabel: TLSConnection.exporterLabel, deadline: .seconds(5)
            ) { exporter, peer in
                #expect(peer.isVerified && exporter.count == 32)
                return HTTPClientRequest(method: "POST", path: "/join", body: exporter)
            }
            #expect(String(decoding: response.body, as: UTF8.self) == "same")
        }
    }

    @Test func requestsThatCannotBeWrittenAreRefused() async throws {
        try await withServer { client, endpoint in
            let error = await #expect(throws: HTTPClientError.self) {
                try await client.send(
                    .init(path: "/port HTTP/1.1\r\nX: y"), to: endpoint, deadline: .seconds(5))
            }
            #expect(error?.wasSent == false)
        }
    }

    @Test func shutDownClientRefuses() async throws {
        try await withServer { client, endpoint in
            let running = Task { try await client.send(.init(path: "/slow"), to: endpoint, deadline: .seconds(20)) }
            try await Task.sleep(for: .milliseconds(100))
            await client.shutdown()
            await #expect(throws: HTTPClientError.self) { try await running.value }
            await #expect(throws: HTTPClientError.self) {
                try await client.send(.init(path: "/port"), to: endpoint, deadline: .seconds(5))
            }
        }
    }
}
