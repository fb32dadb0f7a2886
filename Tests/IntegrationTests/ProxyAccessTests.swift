import ProxyControl
import TestSupport
import Testing

/// ACL of an endpoint: one user, and no trace of the shards' own.
@Suite struct ProxyAccessTests {
    @Test func refusalsAreCounted() throws {
        let fixture = try ProxyFixture(host: "127.0.53.123", shards: 1)
        _ = try fixture.tell(.update(fixture.routes(1, port: 10001, shards: 1)))
        let client = try fixture.connect(10001)
        #expect(try client.command(["DEBUG", "SLEEP", "0"]).hasPrefix("-ERR unknown command 'DEBUG'"))
        #expect(try client.command(["SAVE"]).hasPrefix("-NOPERM "))
        #expect(try client.command(["CONFIG", "SET", "dir", "/"]).hasPrefix("-NOPERM "))
        #expect(try client.command(["GET"]).hasPrefix("-ERR wrong number"))
        guard case .statistics(let list) = try fixture.tell(.reportStatistics) else { throw Violation("no statistics") }
        #expect(list.first?.refusedRequests == 3)
    }

    @Test(arguments: ["", "secret"]) func oneUserIsToldOf(password: String) throws {
        let fixture = try ProxyFixture(host: "127.0.53.\(password.isEmpty ? 121 : 122)", shards: 2)
        _ = try fixture.tell(.update(fixture.routes(1, port: 10001, shards: 2, password: password)))
        let client = try fixture.connect(10001)
        if !password.isEmpty { #expect(try client.command(["AUTH", password]) == "+OK\r\n") }
        #expect(try client.command(["ACL", "WHOAMI"]) == "$7\r\ndefault\r\n")
        #expect(try client.command(["ACL", "USERS"]) == "*1\r\n$7\r\ndefault\r\n")
        let list = try client.command(["ACL", "LIST"])
        #expect(list.contains("user default on ") && list.contains("nopass") == password.isEmpty)
        #expect(try client.command(["ACL", "GETUSER", "proxy"]) == "$-1\r\n")
        let user = try client.command(["ACL", "GETUSER", "default"])
        #expect(user.hasPrefix("*12\r\n$5\r\nflags\r\n") && !user.contains("secret") && !user.contains("#"))
        #expect(try client.command(["ACL", "DRYRUN", "default", "GET", "a"]) == "+OK\r\n")
        #expect(
            try client.command(["ACL", "DRYRUN", "default", "SHUTDOWN"]).hasSuffix(
                "This user has no permissions to run the 'shutdown' command\r\n"))
        #expect(try client.command(["ACL", "DRYRUN", "x", "GET", "a"]) == "-ERR User 'x' not found\r\n")
        #expect(try client.command(["ACL", "DRYRUN", "default", "GET"]).hasPrefix("-ERR wrong number of arguments"))
        #expect(try client.command(["ACL", "CAT", "scripting"]).contains("evalsha"))
        #expect(try client.command(["ACL", "SETUSER", "x"]).hasPrefix("-NOPERM "))
        #expect(try client.command(["HELLO", "3"]).hasPrefix("%7\r\n"))
        #expect(try client.command(["ACL", "GETUSER", "default"]).hasPrefix("%6\r\n$5\r\nflags\r\n~"))
    }
}
