//! A real `redis-server`, on a socket of its own.

use std::cell::Cell;
use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::programs::program;
use super::until;

/// A running Redis; it is killed when it is dropped.
pub struct Redis {
    program: PathBuf,
    folder: tempfile::TempDir,
    more: Vec<String>,
    process: Child,
    answers: Cell<bool>,
}

impl Redis {
    /// Starts one; `None` where the test is skipped. What it is told is on its disk when it answers.
    pub fn start(more: &[&str]) -> Option<Self> {
        let program = program("redis-server")?;
        let folder = tempfile::tempdir().unwrap();
        let more: Vec<String> = more.iter().map(|argument| (*argument).to_owned()).collect();
        let process = spawn(&program, folder.path(), &more);
        let mut redis = Self {
            program,
            folder,
            more,
            process,
            answers: Cell::new(false),
        };
        redis.wait();
        Some(redis)
    }

    /// As `state`.
    pub fn url(&self) -> String {
        format!("redis+unix://{}", self.socket().display())
    }

    /// The arguments of a sentinel with this configuration, which it writes to.
    pub fn sentinel(configuration: &Path, port: &str) -> Vec<String> {
        vec![
            configuration.display().to_string(),
            "--sentinel".to_owned(),
            "--port".to_owned(),
            port.to_owned(),
        ]
    }

    /// Whether it has not ended: a port may have been taken.
    pub fn is_running(&self) -> bool {
        self.answers.get()
    }

    /// Kills it, as the kernel does when memory is short.
    pub fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
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

    /// Starts it again, with what is on its disk.
    pub fn restart(&mut self) {
        self.process = spawn(&self.program, self.folder.path(), &self.more);
        self.wait();
    }

    /// Takes away what is on its disk.
    pub fn forget(&self) {
        let _ = fs::remove_dir_all(self.folder.path().join("appendonlydir"));
    }

    /// Sends one command, its words without spaces, and returns the raw answer.
    pub fn command(&self, words: &str) -> String {
        let mut stream = UnixStream::connect(self.socket()).unwrap();
        stream.write_all(format!("{words}\r\n").as_bytes()).unwrap();
        let mut answer = [0; 4096];
        // a sentinel that makes it the primary ends its connections: that is no answer
        let length = stream.read(&mut answer).unwrap_or(0);
        String::from_utf8_lossy(&answer[..length]).into_owned()
    }

    /// The same with an answer of any length; not of a sentinel.
    pub fn whole(&self, words: &str) -> String {
        let mut stream = UnixStream::connect(self.socket()).unwrap();
        let commands = format!("{words}\r\nQUIT\r\n");
        stream.write_all(commands.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    /// A file in its folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn socket(&self) -> PathBuf {
        self.path("redis.sock")
    }

    fn wait(&mut self) {
        until("a Redis", || {
            let answer = UnixStream::connect(self.socket())
                .is_ok()
                .then(|| self.command("PING"));
            // a wish for a password is an answer as well
            self.answers.set(answer.is_some_and(|answer| {
                answer.starts_with("+PONG") || answer.starts_with("-NOAUTH")
            }));
            self.answers.get() || self.process.try_wait().unwrap().is_some()
        });
    }
}

/// A port that was free a moment ago.
pub fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

/// Starts a Redis that must have a port; ports may be taken in between.
pub fn on_a_port(arguments: impl Fn(&str) -> Vec<String>) -> Option<(Redis, u16)> {
    for _ in 0..20 {
        let port = free_port();
        let arguments = arguments(&port.to_string());
        let redis = Redis::start(&arguments.iter().map(String::as_str).collect::<Vec<_>>())?;
        if redis.is_running() {
            return Some((redis, port));
        }
    }
    panic!("no port is free");
}

fn spawn(program: &Path, folder: &Path, more: &[String]) -> Child {
    let mut command = Command::new(program);
    // a sentinel begins with its configuration, and keeps no data
    if more.iter().any(|argument| argument == "--sentinel") {
        command
            .args(more)
            .arg("--unixsocket")
            .arg(folder.join("redis.sock"));
    } else {
        command.args([
            "--port",
            "0",
            "--save",
            "",
            "--appendonly",
            "yes",
            "--appendfsync",
            "always",
        ]);
        command
            .arg("--unixsocket")
            .arg(folder.join("redis.sock"))
            .arg("--dir")
            .arg(folder)
            .args(more);
    }
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
