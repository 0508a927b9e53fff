//! Taking fields out of a head without changing the order of the others.

use std::cell::Cell;

use http::{HeaderMap, HeaderName, HeaderValue};

/// The most fields that an emptied map may have room for and still be kept: a head of a hundred fields shall not cost
/// memory for ever.
const MOST_KEPT: usize = 64;

/// The most fields that are taken out one by one.
const MOST_ONE_BY_ONE: usize = 4;

thread_local! {
    /// An empty map with room, from the head before: a new one is two allocations a head.
    static EMPTIED: Cell<HeaderMap> = Cell::new(HeaderMap::new());
}

/// Keeps the fields whose names pass, in their order, behind `first` where there is one, and makes room for `more`. Taking
/// them out one by one would put the last field into each place that becomes free.
pub(crate) fn retain_fields(
    headers: &mut HeaderMap,
    first: Option<(HeaderName, HeaderValue)>,
    more: usize,
    passes: impl Fn(&HeaderName) -> bool,
) {
    // taken, not borrowed: after a panic it is gone, with whatever was in it
    let mut kept = EMPTIED.take();
    kept.reserve(headers.len() + more);
    if let Some((name, value)) = first {
        kept.append(name, value);
    }
    let mut current = None;
    for (name, value) in headers.drain() {
        if let Some(name) = name {
            current = passes(&name).then_some(name);
        }
        if let Some(name) = &current {
            kept.append(name, value);
        }
    }
    std::mem::swap(headers, &mut kept);
    if kept.capacity() <= MOST_KEPT {
        EMPTIED.set(kept);
    }
}

/// Keeps the fields whose names pass, in their order. Where those that do not pass are the last, as most servers write them,
/// they are taken out one by one: that moves none of the others.
pub(crate) fn remove_all_but(headers: &mut HeaderMap, passes: impl Fn(&HeaderName) -> bool) {
    let first = headers.keys().take_while(|name| passes(name)).count();
    let last = headers.keys_len() - first;
    if last > MOST_ONE_BY_ONE || headers.keys().skip(first).any(&passes) {
        return retain_fields(headers, None, 0, passes);
    }
    for _ in 0..last {
        let name = headers
            .keys()
            .nth(first)
            .cloned()
            .expect("as many fields as were counted");
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use http::header::{ACCEPT, CONNECTION, COOKIE, HOST};

    use super::*;

    fn written(headers: &HeaderMap) -> Vec<String> {
        headers
            .iter()
            .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
            .collect()
    }

    fn head(fields: &[(HeaderName, &'static str)]) -> HeaderMap {
        fields
            .iter()
            .map(|(name, value)| (name.clone(), HeaderValue::from_static(value)))
            .collect()
    }

    #[test]
    fn what_stays_keeps_its_order_and_nothing_comes_from_the_head_before() {
        for _ in 0..3 {
            let mut headers = HeaderMap::new();
            for (name, value) in [
                ("b", "1"),
                ("connection", "x"),
                ("a", "2"),
                ("b", "3"),
                ("c", "4"),
            ] {
                headers.append(name, HeaderValue::from_static(value));
            }
            retain_fields(
                &mut headers,
                Some((HOST, HeaderValue::from_static("h"))),
                3,
                |name| *name != CONNECTION,
            );
            assert_eq!(
                written(&headers),
                ["host: h", "b: 1", "b: 3", "a: 2", "c: 4"]
            );
            assert!(headers.capacity() >= 8);
        }
    }

    #[test]
    fn fields_are_taken_out_wherever_they_stand() {
        let goes = ["connection", "keep-alive", "te", "trailer", "upgrade"];
        for order in [
            &["a", "connection", "b"][..],
            &["connection", "a"],
            &["a", "b", "a", "connection", "keep-alive", "connection"],
            &["a", "connection", "b", "keep-alive"],
            &["a", "connection", "keep-alive", "te", "trailer", "upgrade"],
            &["connection"],
            &["a", "b"],
            &[],
        ] {
            let mut headers = HeaderMap::new();
            for (at, name) in order.iter().enumerate() {
                headers.append(*name, HeaderValue::from(at));
            }
            let mut expected = headers.clone();
            retain_fields(&mut expected, None, 0, |name| {
                !goes.contains(&name.as_str())
            });
            remove_all_but(&mut headers, |name| !goes.contains(&name.as_str()));
            assert_eq!(written(&headers), written(&expected), "{order:?}");
        }
    }

    #[test]
    fn a_panic_on_the_way_leaves_nothing_behind() {
        let mut first = head(&[(COOKIE, "hush"), (ACCEPT, "*/*")]);
        let broken = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            retain_fields(&mut first, None, 0, |name| {
                if *name == COOKIE {
                    true
                } else {
                    panic!("on purpose")
                }
            });
        }));
        assert!(broken.is_err());
        let mut second = head(&[(ACCEPT, "a")]);
        retain_fields(&mut second, None, 0, |_| true);
        assert_eq!(written(&second), ["accept: a"]);
    }
}
