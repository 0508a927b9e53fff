//! URLs in the head of an upstream's answer, as the client has to ask for them.

use http::HeaderMap;
use http::header::{CONTENT_LOCATION, Entry, LOCATION};

use super::record::RequestRecord;
use crate::upstream::Speaks;
use crate::wire::{LocationRewrite, Scheme};

/// Rewrites `Location` and `Content-Location`, unless the service is set to have them left alone.
pub(super) fn rewrite(fields: &mut HeaderMap, record: &RequestRecord) {
    let (Some(service), Some(origin)) = (record.service(), record.origin()) else {
        return;
    };
    if !service.rewrite_location {
        return;
    }
    let (server, forwarding) = (origin.host_field(), &service.forwarding);
    let named = !origin.is_unix();
    let rewrite = LocationRewrite {
        inner: match origin.speaks() {
            Speaks::Http1 | Speaks::Http2 => Scheme::Http,
            Speaks::Tls => Scheme::Https,
        },
        server: server.to_str().ok().filter(|_| named),
        sent: Some(record.facts.sent_host()),
        scheme: record.facts.site.scheme,
        host: record.facts.site_host(),
        mount: forwarding
            .strip
            .as_ref()
            .map(|mount| (mount, forwarding.case)),
    };
    for name in [LOCATION, CONTENT_LOCATION] {
        let Entry::Occupied(mut values) = fields.entry(name) else {
            continue;
        };
        for value in values.iter_mut() {
            if let Some(rewritten) = rewrite.rewrite(value) {
                *value = rewritten;
            }
        }
    }
}
