//! The real binary with files of its own, on ports of its own.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;

use super::client::{Answer, get, send};

/// Longer than anything takes; a test that waits this long has failed.
const PATIENCE: Duration = Duration::from_secs(60);

/// The password of every user of the default user list.
pub const PASSWORD: &str = "correct horse battery staple";

/// The secret of the default configuration.
pub const SECRET: &str = "0123456789abcdef0123456789abcdef-test-secret";

/// A bcrypt hash of [`PASSWORD`], cost 4.
pub fn hash() -> String {
    bcrypt::hash(PASSWORD, 4).unwrap()
}

/// A gateway to be started. `services` is the block of that name; `UPSTREAM` in it stands for the upstream's address.
#[must_use]
pub struct GatewayBuilder {
    services: String,
    workers: usize,
    listen: String,
    admin: u16,
    launcher: Vec<String>,
    binary: PathBuf,
    server: String,
    auth: String,
    token: String,
    more: String,
    users: String,
    upstream: Option<SocketAddr>,
    variables: Vec<(String, String)>,
    whole: Option<String>,
    prepare: Option<Prepare>,
    streams: Streams,
    open_files: Option<u32>,
    before: String,
    patience: Duration,
}

/// Changes a folder.
type Prepare = Box<dyn FnOnce(&Path)>;

/// What becomes of the process' standard streams.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Streams {
    /// Both outputs are read.
    Read,
    /// Nobody reads stdout: it is a pipe without a reader.
    StdoutBroken,
    /// stdin and stdout are closed.
    InAndOutClosed,
}

/// Starts to describe a gateway.
pub fn gateway(services: &str) -> GatewayBuilder {
    // each with a salt of its own: hashes that are equal are worth a warning
    let [rita, carl, gone] = std::array::from_fn(|_| hash());
    GatewayBuilder {
        services: services.to_owned(),
        workers: 2,
        listen: "\"127.0.0.1:0\"".to_owned(),
        admin: 0,
        launcher: Vec::new(),
        binary: PathBuf::from(env!("CARGO_BIN_EXE_gatelatch")),
        server: String::new(),
        auth: String::new(),
        token: String::new(),
        more: String::new(),
        users: format!(
            "users:
  rita: {{ password: \"{rita}\", roles: [recruiter], name: Rita Recruiter, email: rita@example.com }}
  carl: {{ password: \"{carl}\", roles: [candidate], claims: {{ tenant: acme }} }}
  gone: {{ password: \"{gone}\", roles: [recruiter], disabled: true }}
"
        ),
        upstream: None,
        variables: Vec::new(),
        whole: None,
        prepare: None,
        streams: Streams::Read,
        open_files: None,
        before: String::new(),
        patience: PATIENCE,
    }
}

impl GatewayBuilder {
    /// Fills in `UPSTREAM`.
    pub fn upstream(mut self, address: SocketAddr) -> Self {
        self.upstream = Some(address);
        self
    }

    /// How many workers; each has connections of its own to the upstream.
    pub fn workers(mut self, workers: usize) -> Self {
        self.workers = workers;
        self
    }

    /// Where it listens: the entries of the list, with commas in between. The first address is that of the running gateway.
    pub fn listen(mut self, places: &str) -> Self {
        self.listen = places.to_owned();
        self
    }

    /// A program that is started with these arguments, and becomes the gateway.
    pub fn launcher(mut self, arguments: &[&str]) -> Self {
        self.launcher = arguments
            .iter()
            .map(|argument| (*argument).to_owned())
            .collect();
        self
    }

    /// Another build of the gateway than that of the tests.
    pub fn binary(mut self, path: PathBuf) -> Self {
        self.binary = path;
        self
    }

    /// Further entries of `server:`, such as `limits: { body: 10 }`.
    pub fn server(mut self, entries: &str) -> Self {
        self.server = format!(", {entries}");
        self
    }

    /// Further entries of `auth:`.
    pub fn auth(mut self, entries: &str) -> Self {
        self.auth = format!(", {entries}");
        self
    }

    /// Further entries of `auth.token:`.
    pub fn auth_token(mut self, entries: &str) -> Self {
        self.token = format!(", {entries}");
        self
    }

    /// Further top-level lines.
    pub fn more(mut self, lines: &str) -> Self {
        self.more = lines.to_owned();
        self
    }

    /// Replaces the user list.
    pub fn users(mut self, text: &str) -> Self {
        self.users = text.to_owned();
        self
    }

    /// Replaces the whole configuration; `UPSTREAM` in it is filled in.
    pub fn whole(mut self, text: &str) -> Self {
        self.whole = Some(text.to_owned());
        self
    }

    /// Sets a variable of the environment.
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Changes the folder of the configuration before the start.
    pub fn prepare(mut self, change: impl FnOnce(&Path) + 'static) -> Self {
        self.prepare = Some(Box::new(change));
        self
    }

    /// What becomes of the standard streams.
    pub fn streams(mut self, streams: Streams) -> Self {
        self.streams = streams;
        self
    }

    /// The soft limit of open files that the process starts with.
    pub fn open_files(mut self, limit: u32) -> Self {
        self.open_files = Some(limit);
        self
    }

    /// Shell commands before the start, ending in `; `.
    pub fn before(mut self, commands: &str) -> Self {
        self.before = commands.to_owned();
        self
    }

    /// How long to wait for anything it says, where that is longer than usual.
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// The configuration file.
    pub fn config(&self) -> String {
        let Self {
            workers,
            listen,
            admin,
            server,
            auth,
            token,
            more,
            ..
        } = self;
        let upstream = self
            .upstream
            .map(|address| address.to_string())
            .unwrap_or_else(|| "127.0.0.1:9".to_owned());
        if let Some(whole) = &self.whole {
            return whole.replace("UPSTREAM", &upstream);
        }
        let services = self.services.replace("UPSTREAM", &upstream);
        format!(
            "server: {{ listen: [{listen}], workers: {workers}{server} }}
admin: {{ listen: \"127.0.0.1:{admin}\" }}
auth: {{ users_file: users.yaml, token: {{ secret: \"{SECRET}\"{token} }}{auth} }}
{more}
services:
{services}
"
        )
    }

    /// Starts it and waits until it listens.
    pub fn start(self) -> Gateway {
        let patience = self.patience;
        let (folder, command, streams) = self.lay_out();
        Gateway::start(folder, command, streams, patience)
    }

    /// Starts it at these ports where it cannot serve yet, and waits for nothing.
    pub fn start_unready(mut self, port: u16, admin: u16) -> Gateway {
        self.listen = format!("\"127.0.0.1:{port}\"");
        self.admin = admin;
        let patience = self.patience;
        let (folder, command, streams) = self.lay_out();
        let mut gateway = Gateway::spawn(folder, command, streams, patience);
        gateway.address.set_port(port);
        gateway.admin.set_port(admin);
        gateway
    }

    /// Starts it where it cannot run, and waits for its end. Returns the exit code and what it printed on stderr.
    pub fn fail(self) -> (Option<i32>, String) {
        let (_folder, mut command, _) = self.lay_out();
        let mut process = command.spawn().unwrap();
        let printed: Arc<Mutex<String>> = Arc::default();
        let events = follow(process.stderr.take().unwrap(), Arc::clone(&printed));
        let ended = std::iter::repeat_with(|| events.recv_timeout(PATIENCE))
            .find_map(Result::err)
            .unwrap();
        let _ = process.kill();
        let printed = printed.lock().unwrap().clone();
        assert_eq!(
            ended,
            RecvTimeoutError::Disconnected,
            "it runs, although it cannot: {printed}"
        );
        (process.wait().unwrap().code(), printed)
    }

    fn lay_out(self) -> (tempfile::TempDir, Command, Streams) {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("gateway.yaml"), self.config()).unwrap();
        fs::write(folder.path().join("users.yaml"), &self.users).unwrap();
        if let Some(prepare) = self.prepare {
            prepare(folder.path());
        }
        let limit = self
            .open_files
            .map(|limit| format!("ulimit -Sn {limit}; "))
            .unwrap_or_default();
        let closed = if self.streams == Streams::InAndOutClosed {
            "<&- >&-"
        } else {
            ""
        };
        let mut command = Command::new("sh");
        let script = format!("{}{limit}exec \"$0\" \"$@\" {closed}", self.before);
        command
            .args(["-c", &script])
            .args(&self.launcher)
            .arg(&self.binary);
        command
            .args(["run", "--config"])
            .arg(folder.path().join("gateway.yaml"));
        command.env_remove("RUST_BACKTRACE").envs(self.variables);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        (folder, command, self.streams)
    }
}

/// A running gateway; it is killed when it is dropped.
pub struct Gateway {
    /// Where clients connect.
    pub address: SocketAddr,
    /// Where operators connect.
    pub admin: SocketAddr,
    folder: tempfile::TempDir,
    process: Child,
    events: Receiver<Value>,
    lines: Receiver<Value>,
    printed: Arc<Mutex<String>>,
    patience: Duration,
}

impl Gateway {
    fn start(
        folder: tempfile::TempDir,
        command: Command,
        streams: Streams,
        patience: Duration,
    ) -> Self {
        let mut gateway = Self::spawn(folder, command, streams, patience);
        let listening = gateway.event("listening");
        let of = |key: &str| match listening.as_str() {
            Some(text) => text
                .split_once(&format!(" {key}="))
                .map(|(_, rest)| rest.to_owned()),
            None => listening.get(key).map(Value::to_string),
        };
        gateway.address = address_in(&of("clients").unwrap());
        if let Some(admin) = of("admin") {
            gateway.admin = address_in(&admin);
        }
        gateway
    }

    fn spawn(
        folder: tempfile::TempDir,
        mut command: Command,
        streams: Streams,
        patience: Duration,
    ) -> Self {
        let mut process = command.spawn().unwrap();
        let printed: Arc<Mutex<String>> = Arc::default();
        let events = follow(process.stderr.take().unwrap(), Arc::clone(&printed));
        let stdout = process.stdout.take().unwrap();
        let lines = match streams {
            Streams::Read | Streams::InAndOutClosed => follow(stdout, Arc::clone(&printed)),
            Streams::StdoutBroken => {
                drop(stdout);
                channel().1
            }
        };
        Self {
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            admin: SocketAddr::from(([127, 0, 0, 1], 0)),
            folder,
            process,
            events,
            lines,
            printed,
            patience,
        }
    }

    /// Waits for an event whose message, or in text format whose line, contains this.
    pub fn event(&self, message: &str) -> Value {
        self.wait(&self.events, message, |event| {
            event
                .as_str()
                .or(event["message"].as_str())
                .is_some_and(|text| text.contains(message))
        })
    }

    /// Waits for an event of this name, such as `login`.
    pub fn named_event(&self, name: &str) -> Value {
        self.wait(&self.events, name, |event| event["event"] == name)
    }

    /// Waits for the access-log line of a path; in text format for a line that contains this.
    pub fn line(&self, path: &str) -> Value {
        self.wait(&self.lines, path, |line| {
            line["path"] == path || line.as_str().is_some_and(|text| text.contains(path))
        })
    }

    /// From here on nobody reads stderr: after the next event it is a pipe without a reader.
    pub fn break_stderr(&mut self) {
        self.events = channel().1;
    }

    /// The process.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    fn wait(&self, from: &Receiver<Value>, what: &str, matches: impl Fn(&Value) -> bool) -> Value {
        loop {
            match from.recv_timeout(self.patience) {
                Ok(value) if matches(&value) => return value,
                Ok(_) => {}
                Err(_) => panic!("`{what}` did not come; printed:\n{}", self.printed()),
            }
        }
    }

    /// Everything printed so far, on both streams.
    pub fn printed(&self) -> String {
        self.printed.lock().unwrap().clone()
    }

    /// A file beside the configuration.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The folder of the configuration.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Replaces a file as an editor does: at once.
    pub fn replace(&self, name: &str, text: &str) {
        let new = self.path(&format!("{name}.new"));
        fs::write(&new, text).unwrap();
        fs::rename(new, self.path(name)).unwrap();
    }

    /// Reads a file beside the configuration.
    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// Kills the process as the kernel does when memory is short, and starts another one with the same files.
    pub fn restart(mut self) -> Self {
        self.signal("KILL");
        self.process.wait().unwrap();
        let folder = std::mem::replace(&mut self.folder, tempfile::tempdir().unwrap());
        let mut command = Command::new(env!("CARGO_BIN_EXE_gatelatch"));
        command
            .args(["run", "--config"])
            .arg(folder.path().join("gateway.yaml"));
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let patience = self.patience;
        Self::start(folder, command, Streams::Read, patience)
    }

    /// Sends a signal by its name.
    pub fn signal(&self, name: &str) {
        let status = Command::new("kill")
            .arg(format!("-{name}"))
            .arg(self.process.id().to_string())
            .status()
            .unwrap();
        assert!(status.success());
    }

    /// Waits for the process to end.
    pub fn ended(&mut self) -> ExitStatus {
        // the streams end with the process
        while self.lines.recv_timeout(self.patience).is_ok() {}
        while self.events.recv_timeout(self.patience).is_ok() {}
        self.process.wait().unwrap()
    }

    /// `POST /auth/login` as a form.
    pub fn login(&self, user: &str, password: &str) -> Answer {
        let form = format!("username={user}&password={}", password.replace(' ', "+"));
        send(
            self.address,
            format!(
                "POST /auth/login HTTP/1.1\r\nHost: gateway.test\r\nContent-Type: application/x-www-form-urlencoded\r\n\
                 Content-Length: {}\r\n\r\n{form}",
                form.len()
            ),
        )
    }

    /// A token of a user of the default list.
    pub fn token(&self, user: &str) -> String {
        let answer = self.login(user, PASSWORD);
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()["access_token"].as_str().unwrap().to_owned()
    }

    /// `Authorization: Bearer` for a user, as a header line.
    pub fn bearer(&self, user: &str) -> String {
        format!("Authorization: Bearer {}\r\n", self.token(user))
    }

    /// `GET` with further header lines.
    pub fn get(&self, path: &str, fields: &str) -> Answer {
        get(self.address, path, fields)
    }

    /// `GET` of the admin listener, which answers probes and scrapers under its address.
    pub fn probe(&self, path: &str) -> Answer {
        let request = format!("GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n", self.admin);
        send(self.admin, request)
    }

    /// The whole exposition.
    pub fn metrics(&self) -> String {
        self.probe("/metrics").body
    }

    /// Resident memory in bytes.
    pub fn memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
    }

    /// The value of a metric, by its name and labels as written in the exposition; 0 where it is missing.
    pub fn metric(&self, series: &str) -> f64 {
        let metrics = self.metrics();
        let line = metrics
            .lines()
            .find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        line.map_or(0.0, |value| value.trim().parse().unwrap())
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn follow(stream: impl Read + Send + 'static, printed: Arc<Mutex<String>>) -> Receiver<Value> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines() {
            let Ok(line) = line else { return };
            printed.lock().unwrap().push_str(&(line.clone() + "\n"));
            let value = serde_json::from_str(&line).unwrap_or(Value::String(line));
            if sender.send(value).is_err() {
                return;
            }
        }
    });
    receiver
}

/// The first address in a list of URLs as it is logged; port 0 where there is none.
fn address_in(text: &str) -> SocketAddr {
    let list = text.split(" admin=").next().unwrap();
    list.split(['"', ',', ' '])
        .find_map(|entry| entry.split_once("://")?.1.parse().ok())
        .unwrap_or(SocketAddr::from(([127, 0, 0, 1], 0)))
}
