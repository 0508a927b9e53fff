//! Whatever a Redis answers, in whatever order: it is the loss of the store or an answer, and no refresh token is good that it
//! does not vouch for. The first byte says what is asked for; the second one how many commands are
//! answered properly before the rest is sent.

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::{LazyLock, Mutex};
use std::thread;
use std::time::Duration;

use gatelatch::session::{
    LoginAttempt, RefreshToken, Sessions, StateSettings, Times, TokenExchange,
};
use gatelatch::telemetry::metrics::Metrics;
use gatelatch::token::SignIn;
use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;

/// What is answered in place of what a Redis would: after how many proper answers, and what.
static SCRIPT: Mutex<(usize, Vec<u8>)> = Mutex::new((0, Vec::new()));

static SERVER: LazyLock<SocketAddr> = LazyLock::new(|| {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback is there");
    let address = listener.local_addr().expect("it is bound");
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            thread::spawn(move || serve(client));
        }
    });
    address
});

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    let mut builder = Builder::new_current_thread();
    builder.enable_all().build().expect("a runtime")
});

/// Within which a store that is there says so; what was made up is mostly none.
const PATIENCE: Duration = Duration::from_millis(40);

pub(crate) fn run(data: &[u8]) {
    let [operation, properly, answers @ ..] = data else {
        return;
    };
    *SCRIPT.lock().expect("nobody panics with it") = (usize::from(*properly % 12), answers.to_vec());
    let state = StateSettings::parse(&format!("redis://{}", *SERVER), Path::new("/"));
    let state = state.expect("a state that is valid");
    let hasher = gatelatch::ambient::hash_state();
    let sessions = Sessions::start(&state, Metrics::new(), hasher).expect("a thread");
    RUNTIME.block_on(async {
        if timeout(PATIENCE, sessions.ready()).await.is_ok() {
            let _ = timeout(PATIENCE, ask(*operation, &sessions)).await;
        }
    });
}

async fn ask(operation: u8, sessions: &Sessions) {
    let now = 1_800_000_000;
    let times = Times {
        now,
        ttl: 3600,
        last_token: now + 60,
    };
    let shown = RefreshToken::first([1; 16], [2; 32]);
    let client = IpAddr::from([192, 0, 2, 1]);
    let attempt = LoginAttempt::new("alice", client, None);
    match operation % 6 {
        0 => drop(sessions.open("alice", &shown, SignIn::default(), times).await),
        1 => {
            let exchanged = sessions.exchange(&shown, &shown.next([3; 32]), client, times).await;
            // its digest is in none of the seeds, and nobody guesses it
            assert!(!matches!(exchanged, Ok(TokenExchange::Good { .. })));
        }
        2 => assert!(!matches!(sessions.look(&shown, times).await, Ok(Some(_)))),
        3 => drop(sessions.leave(&shown, times).await),
        4 => drop(sessions.check(attempt, now * 1000).await),
        _ => drop(sessions.end(shown.session(), times).await),
    }
}

/// Answers so many commands as a Redis without any data would, then the script, then nothing more.
fn serve(mut client: TcpStream) {
    let (properly, answers) = SCRIPT.lock().expect("nobody panics with it").clone();
    let mut bytes = Vec::new();
    for _ in 0..properly {
        let Some(command) = command(&mut client, &mut bytes) else {
            return;
        };
        if client.write_all(proper(&command)).is_err() {
            return;
        }
    }
    if command(&mut client, &mut bytes).is_some() {
        let _ = client.write_all(&answers);
    }
}

fn proper(command: &str) -> &'static [u8] {
    match command {
        "XREAD" => b"*-1\r\n",
        "GET" => b"$-1\r\n",
        "EVALSHA" | "DEL" | "EXISTS" | "ZREM" => b":0\r\n",
        _ => b"+OK\r\n",
    }
}

/// The name of the next command; `None` where there is none any more.
fn command(client: &mut TcpStream, bytes: &mut Vec<u8>) -> Option<String> {
    let line = |client: &mut TcpStream, bytes: &mut Vec<u8>, length: Option<usize>| loop {
        let end = match length {
            Some(length) => Some(length).filter(|length| bytes.len() >= length + 2),
            None => bytes.windows(2).position(|two| two == b"\r\n"),
        };
        if let Some(end) = end {
            let line: Vec<u8> = bytes.drain(..end + 2).take(end).collect();
            return Some(String::from_utf8_lossy(&line).into_owned());
        }
        let mut piece = [0; 1024];
        match client.read(&mut piece) {
            Ok(0) | Err(_) => return None,
            Ok(count) => bytes.extend_from_slice(&piece[..count]),
        }
    };
    let count: usize = line(client, bytes, None)?.strip_prefix('*')?.parse().ok()?;
    let mut words = Vec::new();
    for _ in 0..count {
        let length = line(client, bytes, None)?.strip_prefix('$')?.parse().ok()?;
        words.push(line(client, bytes, Some(length))?);
    }
    words.into_iter().next()
}
