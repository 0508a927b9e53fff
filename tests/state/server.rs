//! A Redis without any data but a stream of sessions that have ended.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Within which commands that were sent at the same time arrive.
const TOGETHER: Duration = Duration::from_millis(20);

/// Far beyond what anything takes here.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Default)]
struct State {
    /// How many sessions are in the stream.
    known: usize,
    has_forgotten: bool,
    clients: Vec<TcpStream>,
    /// The sessions that it was told of since.
    announced: BTreeSet<String>,
    most_together: usize,
}

/// A running one, for as long as the test runs.
pub(crate) struct ScriptedRedis {
    pub(crate) address: SocketAddr,
    shared: Arc<(Mutex<State>, Condvar)>,
}

impl ScriptedRedis {
    /// Its stream has so many sessions.
    pub(crate) fn start(known: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared: Arc<(Mutex<State>, Condvar)> = Arc::default();
        shared.0.lock().unwrap().known = known;
        let of_clients = Arc::clone(&shared);
        thread::spawn(move || {
            for client in listener.incoming().map(Result::unwrap) {
                let shared = Arc::clone(&of_clients);
                let other = client.try_clone().unwrap();
                shared.0.lock().unwrap().clients.push(other);
                thread::spawn(move || serve(client, &shared));
            }
        });
        Self { address, shared }
    }

    /// Loses its data and all connections.
    pub(crate) fn forget(&self) {
        let mut state = self.shared.0.lock().unwrap();
        (state.known, state.has_forgotten) = (0, true);
        for client in state.clients.drain(..) {
            let _ = client.shutdown(Shutdown::Both);
        }
    }

    /// Of how many sessions it was told, once it was of so many.
    pub(crate) fn announced(&self, expected: usize) -> usize {
        let (state, changed) = &*self.shared;
        let waits = |state: &mut State| state.announced.len() < expected;
        let state = changed.wait_timeout_while(state.lock().unwrap(), PATIENCE, waits);
        state.unwrap().0.announced.len()
    }

    /// The most commands that waited for an answer at the same moment, since it has forgotten.
    pub(crate) fn most_together(&self) -> usize {
        self.shared.0.lock().unwrap().most_together
    }
}

fn serve(mut client: TcpStream, (state, changed): &(Mutex<State>, Condvar)) {
    let (mut bytes, mut piece) = (Vec::new(), [0; 65536]);
    while let Ok(length @ 1..) = client.read(&mut piece) {
        bytes.extend_from_slice(&piece[..length]);
        // what was sent with it is on its way
        client.set_read_timeout(Some(TOGETHER)).unwrap();
        while let Ok(length @ 1..) = client.read(&mut piece) {
            bytes.extend_from_slice(&piece[..length]);
        }
        client.set_read_timeout(None).unwrap();
        let commands: Vec<_> = std::iter::from_fn(|| command(&mut bytes)).collect();
        let mut answers = Vec::new();
        let mut state = state.lock().unwrap();
        if state.has_forgotten {
            state.most_together = state.most_together.max(commands.len());
        }
        for words in &commands {
            answers.extend(answer(words, &mut state));
        }
        changed.notify_all();
        drop(state);
        if client.write_all(&answers).is_err() {
            return;
        }
    }
}

fn answer(words: &[String], state: &mut State) -> Vec<u8> {
    match words[0].as_str() {
        "XREAD" if words.last().is_some_and(|place| place == "0") && state.known > 0 => {
            stream(state.known)
        }
        "XREAD" => b"*-1\r\n".to_vec(),
        // the script that announces the end of a session: its digest, how many keys, the key, the session
        "EVALSHA" => {
            state.announced.insert(words[4].clone());
            b"+OK\r\n".to_vec()
        }
        "DEL" => b":0\r\n".to_vec(),
        _ => b"+OK\r\n".to_vec(),
    }
}

/// The answer to the first read: all entries.
fn stream(count: usize) -> Vec<u8> {
    let mut text = format!("*1\r\n*2\r\n$15\r\ngatelatch:ended\r\n*{count}\r\n");
    for number in 1..=count {
        let session = URL_SAFE_NO_PAD.encode((number as u128).to_be_bytes());
        let fields = ["session", &session, "until", "4000000000"];
        let fields = fields.map(|field| format!("${}\r\n{field}\r\n", field.len()));
        text += &format!("*2\r\n+{number}-1\r\n*4\r\n{}", fields.concat());
    }
    text.into_bytes()
}

/// The words of the next command, where it is whole.
fn command(bytes: &mut Vec<u8>) -> Option<Vec<String>> {
    let mut at = 0;
    let line = |at: &mut usize| {
        let end = bytes[*at..].windows(2).position(|two| two == b"\r\n")? + *at;
        let line = String::from_utf8_lossy(&bytes[*at..end]).into_owned();
        *at = end + 2;
        Some(line)
    };
    let count: usize = line(&mut at)?.strip_prefix('*')?.parse().ok()?;
    let mut words = Vec::new();
    for _ in 0..count {
        let length: usize = line(&mut at)?.strip_prefix('$')?.parse().ok()?;
        let word = bytes.get(at..at + length)?;
        words.push(String::from_utf8_lossy(word).into_owned());
        at += length + 2;
    }
    bytes.drain(..at.min(bytes.len()));
    Some(words)
}
