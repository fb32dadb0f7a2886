import ClusterModel
import HTTPTransport
import ManagementAPI
import Primitives
import Testing

/// What requests and answers look like.
@Suite(.serialized) struct RequestTests {
    @Test func aDatabaseComesChangesAndGoes() async throws {
        let fixture = try await ServerFixture()
        try await fixture.serving { client in
            let created = try await client.call("POST", "/v1/bdbs", #"{"name":"one","memory_size":104857600}"#)
            #expect(created.status == 200)
            #expect(created["uid"] == 1)
            #expect(created["status"] == "pending")
            #expect(created["action_uid"] == "action-1")
            await fixture.backend.until { $0.databases[DatabaseID(1)]?.status == .active }
            #expect(try await client.call("GET", "/v1/actions/action-1").text("status") == "completed")
            let shown = try await client.call("GET", "/v1/bdbs/1")
            #expect(shown["status"] == "active")
            #expect(shown["memory_size"] == 104_857_600)
            let updated = try await client.call("PUT", "/v1/bdbs/1", #"{"memory_size":209715200}"#)
            #expect((updated.status, updated["memory_size"]) == (200, 209_715_200))
            #expect(updated["name"] == "one")
            await fixture.backend.until { $0.databases[DatabaseID(1)]?.status == .active }
            #expect(try await client.call("DELETE", "/v1/bdbs/1").status == 200)
            await fixture.backend.until { $0.databases.isEmpty }
            let gone = try await client.call("GET", "/v1/bdbs/1")
            #expect((gone.status, gone.text("error_code")) == (404, "db_not_exist"))
        }
    }

    @Test func keyRulesAreShownAndStay() async throws {
        let fixture = try await ServerFixture()
        try await fixture.serving { client in
            func body(_ rest: String) -> String { #"{"name":"one","memory_size":0,"shards_count":2,\#(rest)}"# }
            let bad = #""shard_key_regex":[{"regex":"(?<tag>.*)x"},{"regex":"order-("}]"#
            let refused = try await client.call("POST", "/v1/bdbs", body(bad))
            #expect((refused.status, refused.text("error_code")) == (406, "invalid_shard_key_regex"))
            #expect(
                refused.text("description")
                    == "shard_key_regex: rule 2 (order-() does not compile: missing closing parenthesis at offset 7.")
            let rules: JSONValue = [["regex": #"order-(?<tag>\d+)-.*"#], ["regex": "user:(?<tag>.*)"]]
            let text = #""shard_key_regex":[{"regex":"order-(?<tag>\\d+)-.*"},{"regex":"user:(?<tag>.*)"}]"#
            let created = try await client.call("POST", "/v1/bdbs", body(text))
            #expect(created.status == 200 && created["shard_key_regex"] == rules)
            await fixture.backend.until { $0.databases[DatabaseID(1)]?.status == .active }
            let shown = try await client.call("GET", "/v1/bdbs/1")
            #expect(shown["shard_key_regex"] == rules && shown["implicit_shard_key"] == false)
            // What was read may be written back.
            #expect(try await client.call("PUT", "/v1/bdbs/1", "{\(text)}").status == 200)
            for other in ["[]", #"[{"regex":"(?<tag>.*)"}]"#] {
                let fixed = try await client.call("PUT", "/v1/bdbs/1", #"{"shard_key_regex":\#(other)}"#)
                #expect((fixed.status, fixed.text("error_code")) == (409, "shard_key_regex_fixed"))
            }
            let implicit = try await client.call("PUT", "/v1/bdbs/1", #"{"implicit_shard_key":true}"#)
            #expect(implicit.status == 200 && implicit["implicit_shard_key"] == true)
            #expect(implicit["shard_key_regex"] == rules)
        }
    }

    @Test func refusalsHaveOneShapeAndTheRightStatus() async throws {
        let fixture = try await ServerFixture()
        try await fixture.serving { client in
            _ = try await client.call("POST", "/v1/bdbs", #"{"name":"one","memory_size":104857600}"#)
            let large = #"{"name":"\#(String(repeating: "x", count: 1 << 20))"}"#
            let cases: [(String, String, String, Int, String, String)] = [
                ("POST", "/v1/bdbs", "{", 400, "bad_request", "JSON"),
                ("POST", "/v1/bdbs", #"{"name":"two","memory_size":"1gb"}"#, 400, "bad_request", "memory_size"),
                ("POST", "/v1/join_tokens", #"{"uses":true}"#, 400, "bad_request", "uses"),
                ("GET", "/v1/bdbs/one", "", 400, "bad_request", "uid"),
                ("GET", "/v1/bdbs/7", "", 404, "db_not_exist", "/v1/bdbs"),
                ("GET", "/v1/nothing", "", 404, "not_found", "/v1/nothing"),
                ("PATCH", "/v1/bdbs/1", "", 405, "method_not_allowed", "PUT"),
                ("POST", "/v1/bdbs", #"{"memory_size":104857600}"#, 406, "missing_db_name", "name"),
                ("POST", "/v1/bdbs", #"{"name":"two","memory_size":1}"#, 406, "invalid_memory_size", ""),
                ("POST", "/v1/bdbs", #"{"name":"one","memory_size":104857600}"#, 409, "name_violation", "one"),
                ("POST", "/v1/bdbs", #"{"name":"b","memory_size":2000000,"bigstore":true}"#, 501, "not_supported", ""),
                ("POST", "/v1/bootstrap/forget_cluster", "", 404, "not_supported", ""),
                ("POST", "/v1/bootstrap/recover_cluster", "{}", 401, "access_denied", ""),
                ("POST", "/v1/bdbs", large, 413, "too_large", "1 MiB"),
            ]
            for (method, path, body, status, code, word) in cases {
                let answer = try await client.call(method, path, body)
                #expect((answer.status, answer.text("error_code")) == (status, code), "\(method) \(path) \(answer)")
                let description = try #require(answer.text("description"), "\(method) \(path)")
                #expect(description.contains(word), "\(description)")
                #expect(answer.text("message") == description)
                #expect(answer.header("content-type") == "application/json")
            }
        }
    }

    @Test func fieldsAndDryRun() async throws {
        let fixture = try await ServerFixture()
        try await fixture.serving { client in
            let body = #"{"name":"one","memory_size":104857600}"#
            let rehearsed = try await client.call("POST", "/v1/bdbs?dry_run", body)
            #expect((rehearsed.status, rehearsed["name"]) == (200, "one"))
            #expect(try await client.call("POST", "/v1/bdbs?dry_run=1", #"{"name":"a"}"#).status == 406)
            #expect(try await client.call("GET", "/v1/bdbs").list.isEmpty)
            #expect(try await client.call("GET", "/v1/actions")["actions"] == .array([]))
            _ = try await client.call("POST", "/v1/bdbs", body)
            await fixture.backend.until { $0.databases[DatabaseID(1)]?.status == .active }
            let picked = try await client.call("GET", "/v1/bdbs?fields=uid,name,nothing")
            #expect(picked.list == [["uid": 1, "name": "one"]])
            #expect(try await client.call("DELETE", "/v1/bdbs/1?dry_run").status == 200)
            #expect(try await client.call("GET", "/v1/bdbs/1?fields=status").body == ["status": "active"])
        }
    }

    @Test func optionsTellWhatThereIs() async throws {
        try await ServerFixture().serving { client in
            let known = try await client.call("OPTIONS", "/v1/bdbs/7", authorization: nil)
            #expect((known.status, known.header("allow")) == (200, "GET, PUT, DELETE, OPTIONS"))
            #expect(try await client.call("OPTIONS", "/v1/nothing", authorization: nil).status == 404)
        }
    }

    @Test func changesGoToTheLeaderOnceAndReadsDoNot() async throws {
        let fixture = try await ServerFixture()
        try await fixture.serving { client in
            let body = #"{"name":"one","memory_size":104857600}"#
            fixture.backend.world.withLock {
                $0.leader = HTTPClientResponse(
                    status: 409, headers: [("content-type", "application/json")],
                    body: Array(#"{"error_code":"busy"}"#.utf8), peer: nil)
            }
            let answer = try await client.call("POST", "/v1/bdbs?dry_run", body)
            #expect((answer.status, answer.text("error_code")) == (409, "busy"))
            let sent = try #require(fixture.backend.world.withLock(\.forwarded).first)
            #expect((sent.method, sent.path) == ("POST", "/v1/bdbs?dry_run"))
            #expect(String(decoding: sent.body, as: UTF8.self) == body)
            #expect(sent.headers.contains { $0 == ("authorization", TestClient.admin) })
            // What comes from a node that took us for the leader doesn't travel on.
            let handed = try await client.call("POST", "/v1/bdbs", body, headers: [("x-tarn-forwarded", "1")])
            #expect(handed.status == 200)
            _ = try await client.call("GET", "/v1/bdbs")
            _ = try await client.call("POST", "/v1/users/authorize", "{}")
            _ = try await client.call("POST", "/v1/bdbs/1/command", #"{"command":"PING"}"#)
            #expect(fixture.backend.world.withLock(\.forwarded).count == 1)
        }
    }

    @Test func aJoinTokensSecretIsShownOnce() async throws {
        try await ServerFixture().serving { client in
            let made = try await client.call("POST", "/v1/join_tokens", #"{"ttl_seconds":3600,"uses":2}"#)
            let id = try #require(made.text("id"))
            #expect(made.text("token")?.hasPrefix("tarn1.\(id).") == true)
            let secret = try #require(made.text("token")).split(separator: ".")[2]
            let listed = try await client.call("GET", "/v1/join_tokens")
            #expect(listed.list.count == 1)
            #expect(listed.body?.text.contains(secret) == false)
            #expect(try await client.call("DELETE", "/v1/join_tokens/\(id)").status == 200)
            let after = try await client.call("GET", "/v1/join_tokens").list
            #expect(after.first?["revoked"] == true)
            #expect(try await client.call("DELETE", "/v1/join_tokens/nothing").status == 404)
        }
    }

    @Test func aCommandThatOnlyReadsIsRun() async throws {
        let fixture = try await ServerFixture()
        try await fixture.serving { client in
            _ = try await client.call("POST", "/v1/bdbs", #"{"name":"one","memory_size":104857600}"#)
            let answer = try await client.call("POST", "/v1/bdbs/1/command", #"{"command":"ping","args":["hello",7]}"#)
            #expect((answer.status, answer["response"]) == (200, "PONG"))
            #expect(fixture.backend.world.withLock(\.commands) == [["PING", "hello", "7"]])
            for command in ["FLUSHALL", "SET", "CONFIG", "EVAL", "GET\r\nFLUSHALL", ""] {
                let body: JSONValue = ["command": .string(command), "args": ["a", "b"]]
                let refused = try await client.call("POST", "/v1/bdbs/1/command", body.text)
                #expect((refused.status, refused.text("error_code")) == (403, "command_not_allowed"), "\(command)")
            }
            #expect(try await client.call("GET", "/v1/bdbs/1/availability").status == 200)
            #expect(try await client.call("GET", "/v1/local/bdbs/1/endpoint/availability").status == 200)
            #expect(try await client.call("GET", "/v1/local/node/master_healthcheck").text("status") == "active")
            #expect(try await client.call("GET", "/v1/bdbs/2/availability").status == 404)
        }
    }
}

extension JSONValue {
    fileprivate subscript(key: String) -> JSONValue? {
        if case .object(let members) = self { members[key] } else { nil }
    }
}
