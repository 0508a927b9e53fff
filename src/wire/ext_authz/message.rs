//! The message of a question in `envoy/service/auth/v3/external_auth.proto`, as far as the gateway reads it: other fields
//! are skipped, the body of a request among them. It holds credentials, and cannot be printed.
//!
//! Of a field that comes twice the last one counts; messages are merged.

use std::collections::BTreeMap;

use super::grpc::GrpcError;
use super::reader::MessageReader;

#[cfg(test)]
mod tests;

/// `envoy.service.auth.v3.CheckRequest`.
#[derive(Default)]
#[cfg_attr(test, derive(PartialEq))]
pub(super) struct CheckRequest<'m> {
    pub(super) attributes: Option<AttributeContext<'m>>,
}

/// `AttributeContext`.
#[derive(Default)]
#[cfg_attr(test, derive(PartialEq))]
pub(super) struct AttributeContext<'m> {
    /// `source.address.socket_address.address`; empty where there is none.
    pub(super) source: &'m str,
    /// `request.http`.
    pub(super) http: Option<HttpRequest<'m>>,
}

/// `AttributeContext.HttpRequest`.
#[derive(Default)]
#[cfg_attr(test, derive(PartialEq))]
pub(super) struct HttpRequest<'m> {
    pub(super) method: &'m str,
    /// Fields of one name are joined by commas.
    pub(super) headers: BTreeMap<&'m str, &'m str>,
    /// With the query.
    pub(super) path: &'m str,
    pub(super) host: &'m str,
    pub(super) scheme: &'m str,
    /// In place of `headers`, each field by itself, where Envoy's `encode_raw_headers` is on.
    pub(super) header_map: Option<Vec<HeaderEntry<'m>>>,
}

/// `envoy.config.core.v3.HeaderValue`.
#[derive(Default)]
#[cfg_attr(test, derive(PartialEq))]
pub(super) struct HeaderEntry<'m> {
    pub(super) key: &'m [u8],
    pub(super) value: &'m str,
    pub(super) raw_value: &'m [u8],
}

impl<'m> CheckRequest<'m> {
    /// # Errors
    /// [`GrpcError::Malformed`] where the bytes are no such message.
    pub(super) fn read(message: &'m [u8]) -> Result<Self, GrpcError> {
        let mut attributes: Option<AttributeContext<'m>> = None;
        MessageReader::new(message).each(|number, field| match number {
            1 => attributes.get_or_insert_default().merge(field.message()?),
            _ => Ok(()),
        })?;
        Ok(Self { attributes })
    }
}

impl<'m> AttributeContext<'m> {
    fn merge(&mut self, message: MessageReader<'m>) -> Result<(), GrpcError> {
        message.each(|number, field| match number {
            1 => self.merge_source(field.message()?),
            4 => field.message()?.each(|number, field| match number {
                2 => self.http.get_or_insert_default().merge(field.message()?),
                _ => Ok(()),
            }),
            _ => Ok(()),
        })
    }

    /// A `Peer`, in it an `envoy.config.core.v3.Address`, and in that a `SocketAddress`.
    fn merge_source(&mut self, peer: MessageReader<'m>) -> Result<(), GrpcError> {
        peer.each(|number, field| match number {
            1 => field.message()?.each(|number, field| match number {
                1 => field.message()?.each(|number, field| {
                    if number == 2 {
                        self.source = field.text()?;
                    }
                    Ok(())
                }),
                _ => Ok(()),
            }),
            _ => Ok(()),
        })
    }
}

impl<'m> HttpRequest<'m> {
    fn merge(&mut self, message: MessageReader<'m>) -> Result<(), GrpcError> {
        message.each(|number, field| {
            match number {
                2 => self.method = field.text()?,
                3 => {
                    let (name, value) = read_entry(field.message()?)?;
                    self.headers.insert(name, value);
                }
                4 => self.path = field.text()?,
                5 => self.host = field.text()?,
                6 => self.scheme = field.text()?,
                13 => merge_headers(self.header_map.get_or_insert_default(), field.message()?)?,
                _ => {}
            }
            Ok(())
        })
    }
}

/// An entry of a map.
fn read_entry(entry: MessageReader<'_>) -> Result<(&str, &str), GrpcError> {
    let (mut key, mut value) = ("", "");
    entry.each(|number, field| {
        match number {
            1 => key = field.text()?,
            2 => value = field.text()?,
            _ => {}
        }
        Ok(())
    })?;
    Ok((key, value))
}

/// `envoy.config.core.v3.HeaderMap`.
fn merge_headers<'m>(
    headers: &mut Vec<HeaderEntry<'m>>,
    message: MessageReader<'m>,
) -> Result<(), GrpcError> {
    message.each(|number, field| {
        if number == 1 {
            headers.push(HeaderEntry::read(field.message()?)?);
        }
        Ok(())
    })
}

impl<'m> HeaderEntry<'m> {
    fn read(message: MessageReader<'m>) -> Result<Self, GrpcError> {
        let mut read = Self::default();
        message.each(|number, field| {
            match number {
                1 => read.key = field.bytes()?,
                2 => read.value = field.text()?,
                3 => read.raw_value = field.bytes()?,
                _ => {}
            }
            Ok(())
        })?;
        Ok(read)
    }
}
