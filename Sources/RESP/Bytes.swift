/// Bytes in a buffer that somebody else owns. Parsers here never free, keep or copy them.
///
/// Whoever hands a pointer to a scanner guarantees ``scanSlackBytes`` readable bytes behind the end, so that words
/// can be loaded whole; what lies there is never interpreted.
@usableFromInline package typealias Bytes = UnsafeMutablePointer<UInt8>

/// How far beyond the end of its input a scanner may read (not look).
package let scanSlackBytes = 32

@usableFromInline enum Ascii {
    @usableFromInline static let carriageReturn: UInt8 = 13
    @usableFromInline static let lineFeed: UInt8 = 10
    @usableFromInline static let dollar: UInt8 = 36
    @usableFromInline static let star: UInt8 = 42
    @usableFromInline static let minus: UInt8 = 45
    @usableFromInline static let zero: UInt8 = 48
    @usableFromInline static let one: UInt8 = 49
}
