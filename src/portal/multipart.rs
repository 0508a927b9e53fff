//! `multipart/form-data` (RFC 7578), read strictly from a whole body: what has two readings is an error.

use std::str;

use zeroize::Zeroizing;

/// The body is not well formed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct MalformedMultipart;

/// What stands between the parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Boundary(Box<str>);

/// One part: a field of the form.
pub(super) struct FormPart {
    pub(super) name: String,
    /// `None` for a file.
    pub(super) value: Option<Zeroizing<String>>,
}

impl Boundary {
    /// The `boundary` of a `Content-Type`: one, of 1 to 70 of the characters of RFC 2046, section 5.1.1.
    pub(super) fn of(content_type: &str) -> Option<Self> {
        let (_, parameters) = content_type.split_once(';')?;
        let boundary = parameter(&parameters_of(parameters)?, "boundary").ok()??;
        let sound = (1..=70).contains(&boundary.len())
            && !boundary.ends_with(' ')
            && boundary
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"'()+_,-./:=? ".contains(&byte));
        sound.then(|| Self(boundary.into()))
    }
}

/// The parts in their order.
///
/// # Errors
/// Where the body does not begin with the boundary and end with the closing one, or a part is no field of a form.
pub(super) fn parts(body: &[u8], boundary: &Boundary) -> Result<Vec<FormPart>, MalformedMultipart> {
    let delimiter = format!("\r\n--{}", boundary.0);
    let opening = delimiter[2..].as_bytes();
    let mut rest = body.strip_prefix(opening).ok_or(MalformedMultipart)?;
    let mut parts = Vec::new();
    while let Some(begun) = rest.strip_prefix(b"\r\n") {
        let end = find(begun, delimiter.as_bytes()).ok_or(MalformedMultipart)?;
        parts.push(part(&begun[..end])?);
        rest = &begun[end + delimiter.len()..];
    }
    match rest {
        b"--" | b"--\r\n" => Ok(parts),
        _ => Err(MalformedMultipart),
    }
}

fn part(bytes: &[u8]) -> Result<FormPart, MalformedMultipart> {
    let end = find(bytes, b"\r\n\r\n").ok_or(MalformedMultipart)?;
    let head = str::from_utf8(&bytes[..end]).map_err(|_| MalformedMultipart)?;
    let mut disposition = None;
    for line in head.split("\r\n") {
        let (name, value) = line.split_once(':').ok_or(MalformedMultipart)?;
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        if is("content-disposition") && disposition.replace(value).is_some() {
            return Err(MalformedMultipart);
        }
        // nobody sends it (RFC 7578, section 4.7), and another reader could decode by it
        if is("content-transfer-encoding") || value.contains(['\r', '\n', '\0']) {
            return Err(MalformedMultipart);
        }
    }
    let (kind, parameters) = disposition
        .and_then(|value| value.split_once(';'))
        .ok_or(MalformedMultipart)?;
    if !kind.trim().eq_ignore_ascii_case("form-data") {
        return Err(MalformedMultipart);
    }
    let parameters = parameters_of(parameters).ok_or(MalformedMultipart)?;
    let is_file = parameters
        .iter()
        .any(|(name, _)| name.starts_with("filename"));
    let name = parameter(&parameters, "name")?.ok_or(MalformedMultipart)?;
    let value = || {
        let text = str::from_utf8(&bytes[end + 4..]).map_err(|_| MalformedMultipart)?;
        Ok(Zeroizing::new(text.to_owned()))
    };
    Ok(FormPart {
        name: name.to_owned(),
        value: if is_file { None } else { Some(value()?) },
    })
}

/// `; name="value"` and its kin, names in lower case; `None` where they are malformed.
fn parameters_of(mut text: &str) -> Option<Vec<(String, &str)>> {
    let mut found = Vec::new();
    while !text.trim().is_empty() {
        let (name, rest) = text.split_once('=')?;
        let (value, rest) = match rest.strip_prefix('"') {
            // browsers write `"` as `%22`, others with a backslash: no name of ours has either
            Some(quoted) => {
                let (value, rest) = quoted.split_once('"')?;
                (value, rest.trim_start())
            }
            None => {
                let end = rest.find(';').unwrap_or(rest.len());
                (rest[..end].trim(), &rest[end..])
            }
        };
        if value.contains('\\') {
            return None;
        }
        found.push((name.trim().to_ascii_lowercase(), value));
        text = match rest.strip_prefix(';') {
            Some(rest) => rest,
            None if rest.is_empty() => rest,
            None => return None,
        };
    }
    Some(found)
}

/// The parameter of this name; an error where it came twice, or in the other notation of RFC 8187, which forms do not
/// use.
fn parameter<'p>(
    parameters: &[(String, &'p str)],
    name: &str,
) -> Result<Option<&'p str>, MalformedMultipart> {
    let mut of_name = parameters
        .iter()
        .filter(|(found, _)| found.strip_suffix('*').unwrap_or(found) == name);
    match (of_name.next(), of_name.next()) {
        (None, _) => Ok(None),
        (Some((found, value)), None) if found == name => Ok(Some(value)),
        (Some(_), _) => Err(MalformedMultipart),
    }
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|window| window == what)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> Result<Vec<(String, Option<String>)>, MalformedMultipart> {
        let boundary = Boundary::of("multipart/form-data; boundary=x").unwrap();
        let read = parts(body.as_bytes(), &boundary)?.into_iter();
        Ok(read
            .map(|part| (part.name, part.value.map(|value| value.to_string())))
            .collect())
    }

    fn one(head: &str) -> String {
        format!("--x\r\n{head}\r\n\r\nv\r\n--x--\r\n")
    }

    #[test]
    fn the_boundary_is_one_of_rfc_2046() {
        for (value, expected) in [
            ("multipart/form-data; boundary=x", Some("x")),
            ("multipart/form-data;Boundary=\"a b\"", Some("a b")),
            (
                "multipart/form-data; charset=utf-8; boundary=----WebKit1;",
                Some("----WebKit1"),
            ),
            ("multipart/form-data", None),
            ("multipart/form-data; boundary=", None),
            ("multipart/form-data; boundary=\"\"", None),
            ("multipart/form-data; boundary=\"a\r\n\"", None),
            ("multipart/form-data; boundary=\"a \"", None),
            ("multipart/form-data; boundary=a; boundary=a", None),
            ("multipart/form-data; boundary*=utf-8''a", None),
            ("multipart/form-data; boundary=\"a", None),
            ("multipart/form-data; boundary=\"a\"b", None),
            ("multipart/form-data; boundary", None),
        ] {
            let expected = expected.map(|text| Boundary(text.into()));
            assert_eq!(Boundary::of(value), expected, "{value}");
        }
        let long = format!("multipart/form-data; boundary={}", "a".repeat(71));
        assert_eq!(Boundary::of(&long), None);
    }

    #[test]
    fn parts_are_fields() {
        let text = |name: &str, value: &str| (name.to_owned(), Some(value.to_owned()));
        let form = "--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nb c\r\n\
                    --x\r\ncontent-disposition:FORM-DATA;name=\"ü\"\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n\
                    \r\nv--x\n--x\r\n\r\n--x\r\nContent-Disposition: form-data; name=c\r\n\r\n\r\n--x--";
        assert_eq!(
            read(form),
            Ok(vec![
                text("a", "b c"),
                text("ü", "\r\nv--x\n--x\r\n"),
                text("c", "")
            ])
        );
        assert_eq!(read("--x--\r\n"), Ok(vec![]));
        for file in ["filename=\"p\"", "filename=\"\"", "filename*=utf-8''p"] {
            let body = one(&format!(
                "Content-Disposition: form-data; name=\"a\"; {file}"
            ));
            assert_eq!(read(&body), Ok(vec![("a".to_owned(), None)]), "{file}");
        }
    }

    #[test]
    fn what_has_two_readings_is_refused() {
        let good = one("Content-Disposition: form-data; name=\"a\"");
        assert!(read(&good).is_ok());
        for body in [
            "",
            "--x",
            "--x\r\n",
            "--x-",
            "--y--",
            "\r\n--x--",
            "preamble\r\n--x--",
            "--x--\r\nepilogue",
            "--x\r\n\r\nv\r\n--x--",
            "--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nv",
            "--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nv\r\n--x",
            "--x\nContent-Disposition: form-data; name=\"a\"\n\nv\n--x--",
            "--x \r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nv\r\n--x--",
        ] {
            assert_eq!(read(body), Err(MalformedMultipart), "{body:?}");
        }
        for head in [
            "Content-Type: text/plain",
            "Content-Disposition: form-data",
            "Content-Disposition: form-data; filename=\"a\"",
            "Content-Disposition: attachment; name=\"a\"",
            "Content-Disposition: form-data; name=\"a\"; name=\"b\"",
            "Content-Disposition: form-data; name=\"a\"; name*=utf-8''b",
            "Content-Disposition: form-data; name=\"a\\\"b\"",
            "Content-Disposition: form-data; name=\"a",
            "Content-Disposition: form-data; name=\"a\"\r\nContent-Disposition: form-data; name=\"b\"",
            "Content-Disposition: form-data; name=\"a\"\r\nContent-Transfer-Encoding: base64",
            "Content-Disposition: form-data; name=\"a\"\r\n folded",
        ] {
            assert_eq!(
                read(&one(head)).map(drop),
                Err(MalformedMultipart),
                "{head:?}"
            );
        }
        let latin = b"--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n\xfc\r\n--x--";
        let boundary = Boundary::of("a; boundary=x").unwrap();
        assert!(parts(latin, &boundary).is_err());
    }
}
