//! A document of somebody else, from a file or a URL.

use std::io::Read as _;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use http::{StatusCode, header};
use serde_json::Value;

use crate::net::{BoundedRequest, HttpUrl, get};

/// The largest document that is read.
const LARGEST: usize = 16 << 20;

/// From the first name to look up to the last byte.
const DEADLINE: Duration = Duration::from_secs(15);

/// Reads a document from `http://…`, `https://…` or a file; `-` is standard input. JSON and YAML are told apart by
/// themselves.
pub(super) fn document(source: &str) -> anyhow::Result<Value> {
    if is_url(source)
        && source
            .split(['?', '#'])
            .next()
            .is_some_and(|start| start.contains('@'))
    {
        // the URL would stand in messages and in the comment of a skeleton
        bail!(
            "a URL with a name or a password is not read; fetch it with `curl`, and pass the file"
        );
    }
    let parsed = text(source).and_then(|text| parse(&text));
    parsed.with_context(|| format!("cannot read {}", shown(source)))
}

/// The source, as messages name it.
pub(super) fn shown(source: &str) -> String {
    match source {
        "-" => "standard input".to_owned(),
        source => format!("`{source}`"),
    }
}

/// Whether it is a URL, and not a file.
pub(super) fn is_url(source: &str) -> bool {
    source.starts_with("http://") || source.starts_with("https://")
}

/// A text of at most 16 MiB, from the same places.
pub(super) fn text(source: &str) -> anyhow::Result<String> {
    let bytes = match source {
        "-" => read(std::io::stdin().lock())?,
        url if is_url(url) => fetch(url)?,
        path => read(std::fs::File::open(Path::new(path))?)?,
    };
    String::from_utf8(bytes).context("it is not UTF-8")
}

fn read(from: impl std::io::Read) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(LARGEST as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > LARGEST {
        bail!("it is larger than {} MiB", LARGEST >> 20);
    }
    Ok(bytes)
}

fn parse(text: &str) -> anyhow::Result<Value> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.trim_start().starts_with('{') {
        return serde_json::from_str(text).context("it is not JSON");
    }
    let value: serde_yaml::Value =
        serde_yaml::from_str(text).context("it is neither JSON nor YAML")?;
    json(value)
}

/// YAML as JSON: keys such as `200` become texts. The reader of YAML bounds its depth, so this recursion is bounded.
fn json(value: serde_yaml::Value) -> anyhow::Result<Value> {
    Ok(match value {
        serde_yaml::Value::Sequence(items) => items
            .into_iter()
            .map(json)
            .collect::<anyhow::Result<Vec<_>>>()?
            .into(),
        serde_yaml::Value::Mapping(entries) => {
            let entries = entries
                .into_iter()
                .map(|(key, value)| Ok((key_text(key)?, json(value)?)));
            Value::Object(entries.collect::<anyhow::Result<_>>()?)
        }
        serde_yaml::Value::Tagged(tagged) => json(tagged.value)?,
        scalar @ (serde_yaml::Value::Null
        | serde_yaml::Value::Bool(_)
        | serde_yaml::Value::Number(_)
        | serde_yaml::Value::String(_)) => {
            serde_json::to_value(scalar).context("a number that JSON does not have")?
        }
    })
}

fn key_text(key: serde_yaml::Value) -> anyhow::Result<String> {
    match json(key)? {
        Value::String(text) => Ok(text),
        key @ (Value::Number(_) | Value::Bool(_) | Value::Null) => Ok(key.to_string()),
        Value::Array(_) | Value::Object(_) => bail!("a key that is a list or a map"),
    }
}

fn fetch(url: &str) -> anyhow::Result<Vec<u8>> {
    // a fragment is not sent (RFC 9110, section 4.2.5)
    let url = url.split('#').next().unwrap_or_default();
    let url = HttpUrl::parse(url).map_err(|error| anyhow!("it is {error}"))?;
    let request = BoundedRequest {
        url: &url,
        accept: "application/json, application/yaml",
        authorization: None,
        tls: None,
        largest: LARGEST,
        deadline: DEADLINE,
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let answer = runtime.block_on(get(request))?;
    match answer.status() {
        StatusCode::OK => Ok(answer.into_body().into()),
        status if status.is_redirection() => {
            let place = answer.headers().get(header::LOCATION);
            let place = place.and_then(|place| place.to_str().ok());
            bail!(
                "it is elsewhere ({status}): try `{}`",
                place.unwrap_or("another URL")
            )
        }
        status => bail!("the server answered {status}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_and_yaml_give_the_same() {
        let expected: Value = serde_json::json!({ "paths": { "/a": { "get": { "responses": { "200": {} } } } }, "n": 2.0 });
        for text in [
            "{\"paths\": {\"/a\": {\"get\": {\"responses\": {\"200\": {}}}}}, \"n\": 2.0}",
            "paths:\n  /a:\n    get:\n      responses:\n        200: {}\nn: 2.0\n",
        ] {
            assert_eq!(parse(text).unwrap(), expected, "{text}");
        }
        assert!(parse("{").is_err() && parse("[a").is_err());
    }

    #[test]
    fn a_document_is_not_read_without_end() {
        let error = read(std::io::repeat(b'x')).unwrap_err();
        assert_eq!(error.to_string(), "it is larger than 16 MiB");
    }
}
