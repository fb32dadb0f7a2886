/// The version that this source tree builds, as in the name of the package.
package enum ReleaseVersion {
    package static let current = "0.1.0"
}
