//! Paths as clients send them, spelled from decoded segments.

/// The path of these segments, each percent-encoded, followed by `tail` as it is; `/` where both are empty.
pub(super) fn spell_path<'t>(segments: impl IntoIterator<Item = &'t str>, tail: &str) -> String {
    let mut path: String = segments
        .into_iter()
        .map(|segment| format!("/{}", spell(segment)))
        .collect();
    path.push_str(tail);
    if path.is_empty() {
        "/".to_owned()
    } else {
        path
    }
}

/// One segment; every character that has a meaning in a path is escaped.
pub(super) fn spell(segment: &str) -> String {
    let mut spelling = String::with_capacity(segment.len());
    for byte in segment.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' => spelling.push(char::from(byte)),
            b'-' | b'.' | b'_' | b'~' | b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'+' | b','
            | b'=' | b':' | b'@' => {
                spelling.push(char::from(byte));
            }
            _ => spelling.push_str(&format!("%{byte:02X}")),
        }
    }
    spelling
}
