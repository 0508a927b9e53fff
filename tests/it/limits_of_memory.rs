//! Little memory, or few descriptors: who finds no room is told so, and everybody else is served.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use socket2::SockRef;

use crate::support::{Gateway, gateway, get, skip, superuser, until};

const OPEN: &str = "
  app:
    upstream: http://UPSTREAM
    rules:
      - { path: /open, allow: anyone }
";

const CROWD: usize = 3000;

/// How much the kernel buffers for clients and services of these tests, in bytes.
const KERNEL_BUFFER: usize = 16 << 10;

/// A service that takes every request and answers none, until it lets all of them go.
struct Waiting {
    address: SocketAddr,
    taken: Arc<Mutex<Vec<TcpStream>>>,
}

impl Waiting {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        // what waits shall wait in the gateway
        let socket = SockRef::from(&listener);
        socket.set_recv_buffer_size(KERNEL_BUFFER).unwrap();
        socket.set_send_buffer_size(KERNEL_BUFFER).unwrap();
        let address = listener.local_addr().unwrap();
        let taken: Arc<Mutex<Vec<TcpStream>>> = Arc::default();
        let taking = Arc::clone(&taken);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                taking.lock().unwrap().push(stream);
            }
        });
        Self { address, taken }
    }

    fn count(&self) -> usize {
        self.taken.lock().unwrap().len()
    }

    fn answer_all(&self) {
        for mut stream in self.taken.lock().unwrap().drain(..) {
            let _ = stream
                .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi");
        }
    }
}

/// 3,000 clients, each with a request: how many are let in, once all are.
fn crowd(gateway: &Gateway, service: &Waiting) -> (usize, Vec<TcpStream>) {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(
        Resource::Nofile,
        Rlimit {
            current: maximum,
            maximum,
        },
    )
    .unwrap();
    let mut clients: Vec<TcpStream> = (0..CROWD)
        .map(|_| TcpStream::connect(gateway.address).unwrap())
        .collect();
    for client in &mut clients {
        // one that is refused already takes no request
        let _ = client.write_all(b"GET /open HTTP/1.1\r\nHost: a\r\n\r\n");
    }
    let refused = r#"gatelatch_rejected_connections_total{reason="limit"}"#;
    until("everybody to be let in or refused", || {
        service.count() + gateway.metric(refused) as usize >= CROWD
    });
    (service.count(), clients)
}

/// All that were let in get their answer, and all others were told 503.
fn settle(service: &Waiting, let_in: usize, clients: Vec<TcpStream>) {
    service.answer_all();
    let mut answered = 0;
    for mut client in clients {
        let mut answer = Vec::new();
        match client.read_to_end(&mut answer) {
            Err(error) if error.kind() != ErrorKind::ConnectionReset => panic!("{error}"),
            _ => {}
        }
        let answer = String::from_utf8_lossy(&answer);
        if answer.starts_with("HTTP/1.1 200 ") {
            answered += 1;
        } else {
            assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
            assert!(answer.contains("\r\nretry-after: "), "{answer}");
        }
    }
    assert_eq!(answered, let_in);
}

/// A memory cgroup of this size, of whichever version the machine has; it is removed when it is dropped.
struct Cgroup(PathBuf);

static CGROUPS: AtomicUsize = AtomicUsize::new(0);

impl Cgroup {
    /// `None` where the test is skipped.
    fn of(bytes: u64) -> Option<Self> {
        superuser()?;
        let own = fs::read_to_string("/proc/self/cgroup").unwrap();
        let root = Path::new("/sys/fs/cgroup");
        let path_of = |controller: &str| {
            let line = own.lines().find(|line| line.contains(controller))?;
            Some(line.rsplit(':').next()?.trim_start_matches('/').to_owned())
        };
        let places = [
            (path_of(":memory:"), "memory", "memory.limit_in_bytes"),
            (path_of("0::"), "", "memory.max"),
        ];
        for (path, folder, file) in places {
            let parent = root.join(folder).join(path.unwrap_or_default());
            // two tests at once have one each
            let number = CGROUPS.fetch_add(1, Ordering::Relaxed);
            let own = parent.join(format!("gatelatch-test-{}-{number}", std::process::id()));
            if fs::create_dir(&own).is_ok() {
                let cgroup = Self(own);
                if fs::write(cgroup.0.join(file), bytes.to_string()).is_ok() {
                    return Some(cgroup);
                }
            }
        }
        skip("needs a memory cgroup that it may make");
        None
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        // a second panic would end all the other tests
        if std::thread::panicking() {
            drop(fs::remove_dir(&self.0));
            return;
        }
        // the processes in it have just ended, which takes a moment
        until("the end of the cgroup", || {
            fs::remove_dir(&self.0).is_ok() || !self.0.exists()
        });
    }
}

#[test]
fn in_64_mebibytes_3000_waiting_requests_are_refused_and_not_fatal() {
    let Some(cgroup) = Cgroup::of(64 << 20) else {
        return;
    };
    let service = Waiting::start();
    let enter = format!("echo $$ > {}/cgroup.procs; ", cgroup.0.display());
    let builder = gateway(OPEN).upstream(service.address).before(&enter);
    let gateway = builder.start();
    let said = gateway.printed();
    assert!(
        said.contains("connection_limit") && said.contains("\"memory_mib\":64"),
        "{said}"
    );
    let (let_in, clients) = crowd(&gateway, &service);
    assert!((64..1000).contains(&let_in), "{let_in}");
    assert_eq!(gateway.probe("/healthz").status, 200);
    settle(&service, let_in, clients);
    until("room again", || {
        gateway.metric("gatelatch_client_connections") == 0.0
    });
    // killed, it would have been started with nothing counted
    let client = TcpStream::connect(gateway.address);
    assert!(client.is_ok());
    drop(gateway);
}

#[test]
fn with_few_descriptors_nobody_is_let_in_for_whom_there_is_no_socket_to_the_service() {
    let service = Waiting::start();
    let builder = gateway(OPEN).upstream(service.address);
    let gateway = builder.before("ulimit -n 1024; ").start();
    let said = gateway.printed();
    assert!(
        said.contains("connection_limit") && said.contains("\"open_files\":1024"),
        "{said}"
    );
    let began = Instant::now();
    let (let_in, clients) = crowd(&gateway, &service);
    assert_eq!(let_in, (1024 - 128 - 2 * 80) / 2);
    let seconds = began.elapsed().as_secs() as usize;
    settle(&service, let_in, clients);
    let printed = gateway.printed();
    let lines = printed.matches("connection_rejected").count();
    assert!(
        (1..=seconds + 2).contains(&lines),
        "{lines} lines in {seconds} s"
    );
    assert!(!printed.contains("cannot accept"), "{printed}");
    service.answer_all();
    assert_eq!(get(gateway.address, "/other", "").status, 403);
}

/// What of a request or an answer waits in the gateway because nobody takes it.
#[derive(Clone, Copy, Debug)]
enum Stalled {
    Upload,
    Answer,
}

/// Clients that write an upload nobody reads, or read nothing of an answer that never ends.
fn stall(gateway: &Gateway, count: usize, what: Stalled) -> Vec<TcpStream> {
    let head = match what {
        Stalled::Upload => "POST /open HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999\r\n\r\n",
        Stalled::Answer => "GET /open HTTP/1.1\r\nHost: a\r\n\r\n",
    };
    let connect = |_| {
        let mut client = TcpStream::connect(gateway.address).unwrap();
        let socket = SockRef::from(&client);
        socket.set_recv_buffer_size(KERNEL_BUFFER).unwrap();
        socket.set_send_buffer_size(KERNEL_BUFFER).unwrap();
        let _ = client.write_all(head.as_bytes());
        client.set_nonblocking(true).unwrap();
        client
    };
    (0..count).map(connect).collect()
}

/// Writes to all until none takes more.
fn fill(streams: &mut [TcpStream]) {
    let piece = vec![b'x'; 256 << 10];
    let mut quiet = 0;
    while quiet < 20 {
        let mut written = 0;
        for stream in &mut *streams {
            while let Ok(length @ 1..) = stream.write(&piece) {
                written += length;
            }
        }
        quiet = if written == 0 { quiet + 1 } else { 0 };
        std::thread::park_timeout(Duration::from_millis(10));
    }
}

/// Nothing is read of a client whose upload does not go on, so that nobody sees it leave: the service has its time.
#[test]
fn an_upload_that_the_service_stops_reading_ends_in_time_whether_its_client_is_there_or_not() {
    let service = Waiting::start();
    let services = OPEN.replace(
        "upstream: http://UPSTREAM",
        "upstream: { servers: [http://UPSTREAM], timeouts: { response: 1s } }",
    );
    let gateway = gateway(&services).upstream(service.address).start();
    let mut clients = stall(&gateway, 3, Stalled::Upload);
    until("the uploads", || service.count() == clients.len());
    fill(&mut clients);
    for client in &clients {
        SockRef::from(client)
            .set_linger(Some(Duration::ZERO))
            .unwrap();
    }
    drop(clients);
    until("the end of the clients", || {
        gateway.metric("gatelatch_client_connections") == 0.0
    });
    for stream in service.taken.lock().unwrap().iter_mut() {
        stream
            .set_read_timeout(Some(Duration::from_secs(60)))
            .unwrap();
        match stream.read_to_end(&mut Vec::new()) {
            Err(error) if error.kind() != ErrorKind::ConnectionReset => panic!("{error}"),
            _ => {}
        }
    }
}

/// As many as are let in, and twice as many try.
#[test]
fn in_64_mebibytes_what_nobody_takes_is_no_reason_to_end() {
    for what in [Stalled::Upload, Stalled::Answer] {
        let Some(cgroup) = Cgroup::of(64 << 20) else {
            return;
        };
        let service = Waiting::start();
        let enter = format!("echo $$ > {}/cgroup.procs; ", cgroup.0.display());
        let builder = gateway(OPEN).upstream(service.address).before(&enter);
        let gateway = builder.start();
        let before = gateway.memory();
        let mut clients = stall(&gateway, 800, what);
        let refused = r#"gatelatch_rejected_connections_total{reason="limit"}"#;
        until("everybody to be let in or refused", || {
            service.count() + gateway.metric(refused) as usize >= clients.len()
        });
        let let_in = service.count();
        assert!((100..700).contains(&let_in), "{let_in}");
        match what {
            Stalled::Upload => fill(&mut clients),
            Stalled::Answer => {
                let mut answers = service.taken.lock().unwrap();
                let head = b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n";
                for stream in answers.iter_mut() {
                    stream.write_all(head).unwrap();
                    stream.set_nonblocking(true).unwrap();
                }
                fill(&mut answers);
            }
        }
        let each = ((gateway.memory() - before) / let_in as u64) >> 10;
        assert!(each < 110, "{what:?}: {each} KiB each");
        assert_eq!(gateway.probe("/healthz").status, 200);
        assert!(gateway.metric(refused) > 0.0);
    }
}
