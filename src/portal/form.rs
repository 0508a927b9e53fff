//! `application/x-www-form-urlencoded`, read strictly: a broken escape is an error, not a literal `%`.

use zeroize::Zeroizing;

use crate::text::percent;

/// The form is not well formed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed;

/// A name and its value, both decoded.
pub(super) type FormField = (Zeroizing<String>, Zeroizing<String>);

/// The pairs in their order. A name without `=` has an empty value; empty pairs (`a=1&&b=2`) are left out.
pub(super) fn pairs(body: &[u8]) -> impl Iterator<Item = Result<FormField, Malformed>> {
    body.split(|&byte| byte == b'&')
        .filter(|pair| !pair.is_empty())
        .map(pair)
}

fn pair(raw: &[u8]) -> Result<FormField, Malformed> {
    let mut sides = raw.splitn(2, |&byte| byte == b'=');
    let mut side = || {
        let side = sides.next().unwrap_or_default();
        percent::decode_form(side).ok_or(Malformed)
    };
    Ok((side()?, side()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &[u8]) -> Result<Vec<(String, String)>, Malformed> {
        pairs(body)
            .map(|pair| pair.map(|(name, value)| (name.to_string(), value.to_string())))
            .collect()
    }

    #[test]
    fn pairs_are_decoded() {
        let cases: [(&str, &[(&str, &str)]); 9] = [
            ("", &[]),
            ("&&", &[]),
            ("a=b", &[("a", "b")]),
            ("a=b&c=d", &[("a", "b"), ("c", "d")]),
            ("&a=b&&a=&c&", &[("a", "b"), ("a", ""), ("c", "")]),
            ("a=b=c", &[("a", "b=c")]),
            ("a+b=c%20d+%2B%26%3d%25", &[("a b", "c d +&=%")]),
            ("ü=%C3%BC", &[("ü", "ü")]),
            ("=x&%00=%0A", &[("", "x"), ("\0", "\n")]),
        ];
        for (body, expected) in cases {
            let expected = expected
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect();
            assert_eq!(read(body.as_bytes()), Ok(expected), "{body}");
        }
    }

    #[test]
    fn broken_escapes_and_other_encodings_are_errors() {
        let cases: [&[u8]; 8] = [
            b"a=%",
            b"a=%4",
            b"a=%4&b=1",
            b"a=%zz",
            b"%G0=a",
            b"a=%+1",
            b"a=\xfc",
            b"a=%FC%C3",
        ];
        for body in cases {
            assert_eq!(read(body), Err(Malformed), "{body:?}");
        }
    }
}
