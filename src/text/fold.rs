//! One spelling for the names that directories take for the same (RFC 4518, section 2).

use icu_normalizer::ComposingNormalizerBorrowed;

/// A text without the differences that directories pass over: case, compatible characters such as full-width letters,
/// characters that cannot be seen, and blanks around it or more than one inside.
pub fn fold(text: &str) -> String {
    let seen: String = text.chars().filter(|c| !is_passed_over(*c)).collect();
    let normalizer = ComposingNormalizerBorrowed::new_nfkc();
    // some letters are of other compatible characters in lower case, and only then
    let normal = normalizer.normalize(&seen);
    // OpenLDAP takes the dotted capital of Turkish for an `i`; Unicode's lower case of it keeps a second dot
    let lower = normal.replace('\u{130}', "i").to_lowercase();
    let folded = normalizer.normalize(&lower);
    folded.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What section 2.2 maps to nothing.
fn is_passed_over(character: char) -> bool {
    character.is_control() && !character.is_whitespace()
        || matches!(character, '\u{ad}' | '\u{34f}' | '\u{1806}' | '\u{180b}'..='\u{180e}' | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
            | '\u{fff9}'..='\u{fffc}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::fold;

    #[test]
    fn spellings_of_one_name_are_one() {
        for spelling in [
            "alice doe",
            "Alice Doe",
            "ALICE  DOE",
            " alice doe ",
            "alice\u{a0}doe",
            "\u{ff41}lice doe",
            "ali\u{ad}ce doe",
            "alice\tdoe",
            "alice\u{200b} doe",
            "alice doe\u{0}",
        ] {
            assert_eq!(fold(spelling), "alice doe", "{spelling:?}");
        }
        assert_eq!(fold("Zoë"), fold("zoe\u{308}"));
        assert_eq!(fold("\u{212a}im"), "kim");
        assert_eq!(fold("a\u{2126}"), "aω");
        assert_eq!(
            (&*fold("\u{130}rem"), &*fold("I\u{307}rem")),
            ("irem", "irem")
        );
        assert_ne!(fold("zoe"), fold("zoë"));
        for text in ["", "ǅ", "İ", "ﬁ", "ß", "\u{1e9e}", "ϓ"] {
            assert_eq!(fold(&fold(text)), fold(text), "{text}");
        }
    }
}
