//! `application/x-www-form-urlencoded`, read strictly: a broken escape is an error, not a literal `%`; and written.

use zeroize::Zeroizing;

use super::percent;

/// Pairs that are not well formed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MalformedForm;

/// A name and its value, both decoded.
pub type FormField = (Zeroizing<String>, Zeroizing<String>);

/// The pairs in their order. A name without `=` has an empty value; empty pairs (`a=1&&b=2`) are left out.
pub fn pairs(body: &[u8]) -> impl Iterator<Item = Result<FormField, MalformedForm>> {
    body.split(|&byte| byte == b'&')
        .filter(|pair| !pair.is_empty())
        .map(pair)
}

fn pair(raw: &[u8]) -> Result<FormField, MalformedForm> {
    let mut sides = raw.splitn(2, |&byte| byte == b'=');
    let mut side = || {
        let side = sides.next().unwrap_or_default();
        percent::decode_form(side).ok_or(MalformedForm)
    };
    Ok((side()?, side()?))
}

/// Appends a pair, after `&` where something stands before it.
pub fn push(form: &mut String, name: &str, value: &str) {
    if !form.is_empty() {
        form.push('&');
    }
    encode_into(form, name);
    form.push('=');
    encode_into(form, value);
}

/// Appends a name or a value. A space becomes `%20`, which queries and forms have in common.
pub fn encode_into(form: &mut String, text: &str) {
    let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    percent::encode_into(form, text, unreserved);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &[u8]) -> Result<Vec<(String, String)>, MalformedForm> {
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
    fn what_is_written_is_read_again() {
        let mut form = String::new();
        for (name, value) in [("a", "b c&=+%"), ("ü", ""), ("", "\n")] {
            push(&mut form, name, value);
        }
        assert_eq!(form, "a=b%20c%26%3D%2B%25&%C3%BC=&=%0A");
        let pairs = [("a", "b c&=+%"), ("ü", ""), ("", "\n")];
        let pairs = pairs.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(read(form.as_bytes()), Ok(pairs.to_vec()));
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
            assert_eq!(read(body), Err(MalformedForm), "{body:?}");
        }
    }
}
