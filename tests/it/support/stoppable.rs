//! A service that can be stopped and started again at the same address.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;

/// A service that says its name. It stops as a well-behaved one does: what it has taken on it answers, and then it closes
/// its kept connections without a word.
pub struct Stoppable {
    pub address: SocketAddr,
    name: &'static str,
    answered: Arc<AtomicUsize>,
    running: Option<Running>,
}

struct Running {
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

#[derive(Default)]
struct Shared {
    stopping: AtomicBool,
    open: Mutex<HashMap<usize, Kept>>,
    changed: Condvar,
}

struct Kept {
    stream: TcpStream,
    /// Whether it waits for a further request.
    idle: bool,
}

impl Stoppable {
    pub fn start(name: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let answered = Arc::new(AtomicUsize::new(0));
        let running = Some(Running::new(listener, name, &answered));
        Self {
            address,
            name,
            answered,
            running,
        }
    }

    /// How many requests were answered so far.
    pub fn answered(&self) -> usize {
        self.answered.load(Ordering::SeqCst)
    }

    pub fn stop(&mut self) {
        let Running { shared, accepting } = self.running.take().expect("it runs");
        shared.stopping.store(true, Ordering::SeqCst);
        // the accept returns for this
        drop(TcpStream::connect(self.address));
        accepting.join().unwrap();
        let mut open = shared.open.lock().unwrap();
        while !open.is_empty() {
            open.retain(|_, kept| !(kept.idle && kept.stream.shutdown(Shutdown::Both).is_ok()));
            open = shared
                .changed
                .wait_timeout(open, std::time::Duration::from_millis(10))
                .unwrap()
                .0;
        }
    }

    pub fn restart(&mut self) {
        let listener = TcpListener::bind(self.address).unwrap();
        self.running = Some(Running::new(listener, self.name, &self.answered));
    }
}

impl Running {
    fn new(listener: TcpListener, name: &'static str, answered: &Arc<AtomicUsize>) -> Self {
        let shared: Arc<Shared> = Arc::default();
        let (inside, answered) = (Arc::clone(&shared), Arc::clone(answered));
        let accepting = std::thread::spawn(move || accept(&listener, name, &inside, &answered));
        Self { shared, accepting }
    }
}

fn accept(
    listener: &TcpListener,
    name: &'static str,
    shared: &Arc<Shared>,
    answered: &Arc<AtomicUsize>,
) {
    for number in 0.. {
        let Ok((stream, _)) = listener.accept() else {
            return;
        };
        let kept = Kept {
            stream: stream.try_clone().unwrap(),
            idle: false,
        };
        shared.open.lock().unwrap().insert(number, kept);
        let (shared_, answered) = (Arc::clone(shared), Arc::clone(answered));
        std::thread::spawn(move || {
            converse(stream, number, name, &shared_, &answered);
            shared_.open.lock().unwrap().remove(&number);
            shared_.changed.notify_all();
        });
        if shared.stopping.load(Ordering::SeqCst) {
            // nobody is left waiting in the queue
            listener.set_nonblocking(true).unwrap();
        }
    }
}

fn converse(stream: TcpStream, number: usize, name: &str, shared: &Shared, answered: &AtomicUsize) {
    stream.set_nodelay(true).unwrap();
    let mut out = stream.try_clone().unwrap();
    let mut lines = BufReader::new(stream);
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            match lines.read_line(&mut head) {
                Ok(1..) => {}
                Ok(0) | Err(_) => return,
            }
        }
        if let Some(kept) = shared.open.lock().unwrap().get_mut(&number) {
            kept.idle = false;
        }
        let answer = format!(
            "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{name}",
            name.len()
        );
        if out.write_all(answer.as_bytes()).is_err() {
            return;
        }
        answered.fetch_add(1, Ordering::SeqCst);
        if let Some(kept) = shared.open.lock().unwrap().get_mut(&number) {
            kept.idle = true;
        }
    }
}
