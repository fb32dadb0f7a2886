import AccessControl
import FoundationEssentials
import ManagementAPI
import Testing

struct RouteTests {
    @Test func routesAreFoundByPath() {
        #expect(RouteTable.match(.get, "/v1/bdbs/7")?.path == "/v1/bdbs/{uid}")
        #expect(RouteTable.match(.get, "/v1/nodes/status")?.path == "/v1/nodes/status")
        #expect(RouteTable.match(.get, "/v1/actions/bdb/7")?.path == "/v1/actions/bdb/{uid}")
        #expect(RouteTable.route(.get, pattern: "/v1/bdbs/:id")?.path == "/v1/bdbs/{uid}")
        #expect(RouteTable.route(.get, pattern: "/v1/bdbs/7") == nil)
        #expect(RouteTable.match(.post, "/v1/bdbs/7") == nil)
        #expect(RouteTable.match(.get, "/v1/nothing") == nil)
        #expect(RouteTable.methods(of: "/v1/bdbs/7") == [.get, .put, .delete])
    }

    @Test func noRouteIsThereTwiceAndPermissionsExist() {
        #expect(Set(RouteTable.all.map { "\($0.method) \($0.path)" }).count == RouteTable.all.count)
        for route in RouteTable.all {
            guard let permission = route.permission else { continue }
            #expect(Permission(permission) != nil, "\(route.path): \(permission)")
            #expect(!route.isOpen, "\(route.path) asks for a permission and lets everybody in")
        }
    }

    @Test func theDocumentIsWholeAndItsReferencesLead() throws {
        let document = try decode(JSONValue.self, OpenAPIDocument.json)
        #expect(document["openapi"] == "3.0.3")
        #expect(try #require(document["paths"]).keys == Set(RouteTable.all.map(\.path)))
        let schemas = try #require(document["components"]?["schemas"]).keys
        let prefix = "#/components/schemas/"
        let references = OpenAPIDocument.json.split(separator: "\"").filter { $0.hasPrefix(prefix) }
        #expect(references.count > 40)
        for reference in references {
            #expect(schemas.contains(String(reference.dropFirst(prefix.count))), "\(reference)")
        }
        let identifiers = OpenAPIDocument.json.split(separator: "\"operationId\":\"").dropFirst()
        #expect(Set(identifiers.map { $0.prefix { $0 != "\"" } }).count == RouteTable.all.count)
    }

    /// The schema tells the truth: every key that it names is in an answer.
    @Test func schemasNameKeysThatExist() throws {
        let schemas = try #require(try decode(JSONValue.self, OpenAPIDocument.json)["components"]?["schemas"])
        let answers: [(String, JSONValue)] = [
            ("Database", try json(Sample.bdb)), ("Endpoint", try json(Sample.bdb.endpoints[0])),
            ("Cluster", try json(ClusterObject(Sample.cluster))), ("Action", try json(ActionObject(Sample.action))),
            ("Node", try json(NodeObject(Sample.node, databases: [:], report: nil))),
        ]
        for (name, answer) in answers {
            let named = try #require(schemas[name]?["properties"]).keys
            #expect(named.subtracting(answer.keys) == [], "\(name)")
        }
    }
}
