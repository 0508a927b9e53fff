//! What a user may be called.

/// Whether a text is a user name: visible characters without spaces, at most 255 bytes. It is the token's `sub` and
/// stands in headers and logs.
pub fn is_user_name(text: &str) -> bool {
    let visible = |c: char| !c.is_whitespace() && !c.is_control() && !is_invisible(c);
    !text.is_empty() && text.len() <= 255 && text.chars().all(visible)
}

/// Characters that make two names look alike: marks of direction and width zero.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff0}'..='\u{ffff}' | '\u{e0000}'..='\u{e0fff}')
}
