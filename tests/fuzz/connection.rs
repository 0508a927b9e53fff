//! Whatever bytes a client sends: the gateway ends the connection, what it answers are answers of HTTP without an error of its
//! own, and no service sees a request that the rules do not let through, or that it could read in two ways.

use std::net::SocketAddr;
use std::sync::LazyLock;
use std::time::Duration;

static GATEWAY: LazyLock<SocketAddr> = LazyLock::new(|| crate::gateway::start(""));

/// After which the client gives up a request that is not whole.
const REST: Duration = Duration::from_millis(20);

/// What most inputs end with, so that the gateway ends the connection by itself.
const LAST: &[u8] = b"GET /public/last HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";

pub(crate) fn run(data: &[u8]) {
    let sent = [data, LAST].concat();
    let answers = crate::gateway::exchange(*GATEWAY, &sent, Some(REST));
    // HTTP/2 begins with SETTINGS
    let is_http2 = answers.get(3) == Some(&4);
    if answers.is_empty() || is_http2 {
        return;
    }
    let shown = String::from_utf8_lossy(&answers);
    assert!(shown.starts_with("HTTP/1."), "{shown:?}");
    let statuses = shown.split("HTTP/1.").skip(1);
    for status in statuses.filter_map(|answer| answer.get(2..5)) {
        assert!(!["500", "502", "503", "504"].contains(&status), "{shown:?}");
    }
}
