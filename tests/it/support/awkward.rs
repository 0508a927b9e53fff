//! Services that take their time, or do not end.

use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};

use super::raw::RawUpstream;
use super::upstream::{Upstream, ok};

/// A service that says when a request has come for `/slow`, and answers it when it is told to.
pub fn slow() -> (Upstream, Receiver<()>, Sender<()>) {
    let (arrived, arrivals) = channel();
    let (release, gate) = channel::<()>();
    let gate = Mutex::new(gate);
    let upstream = Upstream::new(move |request| {
        if request.line().starts_with("GET /slow") {
            arrived.send(()).unwrap();
            let _ = gate.lock().unwrap().recv();
        }
        ok("whole")
    });
    (upstream, arrivals, release)
}

/// A service whose answer fills every buffer on the way; it says when its connection has ended.
pub fn gushing() -> (RawUpstream, Receiver<()>) {
    let (ended, end) = channel();
    let ended = Mutex::new(ended);
    let upstream = RawUpstream::new(move |mut wire, _| {
        wire.head().unwrap();
        wire.say("HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n");
        let piece = vec![b'x'; 1024 * 1024];
        while wire.say(&piece) {}
        ended.lock().unwrap().send(()).unwrap();
    });
    (upstream, end)
}
