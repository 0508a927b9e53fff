//! Why a path is refused.

use std::fmt;

/// Why a path is refused with 400.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathError {
    /// It does not start with `/`.
    NotAbsolute,
    /// Two slashes in a row, or nothing before a `;`.
    EmptySegment,
    /// A `.` or `..` segment, however it is written.
    DotSegment,
    /// A raw `\`, which some servers read as `/`.
    Backslash,
    /// A raw `;`, after which some servers cut the segment off.
    Semicolon,
    /// A raw `?`: the query was not taken off.
    Query,
    /// A raw `#`: the fragment was not taken off.
    Fragment,
    /// `%2F`.
    EncodedSlash,
    /// The escape of `\`, `#`, `?` or `;`; the byte.
    EncodedReserved(u8),
    /// A raw control byte.
    Control(u8),
    /// The escape of a control byte.
    EncodedControl(u8),
    /// A `%` without two hex digits.
    BadEscape,
    /// The decoded bytes are not UTF-8.
    NotUtf8,
    /// `%25` before two hex digits: decoding twice gives another path.
    DoubleEncoding,
}

impl fmt::Display for PathError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAbsolute => f.write_str("the path does not start with `/`"),
            Self::EmptySegment => f.write_str("the path holds an empty segment `//`"),
            Self::DotSegment => f.write_str("the path holds a dot segment `.` or `..`"),
            Self::Backslash => f.write_str("the path holds a backslash `\\`"),
            Self::Semicolon => f.write_str("the path holds a semicolon `;`"),
            Self::Query => f.write_str("the path holds a question mark `?`"),
            Self::Fragment => f.write_str("the path holds a fragment `#`"),
            Self::EncodedSlash => f.write_str("the path holds an encoded slash `%2F`"),
            Self::EncodedReserved(byte) => {
                write!(
                    f,
                    "the path holds an encoded `{}` `%{byte:02X}`",
                    char::from(*byte)
                )
            }
            Self::Control(byte) => write!(f, "the path holds a control byte 0x{byte:02X}"),
            Self::EncodedControl(byte) => {
                write!(f, "the path holds an encoded control byte `%{byte:02X}`")
            }
            Self::BadEscape => f.write_str("the path holds a `%` without two hex digits"),
            Self::NotUtf8 => f.write_str("the path is not UTF-8 after decoding"),
            Self::DoubleEncoding => {
                f.write_str("the path is encoded twice (`%25` before two hex digits)")
            }
        }
    }
}

impl std::error::Error for PathError {}
