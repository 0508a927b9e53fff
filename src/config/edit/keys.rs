//! The keys of `auth.token` as they are written, and changes to them.

use super::model::{self, Fresh};
use super::patch::Patch;
use super::{EditError, make, parse};
use crate::config::yaml::{Node, Value};

/// How the key of `auth.token`, or one of its `previous`, is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrittenKey {
    /// `secret`, `secret_file`, `private_key_file` or `public_key_file`.
    pub name: &'static str,
    /// What stands there.
    pub value: String,
    /// `kid`, where it is given.
    pub kid: Option<String>,
}

/// The keys of `auth.token`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrittenKeys {
    /// `algorithm`, where it is given.
    pub algorithm: Option<String>,
    /// The key that signs.
    pub current: WrittenKey,
    /// The entries of `previous`; `None` for one that is written in another way.
    pub previous: Vec<Option<WrittenKey>>,
}

/// A change to the keys.
#[derive(Clone, Debug)]
pub enum KeyChange {
    /// A further key verifies, of this algorithm.
    Introduce(WrittenKey, String),
    /// Another key signs, and the entry of `previous` at this index becomes another one.
    Sign {
        /// The key that signs from now on.
        current: WrittenKey,
        /// Which entry.
        index: usize,
        /// What it is from now on.
        previous: WrittenKey,
    },
}

/// The keys as a configuration writes them; `None` where there is no key that lasts, or it is written in the file itself
/// in several lines.
///
/// # Errors
/// [`EditError::Style`] where the file cannot be read.
pub fn read_keys(text: &str) -> Result<Option<WrittenKeys>, EditError> {
    let root = parse(text)?;
    let Some(token) = model::find(&root, &["auth", "token"]) else {
        return Ok(None);
    };
    let names = ["secret", "secret_file", "private_key_file"];
    let Some(current) = written(token, &names) else {
        return Ok(None);
    };
    let previous = match model::member(token, "previous").map(|node| &node.value) {
        Some(Value::List(items)) => items
            .iter()
            .map(|item| written(item, &["secret", "secret_file", "public_key_file"]))
            .collect(),
        _ => Vec::new(),
    };
    Ok(Some(WrittenKeys {
        algorithm: text_of(token, "algorithm"),
        current,
        previous,
    }))
}

/// The text with the change.
///
/// # Errors
/// [`EditError`]; the text is to be left as it is.
pub fn edit_keys(text: &str, change: &KeyChange) -> Result<String, EditError> {
    match change {
        KeyChange::Introduce(key, algorithm) => {
            let root = parse(text)?;
            let token = model::find(&root, &["auth", "token"]).ok_or(EditError::Style)?;
            let fields = Fresh::Map(
                std::iter::once(("algorithm", Fresh::Text(algorithm.clone())))
                    .chain(fields(key))
                    .collect(),
            );
            let listed = model::member(token, "previous").map(|node| &node.value);
            let path = || ["auth", "token"].map(Into::into).to_vec();
            let patch = match listed {
                None => Patch::Insert {
                    path: path(),
                    entries: vec![("previous".into(), Fresh::List(vec![fields]))],
                },
                Some(Value::List(_)) => Patch::Append {
                    path: [path(), vec!["previous".into()]].concat(),
                    value: fields,
                },
                Some(_) => return Err(EditError::Style),
            };
            make(text, &patch)
        }
        KeyChange::Sign {
            current,
            index,
            previous,
        } => {
            let token = ["auth", "token"].map(Into::into).to_vec();
            let item = [
                token.clone(),
                vec!["previous".into(), index.to_string().into()],
            ]
            .concat();
            let places = [(token, current), (item, previous)];
            places
                .into_iter()
                .try_fold(text.to_owned(), |text, (path, key)| {
                    fields(key).try_fold(text, |text, (name, value)| {
                        let (path, key) = (path.clone(), name.into());
                        make(&text, &Patch::Replace { path, key, value })
                    })
                })
        }
    }
}

fn fields(key: &WrittenKey) -> impl Iterator<Item = (&'static str, Fresh)> {
    let kid = key.kid.clone().map(|kid| ("kid", Fresh::Text(kid)));
    let value = if key.value.starts_with("${") {
        Fresh::Reference(key.value.clone())
    } else {
        Fresh::Text(key.value.clone())
    };
    kid.into_iter().chain([(key.name, value)])
}

fn written(node: &Node, names: &[&'static str]) -> Option<WrittenKey> {
    let (name, value) = names
        .iter()
        .find_map(|name| Some((*name, text_of(node, name)?)))?;
    Some(WrittenKey {
        name,
        value,
        kid: text_of(node, "kid"),
    })
}

fn text_of(node: &Node, key: &str) -> Option<String> {
    match &model::member(node, key)?.value {
        Value::Plain(text) | Value::Quoted(text) if !text.contains('\n') => Some(text.to_string()),
        Value::Plain(_) | Value::Quoted(_) | Value::List(_) | Value::Map(_) | Value::Broken => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &'static str, value: &str) -> WrittenKey {
        WrittenKey {
            name,
            value: value.to_owned(),
            kid: None,
        }
    }

    #[test]
    fn keys_are_introduced_and_exchanged_and_nothing_else_is_touched() {
        let written = "# the door\nauth:\n  token:\n    secret: ${S}   # from .env\n    access_ttl: 15m\n\nservices: {}\n";
        let introduced = edit_keys(
            written,
            &KeyChange::Introduce(key("secret", "${S_2}"), "HS256".to_owned()),
        )
        .unwrap();
        let expected = "# the door\nauth:\n  token:\n    secret: ${S}   # from .env\n    access_ttl: 15m\n    previous:\n      \
                        - { algorithm: HS256, secret: \"${S_2}\" }\n\nservices: {}\n";
        assert_eq!(introduced, expected);
        let keys = read_keys(&introduced).unwrap().unwrap();
        assert_eq!(keys.current, key("secret", "${S}"));
        assert_eq!(keys.previous, [Some(key("secret", "${S_2}"))]);
        let exchanged = edit_keys(
            &introduced,
            &KeyChange::Sign {
                current: key("secret", "${S_2}"),
                index: 0,
                previous: key("secret", "${S}"),
            },
        );
        let expected = "# the door\nauth:\n  token:\n    secret: \"${S_2}\"   # from .env\n    access_ttl: 15m\n    previous:\n      \
                        - { algorithm: HS256, secret: \"${S}\" }\n\nservices: {}\n";
        assert_eq!(exchanged.unwrap(), expected);
    }

    #[test]
    fn styles_of_every_kind_are_kept() {
        for (written, expected) in [
            (
                "auth: { token: { private_key_file: a.pem, algorithm: Ed25519 } }\n",
                "auth: { token: { private_key_file: a.pem, algorithm: Ed25519, \
                 previous: [{ algorithm: Ed25519, public_key_file: b.pem }] } }\n",
            ),
            (
                "auth:\n  token:\n    private_key_file: a.pem\n    previous:\n    - public_key_file: z.pem # older\n      algorithm: Ed25519\n",
                "auth:\n  token:\n    private_key_file: a.pem\n    previous:\n    - public_key_file: z.pem # older\n      algorithm: Ed25519\n    \
                 - { algorithm: Ed25519, public_key_file: b.pem }\n",
            ),
        ] {
            let new = key("public_key_file", "b.pem");
            let edited = edit_keys(written, &KeyChange::Introduce(new, "Ed25519".to_owned()));
            assert_eq!(edited.unwrap(), expected);
        }
        for refused in [
            "",
            "auth: {}",
            "services: {}",
            "auth: { token: { previous: no } }",
        ] {
            let new = key("public_key_file", "b.pem");
            assert!(edit_keys(refused, &KeyChange::Introduce(new, "Ed25519".to_owned())).is_err());
            assert!(!matches!(read_keys(refused), Ok(Some(_))), "{refused}");
        }
    }
}
