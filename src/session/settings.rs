//! `state`: where sessions and failed logins are kept.

use std::fmt;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::net::ServerAddress;
use crate::text::percent;

/// Where sessions and failed logins are kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum StateSettings {
    /// In this process, until it ends. The default.
    #[default]
    Memory,
    /// In this file, for one process at a time.
    File(PathBuf),
    /// In a Redis that replicas share.
    Redis(RedisSettings),
}

/// What a gateway does that starts while its Redis is away. It does not know then which sessions have ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AtStart {
    /// It listens once it knows. The default.
    #[default]
    Wait,
    /// It serves as during any outage: a session that has ended before counts until Redis is back.
    Serve,
}

/// Which Redis, and how to reach it. Its credentials cannot be printed.
#[derive(Clone, PartialEq, Eq)]
pub struct RedisSettings {
    pub(super) kind: RedisKind,
    pub(super) nodes: Vec<ServerAddress>,
    pub(super) tls: RedisTls,
    pub(super) database: i64,
    pub(super) username: Option<String>,
    pub(super) password: Option<Zeroizing<String>>,
    pub(super) at_start: AtStart,
}

/// What answers at the nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum RedisKind {
    /// One server.
    Single,
    /// Nodes of a cluster.
    Cluster,
    /// Sentinels that know the master of this name.
    Sentinel(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RedisTls {
    Off,
    On,
}

/// What is accepted, for messages.
const FORMS: &str = "`memory`, `file:PATH`, `redis://HOST:PORT`, `rediss://…`, `redis-cluster://…` or \
                     `redis-sentinel://…/MASTER`";

impl StateSettings {
    /// The same, with what happens where it is away at the start; that is of a Redis only.
    #[must_use]
    pub fn at_start(mut self, at_start: AtStart) -> Self {
        if let Self::Redis(redis) = &mut self {
            redis.at_start = at_start;
        }
        self
    }

    /// Whether nothing may be served before the store was reached.
    pub fn is_awaited(&self) -> bool {
        matches!(self, Self::Redis(redis) if redis.at_start == AtStart::Wait)
    }

    /// Reads `state`. A relative file is one of `folder`.
    ///
    /// # Errors
    /// What to write instead. It repeats nothing of the text, which may hold a password.
    pub fn parse(text: &str, folder: &Path) -> Result<Self, String> {
        match text.split_once(':') {
            None if text == "memory" => Ok(Self::Memory),
            Some(("file", path)) if !path.is_empty() => Ok(Self::File(folder.join(path))),
            Some(_) if text.contains("://") => RedisSettings::parse(text).map(Self::Redis),
            None | Some(_) => Err(format!("write {FORMS}")),
        }
    }
}

impl RedisSettings {
    fn parse(text: &str) -> Result<Self, String> {
        let (scheme, rest) = text.split_once("://").unwrap_or_default();
        if rest.contains(['#', '?']) {
            return Err(
                "write the URL without `?` and `#`; in a password they are `%3F` and `%23`"
                    .to_owned(),
            );
        }
        let tls = if scheme.starts_with("rediss") {
            RedisTls::On
        } else {
            RedisTls::Off
        };
        let (credentials, rest) = rest.rsplit_once('@').unwrap_or(("", rest));
        let (username, password) = parse_credentials(credentials)?;
        let (kind, nodes, database) = match scheme {
            "redis+unix" => (RedisKind::Single, vec![socket(rest)?], 0),
            "redis" | "rediss" => {
                let (hosts, path) = rest.split_once('/').unwrap_or((rest, ""));
                (
                    RedisKind::Single,
                    nodes(hosts, 6379)?,
                    parse_database(path)?,
                )
            }
            "redis-cluster" | "rediss-cluster" => (
                RedisKind::Cluster,
                nodes(rest.strip_suffix('/').unwrap_or(rest), 6379)?,
                0,
            ),
            "redis-sentinel" | "rediss-sentinel" => parse_sentinels(rest)?,
            _ => return Err(format!("write {FORMS}")),
        };
        if kind == RedisKind::Single && nodes.len() > 1 {
            return Err(
                "several servers are a `redis-cluster://` or a `redis-sentinel://`".to_owned(),
            );
        }
        Ok(Self {
            kind,
            nodes,
            tls,
            database,
            username,
            password,
            at_start: AtStart::Wait,
        })
    }
}

/// What follows `redis-sentinel://` and the credentials.
fn parse_sentinels(text: &str) -> Result<(RedisKind, Vec<ServerAddress>, i64), String> {
    let (hosts, path) = text.split_once('/').unwrap_or((text, ""));
    let (master, database) = path.split_once('/').unwrap_or((path, ""));
    if master.is_empty() {
        return Err("name the master: `redis-sentinel://HOST:PORT,HOST:PORT/MASTER`".to_owned());
    }
    let kind = RedisKind::Sentinel(master.to_owned());
    Ok((kind, nodes(hosts, 26_379)?, parse_database(database)?))
}

/// `user:password`, `:password`, or nothing; both percent-encoded.
fn parse_credentials(text: &str) -> Result<(Option<String>, Option<Zeroizing<String>>), String> {
    let Some((user, password)) = text.split_once(':') else {
        let said = "write `user:password@`, or `:password@` without a user".to_owned();
        return if text.is_empty() {
            Ok((None, None))
        } else {
            Err(said)
        };
    };
    let wrong = || {
        "the user or the password is not well percent-encoded: a literal `%` is `%25`".to_owned()
    };
    let decode = |text: &str| percent::decode(text.as_bytes()).ok_or_else(wrong);
    let user = Some(decode(user)?.to_string()).filter(|user| !user.is_empty());
    let password = decode(password)?;
    Ok((user, Some(password).filter(|password| !password.is_empty())))
}

fn parse_database(text: &str) -> Result<i64, String> {
    let wrong = |_| "the path is the number of a database, such as `/0`".to_owned();
    if text.is_empty() {
        Ok(0)
    } else {
        text.parse::<u16>().map(i64::from).map_err(wrong)
    }
}

fn socket(path: &str) -> Result<ServerAddress, String> {
    if path.starts_with('/') {
        return Ok(ServerAddress::Unix(path.into()));
    }
    Err(
        "write the path of the socket after three slashes: `redis+unix:///run/redis.sock`"
            .to_owned(),
    )
}

fn nodes(hosts: &str, default_port: u16) -> Result<Vec<ServerAddress>, String> {
    hosts
        .split(',')
        .map(|host| node(host, default_port))
        .collect()
}

fn node(text: &str, default_port: u16) -> Result<ServerAddress, String> {
    let wrong = || "write `host`, `host:port` or `[v6]:port`".to_owned();
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']').ok_or_else(wrong)?;
            host.parse::<std::net::Ipv6Addr>().map_err(|_| wrong())?;
            let port = port.strip_prefix(':').or(port.is_empty().then_some(""));
            (host, port.ok_or_else(wrong)?)
        }
        None => text.split_once(':').unwrap_or((text, "")),
    };
    let plain =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b':');
    if host.is_empty() || !host.bytes().all(plain) {
        return Err(wrong());
    }
    let port = if port.is_empty() {
        default_port
    } else {
        port.parse().map_err(|_| wrong())?
    };
    Ok(ServerAddress::Host(host.into(), port))
}

impl fmt::Display for StateSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory => f.write_str("memory"),
            Self::File(path) => write!(f, "file:{}", path.display()),
            Self::Redis(settings) => settings.fmt(f),
        }
    }
}

/// As a URL without credentials.
impl fmt::Display for RedisSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.tls == RedisTls::On {
            "rediss"
        } else {
            "redis"
        })?;
        f.write_str(match (&self.kind, &self.nodes[..]) {
            (RedisKind::Single, [ServerAddress::Unix(_)]) => "+unix",
            (RedisKind::Single, _) => "",
            (RedisKind::Cluster, _) => "-cluster",
            (RedisKind::Sentinel(_), _) => "-sentinel",
        })?;
        f.write_str("://")?;
        for (index, node) in self.nodes.iter().enumerate() {
            f.write_str(if index == 0 { "" } else { "," })?;
            match node {
                ServerAddress::Host(..) => node.fmt(f)?,
                ServerAddress::Unix(path) => path.display().fmt(f)?,
            }
        }
        match &self.kind {
            RedisKind::Sentinel(master) => write!(f, "/{master}"),
            RedisKind::Single | RedisKind::Cluster => Ok(()),
        }
    }
}

impl fmt::Debug for RedisSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<StateSettings, String> {
        StateSettings::parse(text, Path::new("/etc/gatelatch"))
    }

    #[test]
    fn every_form_is_read() {
        for (text, shown) in [
            ("memory", "memory"),
            ("file:state.redb", "file:/etc/gatelatch/state.redb"),
            ("file:/var/lib/state.redb", "file:/var/lib/state.redb"),
            ("redis://localhost", "redis://localhost:6379"),
            ("redis://:p%40ss@10.0.0.1:7000/3", "redis://10.0.0.1:7000"),
            ("rediss://me:pass@[::1]", "rediss://[::1]:6379"),
            (
                "redis+unix:///run/redis.sock",
                "redis+unix:///run/redis.sock",
            ),
            ("redis-cluster://a:1,b:2", "redis-cluster://a:1,b:2"),
            (
                "rediss-sentinel://:pass@a,b:2/main/1",
                "rediss-sentinel://a:26379,b:2/main",
            ),
        ] {
            assert_eq!(
                parse(text).map(|settings| settings.to_string()),
                Ok(shown.to_owned()),
                "{text}"
            );
        }
        let Ok(StateSettings::Redis(settings)) = parse("redis://me:p%40s%3As@h/3") else {
            panic!("it is a Redis")
        };
        assert_eq!(
            (settings.username.as_deref(), settings.database),
            (Some("me"), 3)
        );
        assert_eq!(
            settings.password.as_ref().map(|password| password.as_str()),
            Some("p@s:s")
        );
        assert!(!format!("{settings:?}{settings}").contains("p@s"));
        assert_ne!(parse("redis://:a@h"), parse("redis://:b@h"));
    }

    #[test]
    fn anything_else_is_refused_without_being_repeated() {
        for text in [
            "",
            "memroy",
            "file:",
            "redis:hunter2",
            "http://hunter2",
            "redis://hunter2@h",
            "redis://:hunter2%@h",
            "redis://:hunter2@",
            "redis://:hunter2@h:port",
            "redis://:hunter2@h/x",
            "redis://:hunter2@h#insecure",
            "redis://:hunter2@h?timeout=1",
            "redis://:hunter2@h,i",
            "redis://[::1:6379",
            "redis+unix://run/redis.sock",
            "redis-sentinel://:hunter2@h",
            "redis-sentinel://:hunter2@h/main/x",
        ] {
            let error = parse(text).expect_err(text);
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
