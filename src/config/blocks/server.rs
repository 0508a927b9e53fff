//! `gateway.yaml` itself, and `server`, `admin`, `log` and `tracing`.

use super::choices::{
    AT_START, FORWARDED, LOG_FORMATS, LOG_LEVELS, PROXIED_TLS, PROXY_MODE, TRUST_CONTEXT, words,
};
use super::kinds::{BOOLEAN, DURATION, FILE, LINTS, NETWORK, SIZE, TEXT, TEXTS};
use super::auth::AUTH;
use super::rules::TEST;
use super::services::SERVICE;
use super::{Block, Key, Kind, List, Map, Rule, Shown};

pub(in crate::config) static GATEWAY: Block = Block {
    name: "gateway.yaml",
    meaning: "Who may send which request to your service. Only `services` is required. `${VAR}` and `${VAR:-default}` in a value are replaced from the environment and from a `.env` beside the file; `$$` is a literal `$`.",
    nullable: false,
    rules: &[],
    keys: &[
        Key::new("server", Kind::Block(&SERVER), ""),
        Key::new("admin", Kind::Block(&ADMIN), ""),
        Key::new("log", Kind::Block(&LOG), ""),
        Key::new("tracing", Kind::Block(&TRACING), ""),
        Key::new("auth", Kind::Block(&AUTH), ""),
        Key::new("state", Kind::Either(&[STORE, Kind::Block(&STATE)]),
            "Where sessions, logouts and login attempts are remembered: in this process, in a file, or in a Redis that all replicas share.")
            .default(Shown::Text("memory")).examples(&[Shown::Text("memory"), Shown::Text("file:state.redb"), Shown::Text("redis://127.0.0.1:6379")]),
        Key::new("state_file", FILE, "A file with the text of `state`, where that holds a password."),
        Key::new("services", Kind::Map(Map { names: Some("^[A-Za-z0-9._-]{1,64}$"), ..Map::of(&Kind::Block(&SERVICE)).filled() }),
            "The services behind the gateway, by name: letters, digits, `-`, `_` and `.`.").required(),
        Key::new("tests", Kind::List(List::of(&Kind::Block(&TEST)).nullable()),
            "Cases that must hold: run by `check`, `test`, at the start and at each reload."),
        Key::new("allow_lints", LINTS, ""),
    ],
};

const STORE: Kind = Kind::Pattern(r"^memory$|^file:|^rediss?(-cluster|-sentinel)?://|^redis\+unix://|\$\{");

pub(in crate::config) static STATE: Block = Block {
    name: "state",
    meaning: "Where sessions are kept, and what happens where that is away at the start.",
    nullable: false,
    rules: &[Rule::NotBoth("url", "url_file"), Rule::OneOf(&["url", "url_file"])],
    keys: &[
        Key::new("url", STORE, "What `state` is as a text.").examples(&[Shown::Text("redis://127.0.0.1:6379")]),
        Key::new("url_file", FILE, "A file with that text, where it holds a password."),
        Key::new("at_start", Kind::Choice(|| words(AT_START)),
            "What is done while a Redis is away at the start. `wait`: nothing listens but the admin listener until it is there, because nobody knows which sessions have ended. `serve`: requests are served as during any outage, and a session that had ended counts until Redis is back.")
            .default(Shown::Text("wait")),
    ],
};

pub(in crate::config) static SERVER: Block = Block {
    name: "server",
    meaning: "Where and how clients are served.",
    nullable: true,
    rules: &[],
    keys: &[
        Key::new("listen", Kind::Either(&[TEXT, Kind::List(List::of(&TEXT).filled().distinct())]),
            "Where to listen: `ADDRESS:PORT`, `[v6]:PORT`, `unix:PATH`, or `systemd` for the sockets that systemd hands over.")
            .default(Shown::List(&["0.0.0.0:8080"])).examples(&[Shown::List(&["0.0.0.0:8080", "[::]:8080"]), Shown::Text("unix:/run/gatelatch.sock")]),
        Key::new("tls", Kind::Block(&SERVER_TLS), ""),
        Key::new("trusted_proxies", Kind::List(List::of(&NETWORK)),
            "Whose `X-Forwarded-*` and `Forwarded` are believed; nobody's by default.").default(Shown::List(&[])),
        Key::new("forwarded", Kind::Choice(|| words(FORWARDED)),
            "Which fields of `trusted_proxies` count. A proxy writes one kind and passes on what its client sent of the other: name the kind that yours write. `auto`: `X-Forwarded-*` where `X-Forwarded-For` is present, else `Forwarded`.")
            .default(Shown::Text("auto")),
        Key::new("proxy_protocol", Kind::Either(&[BOOLEAN, Kind::Block(&PROXY_PROTOCOL)]),
            "Connections from `trusted_proxies` begin with a PROXY protocol header, version 1 or 2: `true`, or the block. It says who the client is; whose fields are believed depends on the proxy's own address.")
            .default(Shown::Flag(false)),
        Key::new("preserve_header_case", BOOLEAN,
            "Whether names of fields keep the spelling in which they came, both ways over HTTP/1.1: `Content-Type`. By default they are sent in lower case, as HAProxy and Envoy send them: no spelling means anything else (RFC 9110, section 5.1), and keeping it costs a tenth of a request.")
            .default(Shown::Flag(false)),
        Key::new("workers", Kind::Either(&[Kind::Only(Shown::Text("auto")), Kind::Integer(1, 1024)]),
            "Worker threads; `auto` is one per core.").default(Shown::Text("auto")),
        Key::new("timeouts", Kind::Block(&SERVER_TIMEOUTS), ""),
        Key::new("limits", Kind::Block(&SERVER_LIMITS), ""),
    ],
};

pub(in crate::config) static PROXY_PROTOCOL: Block = Block {
    name: "proxy_protocol",
    meaning: "What follows from a PROXY protocol header.",
    nullable: false,
    rules: &[],
    keys: &[
        Key::new("tls", Kind::Choice(|| words(PROXIED_TLS)),
            "Whether clients come over TLS that ends at the proxy. `auto`, the default: where a header of version 2 says so; those of version 1 cannot."),
        Key::new("mode", Kind::Choice(|| words(PROXY_MODE)),
            "`http`: the proxy writes `X-Forwarded-*` or `Forwarded`, which are believed. `tcp`: it passes bytes on, so that such fields are the client's own and are not. `auto`, the default: `tcp` where TLS is passed through to the gateway, else `http`."),
    ],
};

pub(in crate::config) static SERVER_TLS: Block = Block {
    name: "server_tls",
    meaning: "TLS for every TCP listener. The files are read again when they change.",
    nullable: true,
    rules: &[],
    keys: &[
        Key::new("certificate", FILE, "The certificate and its chain, in PEM.").required(),
        Key::new("private_key", FILE, "The file with the private key, in PEM.").required(),
        Key::new("client_ca", FILE, "Clients need a certificate of one of these authorities, in PEM (mutual TLS)."),
    ],
};

pub(in crate::config) static SERVER_TIMEOUTS: Block = Block {
    name: "server_timeouts",
    meaning: "Deadlines towards clients.",
    nullable: true,
    rules: &[],
    keys: &[
        Key::new("handshake", DURATION,
            "For a TLS handshake, a PROXY protocol header, and the first bytes of a connection.").default(Shown::Text("10s")),
        Key::new("header", DURATION,
            "From accept, or the end of the last answer, to the end of a request's head.").default(Shown::Text("10s")),
        Key::new("body", DURATION, "Between two pieces of a body.").default(Shown::Text("60s")),
        Key::new("idle", DURATION, "How long an idle connection is kept.").default(Shown::Text("75s")),
        Key::new("tunnel", DURATION,
            "How long an upgraded connection, such as a WebSocket, may be silent in both directions.").default(Shown::Text("1h")),
        Key::new("drain_delay", DURATION,
            "From SIGTERM to the end of accepting: time for a load balancer to notice.").default(Shown::Text("0s")),
        Key::new("drain", DURATION, "How long running requests may take after that.").default(Shown::Text("30s")),
    ],
};

pub(in crate::config) static SERVER_LIMITS: Block = Block {
    name: "server_limits",
    meaning: "Limits on what clients send.",
    nullable: true,
    rules: &[],
    keys: &[
        Key::new("header_bytes", SIZE, "Bytes of a request's head, from 8KiB to 1MiB. Tokens have no other bound.").default(Shown::Text("32KiB")),
        Key::new("headers", Kind::Integer(10, 1000), "Number of header fields; all cookies together count as one over HTTP/2, which splits them.").default(Shown::Number(100)),
        Key::new("body", SIZE, "Bytes of a request's body; 0 is unlimited. A service may set a smaller one.").default(Shown::Number(0)),
        Key::new("connections", Kind::Either(&[Kind::Only(Shown::Text("auto")), Kind::Integer(1, 1000000)]),
            "Open client connections; more get 503. `auto`: 20000, or fewer where the memory limit of the cgroup, or of the machine, or the open files do not allow so many. A number is taken as it is, but half of the open files is always for services.")
            .default(Shown::Text("auto")),
        Key::new("streams", Kind::Integer(1, 10000), "Requests at once on one HTTP/2 connection.").default(Shown::Number(100)),
    ],
};

pub(in crate::config) static ADMIN: Block = Block {
    name: "admin",
    meaning: "The operator's listener: the dashboard, /api, /healthz, /readyz and /metrics. Keep it off the public network.",
    nullable: true,
    rules: &[Rule::NotBoth("token", "token_file")],
    keys: &[
        Key::new("listen", Kind::Either(&[TEXT, Kind::Only(Shown::Flag(false))]),
            "An IP address and a port, or `off`.")
            .default(Shown::Text("127.0.0.1:9900")).examples(&[Shown::Text("127.0.0.1:9900"), Shown::Text("off")]),
        Key::new("token", Kind::Filled,
            "At least 16 visible ASCII characters. With it the dashboard and /api ask for it, and can lift lockouts; without it they only read, and answer to an address or `localhost`. /healthz, /readyz and /metrics never ask for it. Make one with `openssl rand -hex 32`.")
            .examples(&[Shown::Text("${GATELATCH_ADMIN_TOKEN}")]),
        Key::new("token_file", FILE, "A file with the token; one newline at its end is no part of it."),
        Key::new("hosts", Kind::List(TEXTS.filled()),
            "The names that the listener answers to beside addresses and `localhost`, such as `metrics.example.com` or `*.ops.example.com`. By default /metrics and /readyz answer to names without a dot and to those below `svc`, `svc.cluster.local` and `internal`, which no page of another site can have. /healthz answers to any."),
    ],
};

pub(in crate::config) static LOG: Block = Block {
    name: "log",
    meaning: "What is logged. Access-log lines go to standard output, events to standard error.",
    nullable: true,
    rules: &[],
    keys: &[
        Key::new("format", Kind::Choice(|| words(LOG_FORMATS)),
            "How a line looks; `auto` is text on a terminal and JSON elsewhere.").default(Shown::Text("auto")),
        Key::new("level", Kind::Choice(|| words(LOG_LEVELS)), "The least severe event that is logged.").default(Shown::Text("info")),
        Key::new("access", BOOLEAN, "Whether each request gets a line.").default(Shown::Flag(true)),
        Key::new("audit", Kind::Either(&[Kind::Filled, Kind::Only(Shown::Flag(false))]),
            "Where records for auditors go, one JSON object a line: logins, denials, changes of users and rules. `off`, `stdout`, `stderr`, or a file, which is appended to. No record is ever dropped: where they cannot be written, requests wait.")
            .default(Shown::Text("off")).examples(&[Shown::Text("off"), Shown::Text("stdout"), Shown::Text("/var/log/gatelatch/audit.log")]),
    ],
};

pub(in crate::config) static TRACING: Block = Block {
    name: "tracing",
    meaning: "Traces of requests, sent to a collector of OpenTelemetry over OTLP/gRPC. Without this block nothing is traced.",
    nullable: true,
    rules: &[],
    keys: &[
        Key::new("otlp", Kind::Pattern(r"^https?://|\$\{"),
            "The collector.").required().examples(&[Shown::Text("http://127.0.0.1:4317"), Shown::Text("https://otel.example.com:4317")]),
        Key::new("ca", FILE, "Certificates in PEM that the collector's must lead to; without it those of the system. For `https://` only."),
        Key::new("sample", Kind::Share,
            "The share of new traces that are recorded. A trace that a trusted sender has begun is recorded where the sender records it.")
            .default(Shown::Number(1)),
        Key::new("service_name", Kind::Filled, "`service.name` of the spans; without it `OTEL_SERVICE_NAME`, else `gatelatch`."),
        Key::new("headers", Kind::Map(Map::of(&Kind::Filled).nullable()),
            "Fields that the collector asks of its clients, such as `authorization`. Every value is a secret: write `${VARIABLE}`, or `NAME_file` with the name of a file."),
        Key::new("timeout", DURATION, "How long one export may take, its retries included.").default(Shown::Text("10s")),
        Key::new("trust", Kind::Choice(|| words(TRUST_CONTEXT)),
            "Whose word about whether a trace is recorded counts: that of `server.trusted_proxies`, or anybody's.")
            .default(Shown::Text("proxies")),
    ],
};
