/// What a request needs of its caller. The names are the reference system's, so roles mean the same here as there.
package struct Permission: Hashable, Sendable, CustomStringConvertible {
    package let name: String

    /// Nil for a name that no role has.
    package init?(_ name: String) {
        guard Self.tables.admin.contains(name) else { return nil }
        self.name = name
    }

    package var description: String { name }
}

/// The management roles.
package enum Role: String, Sendable, CaseIterable {
    case admin
    case clusterMember = "cluster_member"
    case clusterViewer = "cluster_viewer"
    case databaseMember = "db_member"
    case databaseViewer = "db_viewer"
    case userManager = "user_manager"
    /// May use databases and nothing of the management API.
    case none
}

package enum AccessPolicy {
    package static func allows(role: Role, permission: Permission) -> Bool {
        Permission.tables.names(of: role).contains(permission.name)
    }

    /// As the store and the API spell both. An unknown role or permission is allowed nothing.
    package static func allows(role: String, permission: String) -> Bool {
        guard let role = Role(rawValue: role), let permission = Permission(permission) else { return false }
        return allows(role: role, permission: permission)
    }

    /// Names of everything a role may, in alphabetical order: `GET /v1/users/permissions/<role>`.
    package static func permissions(of role: Role) -> [String] {
        Permission.tables.names(of: role).sorted()
    }
}
