import Primitives

/// The API described in OpenAPI 3.0, made from ``RouteTable`` and the tables of ``OpenAPISchemas``.
package enum OpenAPIDocument {
    package static let json: String = document.text

    private static var document: JSONValue {
        [
            "openapi": "3.0.3",
            "info": [
                "title": "Tarn management API", "version": .string(ReleaseVersion.current),
                "description": "Paths and bodies follow the Redis Enterprise Software REST API.",
                "license": ["name": "Apache-2.0"],
            ],
            "servers": [["url": "https://localhost:9443"]],
            "security": [["basic": []], ["token": []]],
            "paths": .object(paths),
            "components": [
                "schemas": .object(OpenAPISchemas.all),
                "securitySchemes": [
                    "basic": ["type": "http", "scheme": "basic"],
                    "token": [
                        "type": "apiKey", "in": "header", "name": "Authorization",
                        "description": "`JWT <access token>` or `Bearer <access token>`",
                    ],
                ],
            ],
        ]
    }

    private static var paths: [String: JSONValue] {
        var paths: [String: [String: JSONValue]] = [:]
        for route in RouteTable.all {
            paths[route.path, default: [:]][route.method.rawValue.lowercased()] = operation(route)
        }
        return paths.mapValues { .object($0) }
    }

    private static func operation(_ route: Route) -> JSONValue {
        var operation: [String: JSONValue] = [
            "operationId": .string(identifier(of: route)), "summary": .string(route.summary),
            "responses": .object(responses(of: route)),
        ]
        let parameters = parameters(of: route)
        if !parameters.isEmpty { operation["parameters"] = .array(parameters) }
        if route.isOpen { operation["security"] = [] }
        if let permission = route.permission { operation["x-permission"] = .string(permission) }
        if let request = route.request { operation["requestBody"] = ["content": content(request)] }
        return .object(operation)
    }

    private static func responses(of route: Route) -> [String: JSONValue] {
        var success: [String: JSONValue] = ["description": "Done"]
        if let response = route.response { success["content"] = content(response) }
        let refusal: JSONValue = ["description": "Refused; error_code says why", "content": content("Error")]
        return ["200": .object(success), "default": refusal]
    }

    private static func parameters(of route: Route) -> [JSONValue] {
        let values: [JSONValue] = names(in: route.path).map { name in
            let isNumber = name == "uid" && !route.path.hasSuffix("/actions/{uid}")
            return [
                "name": .string(name), "in": "path", "required": true,
                "schema": ["type": isNumber ? "integer" : "string"],
            ]
        }
        return values + queryParameters(of: route)
    }

    /// What may follow the question mark.
    private static func queryParameters(of route: Route) -> [JSONValue] {
        guard route.path.hasPrefix("/v1/bdbs") else { return [] }
        let fields: JSONValue = [
            "name": "fields", "in": "query", "schema": ["type": "string"],
            "description": "Keys to answer with, separated by commas; all when left out",
        ]
        let dryRun: JSONValue = [
            "name": "dry_run", "in": "query", "allowEmptyValue": true, "schema": ["type": "string"],
            "description": "Answer what would be done, and do nothing; its presence is enough",
        ]
        return switch (route.method, route.response) {
        case (.get, "Database"), (.get, "Database[]"): [fields]
        case (_, "Database"): [fields, dryRun]
        default: []
        }
    }

    private static func names(in path: String) -> [String] {
        path.split(separator: "/").filter { $0.hasPrefix("{") }.map { String($0.dropFirst().dropLast()) }
    }

    /// `Node`, `Node[]` (a list) or `Node{}` (by uid).
    private static func content(_ name: String) -> JSONValue {
        let plain = String(name.prefix { $0.isLetter })
        let reference: JSONValue = ["$ref": .string("#/components/schemas/\(plain)")]
        let schema: JSONValue =
            switch name.dropFirst(plain.count) {
            case "[]": ["type": "array", "items": reference]
            case "{}": ["type": "object", "additionalProperties": reference]
            default: reference
            }
        return ["application/json": ["schema": schema]]
    }

    private static func identifier(of route: Route) -> String {
        let words = route.path.split { !$0.isLetter && !$0.isNumber }.joined(separator: "_")
        return "\(route.method.rawValue.lowercased())_\(words)"
    }
}
