//! `upstream` in full.

use super::choices::{BALANCE, HOST, words};
use super::kinds::{ABSOLUTE_PATH, DURATION, FILE, ORIGIN};
use super::{Block, Key, Kind, List, Rule, Shown};

pub(in crate::config) static UPSTREAM: Block = Block {
    name: "upstream",
    meaning: "The block in full, for several servers, health checks, deadlines and TLS.",
    nullable: false,
    rules: &[],
    keys: &[
        Key::new("servers", Kind::List(List::of(&ORIGIN).filled().distinct()),
            "Where the service is; several share its requests.").required(),
        Key::new("balance", Kind::Choice(|| words(BALANCE)), "Which server is asked.").default(Shown::Text("round_robin")),
        Key::new("health", Kind::Block(&UPSTREAM_HEALTH), ""),
        Key::new("timeouts", Kind::Block(&UPSTREAM_TIMEOUTS), ""),
        Key::new("retries", Kind::Integer(0, 3),
            "How often a request is tried again that cannot have had an effect.").default(Shown::Number(1)),
        Key::new("tls", Kind::Block(&UPSTREAM_TLS), ""),
        Key::new("host", Kind::Choice(|| words(HOST)),
            "Which `Host` the server sees: the client's, or its own.").default(Shown::Text("preserve")),
    ],
};

pub(in crate::config) static UPSTREAM_HEALTH: Block = Block {
    name: "upstream_health",
    meaning: "Each server is asked now and then whether it is well.",
    nullable: true,
    rules: &[],
    keys: &[
        Key::new("path", ABSOLUTE_PATH, "What is asked for; any 2xx or 3xx is healthy.").required().examples(&[Shown::Text("/healthz")]),
        Key::new("interval", DURATION, "Between two checks.").default(Shown::Text("10s")),
        Key::new("timeout", DURATION, "How long an answer may take.").default(Shown::Text("2s")),
        Key::new("unhealthy_after", Kind::Integer(1, 100), "So many failures in a row.").default(Shown::Number(3)),
        Key::new("healthy_after", Kind::Integer(1, 100), "So many successes in a row.").default(Shown::Number(2)),
    ],
};

pub(in crate::config) static UPSTREAM_TIMEOUTS: Block = Block {
    name: "upstream_timeouts",
    meaning: "Deadlines towards the servers.",
    nullable: true,
    rules: &[],
    keys: &[
        Key::new("connect", DURATION, "To an established connection.").default(Shown::Text("2s")),
        Key::new("response", DURATION, "From the end of the request to the head of the answer.").default(Shown::Text("60s")),
        Key::new("stream", DURATION, "The longest silence between two pieces of an answer's body.").default(Shown::Text("1h")),
        Key::new("idle", DURATION, "How long an unused connection is kept.").default(Shown::Text("90s")),
    ],
};

pub(in crate::config) static UPSTREAM_TLS: Block = Block {
    name: "upstream_tls",
    meaning: "TLS towards `https://` servers.",
    nullable: true,
    rules: &[Rule::Together("client_certificate", "client_key")],
    keys: &[
        Key::new("ca", FILE, "The authorities whose certificates are accepted, in PEM; the system's by default. A server's own certificate does as well, whether it may sign for others or not: it is accepted as it is, while its names and dates are right."),
        Key::new("server_name", Kind::Filled, "The name that the certificate is for, where it is not the server's."),
        Key::new("client_certificate", FILE, "The gateway's own certificate, in PEM."),
        Key::new("client_key", FILE, "The file with its private key, in PEM."),
    ],
};
