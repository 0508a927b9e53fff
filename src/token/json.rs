//! JSON objects read strictly: no member twice, no member of a wrong type.
//!
//! Two readers that pick different ones of two equal members see two different tokens, and RFC 7519
//! (section 4) leaves the choice open. Here such a token is refused.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, Visitor};

/// A string, borrowed where it holds no escape. `null` is no string.
pub(super) struct Text<'de>(pub(super) Cow<'de, str>);

/// The names of members that nobody reads; they too may appear only once.
#[derive(Default)]
pub(super) struct Others<'de>(HashSet<Cow<'de, str>>);

/// Reads the value of a member that may appear once.
pub(super) fn once<'de, T, A>(slot: &mut Option<T>, map: &mut A) -> Result<(), A::Error>
where
    T: Deserialize<'de>,
    A: MapAccess<'de>,
{
    match slot.replace(map.next_value()?) {
        None => Ok(()),
        Some(_) => Err(duplicate()),
    }
}

impl<'de> Others<'de> {
    /// Passes over a value.
    pub(super) fn skip<A: MapAccess<'de>>(
        &mut self,
        name: Text<'de>,
        map: &mut A,
    ) -> Result<(), A::Error> {
        if !self.0.insert(name.0) {
            return Err(duplicate());
        }
        map.next_value::<IgnoredAny>().map(drop)
    }
}

fn duplicate<E: Error>() -> E {
    E::custom("a member appears twice")
}

impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(TextVisitor).map(Text)
    }
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(text.to_owned()))
    }
}
