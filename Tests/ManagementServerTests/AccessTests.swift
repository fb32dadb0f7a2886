import AccessControl
import Hummingbird
import ManagementAPI
import Primitives
import Testing

@testable import ManagementServer

/// Who gets in, and how far.
@Suite(.serialized) struct AccessTests {
    @Test func theTableAndTheRouterHaveTheSameOperations() async throws {
        let routes = ManagementServer(backend: try await ServerFixture(isMember: false).backend).router().routes
        func nameless(_ path: String) -> String {
            path.split(separator: "/").map { $0.hasPrefix("{") ? "{}" : String($0) }.joined(separator: "/")
        }
        let registered = routes.map { "\($0.method.rawValue) \(nameless($0.path.description))" }
        let `public` = Set(registered.filter { !$0.contains(" internal/") })
        let written = Set(RouteTable.all.map { "\($0.method.rawValue) \(nameless($0.path))" })
        #expect(`public` == written)
        #expect(registered.count == Set(registered).count)
        #expect(registered.count - `public`.count == 13, "a new internal route needs its line in internalRoutes")
    }

    @Test func nothingButOpenOperationsIsAnsweredToStrangers() async throws {
        try await ServerFixture().serving { client in
            for route in RouteTable.all {
                let path = route.path.replacing("{uid}", with: "1").replacing("{action}", with: "x")
                    .replacing("{id}", with: "x")
                let answer = try await client.call(route.method.rawValue, path, "{}", authorization: nil)
                let isRefused = answer.status == 401 && answer.text("error_code") == "invalid_credentials"
                #expect(isRefused != route.isOpen, "\(route) \(answer)")
                if !route.isOpen { #expect(answer.header("www-authenticate")?.hasPrefix("Basic") == true) }
            }
        }
    }

    /// Each operation with each role, by the wire: refused exactly when the role hasn't got the permission.
    @Test(arguments: ["none", "db_viewer", "db_member", "cluster_viewer", "user_manager"])
    func aRoleMayWhatItsPermissionsSay(role: String) async throws {
        try await ServerFixture(roles: [role]).serving { client in
            let credentials = TestClient.basic("\(role)@example.com", ServerFixture.password)
            for route in RouteTable.all {
                guard let permission = route.permission else { continue }
                let path = route.path.replacing("{uid}", with: "77").replacing("{id}", with: "none")
                    .replacing("{action}", with: "remove")
                let answer = try await client.call(route.method.rawValue, path, "{}", authorization: credentials)
                let isRefused = answer.status == 403
                #expect(isRefused != AccessPolicy.allows(role: role, permission: permission), "\(route) \(answer)")
                if isRefused { #expect(answer.text("description")?.contains(permission) == true) }
            }
        }
    }

    @Test func fiveWrongPasswordsLockUntilTheTimeIsOver() async throws {
        let fixture = try await ServerFixture()
        try await fixture.serving { client in
            let wrong = TestClient.basic(ServerFixture.admin, "a wrong password")
            for _ in 0..<5 {
                let answer = try await client.call("GET", "/v1/cluster", authorization: wrong)
                #expect(answer.text("error_code") == "invalid_credentials")
            }
            let locked = try await client.call("GET", "/v1/cluster")
            #expect((locked.status, locked.text("error_code")) == (401, "user_locked"))
            fixture.backend.world.withLock { $0.now = ServerFixture.start.adding(seconds: 1799) }
            #expect(try await client.call("GET", "/v1/cluster").status == 401)
            fixture.backend.world.withLock { $0.now = ServerFixture.start.adding(seconds: 1800) }
            #expect(try await client.call("GET", "/v1/cluster").status == 200)
        }
    }

    @Test func tokensStandForPasswordsUntilTheyExpire() async throws {
        let fixture = try await ServerFixture()
        try await fixture.serving { client in
            let first = try await client.call("POST", "/v1/users/authorize", #"{"ttl":60}"#)
            let token = try #require(first.text("access_token"))
            #expect(try await client.call("GET", "/v1/cluster", authorization: "JWT \(token)").status == 200)
            #expect(try await client.call("GET", "/v1/cluster", authorization: "Bearer \(token)x").status == 401)
            fixture.backend.world.withLock { $0.now = ServerFixture.start.adding(seconds: 59) }
            let next = try await client.call("POST", "/v1/users/refresh_jwt", authorization: "JWT \(token)")
            let newer = try #require(next.text("access_token"))
            fixture.backend.world.withLock { $0.now = ServerFixture.start.adding(seconds: 60) }
            #expect(try await client.call("GET", "/v1/cluster", authorization: "JWT \(token)").status == 401)
            #expect(try await client.call("GET", "/v1/cluster", authorization: "JWT \(newer)").status == 200)
            #expect(try await client.call("POST", "/v1/users/authorize", #"{"ttl":0}"#).status == 400)
        }
    }

    @Test func onlyWhoReadsTheSecretBootstraps() async throws {
        let fixture = try await ServerFixture(isMember: false)
        try await fixture.serving { client in
            let path = "/v1/bootstrap/create_cluster"
            let body = #"{"cluster":{"name":"a.b"},"flash_enabled":false}"#
            #expect(try await client.call("GET", "/v1/bootstrap", authorization: nil).status == 200)
            for shown in ["", "open sesam", "open sesame "] {
                let answer = try await client.call("POST", path, body, headers: [("X-Tarn-Local", shown + "x")])
                #expect((answer.status, answer.text("error_code")) == (401, "access_denied"))
            }
            #expect(fixture.backend.world.withLock(\.bootstraps).isEmpty)
            let secret = [("X-Tarn-Local", "open sesame")]
            #expect(try await client.call("POST", path, body, authorization: nil, headers: secret).status == 200)
            #expect(fixture.backend.world.withLock(\.bootstraps).first?.cluster?.name == "a.b")
            let idle = try await client.call("GET", "/v1/bdbs")
            #expect((idle.status, idle.text("error_code")) == (503, "no_cluster"))
        }
    }

    @Test func internalRoutesAreForNodesAndNothingElseIs() async throws {
        try await ServerFixture().serving { client in
            for (method, path) in internalRoutes {
                let asAdmin = try await client.call(method, path, "{}")
                #expect(asAdmin.status == 403, "\(path)")
                #expect(try await client.call(method, path, "{}", authorization: nil).status == 401, "\(path)")
            }
            #expect(try await client.call("GET", InternalPath.node, authorization: nil, asNode: true).status == 200)
            let outside = try await client.call("GET", "/v1/users", authorization: nil, asNode: true)
            #expect((outside.status, outside.text("error_code")) == (403, "access_denied"))
            // Whoever shows both is a user.
            #expect(try await client.call("GET", InternalPath.node, asNode: true).status == 403)
        }
    }
}

/// All but the join, which proves itself.
private let internalRoutes = [
    ("POST", InternalPath.admissions), ("GET", InternalPath.progress + "?database=1&epoch=1"),
    ("GET", InternalPath.shards), ("GET", InternalPath.node), ("GET", InternalPath.newcomer),
    ("POST", InternalPath.heartbeat), ("GET", InternalPath.fence),
    ("POST", InternalPath.settings), ("GET", InternalPath.store), ("POST", InternalPath.store),
    ("GET", InternalPath.snapshot), ("POST", InternalPath.address),
]
