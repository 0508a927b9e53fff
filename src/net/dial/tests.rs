use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hickory_resolver::config::{NameServerConfig, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use socket2::{Domain, Socket, Type};

use super::*;

const LIMIT: Duration = Duration::from_secs(20);

/// A name server that knows one name: its answer is made from the number of the question, from 0. Its records may not be
/// kept: their time to live is 0.
fn name_server(
    addresses: impl Fn(usize) -> Vec<Ipv4Addr> + Send + 'static,
) -> (SocketAddr, Arc<AtomicUsize>) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    let questions: Arc<AtomicUsize> = Arc::default();
    let count = Arc::clone(&questions);
    std::thread::spawn(move || {
        let mut question = [0; 512];
        while let Ok((length, client)) = socket.recv_from(&mut question) {
            let found = match question_type(&question[..length]) {
                1 => addresses(count.fetch_add(1, Ordering::SeqCst)),
                _ => Vec::new(),
            };
            socket
                .send_to(&answer(&question[..length], &found), client)
                .unwrap();
        }
    });
    (address, questions)
}

/// Where the question ends: behind its name, type and class (RFC 1035, section 4.1.2).
fn question_end(message: &[u8]) -> usize {
    let mut at = 12;
    while message[at] != 0 {
        at += usize::from(message[at]) + 1;
    }
    at + 5
}

fn question_type(message: &[u8]) -> u16 {
    let end = question_end(message);
    u16::from_be_bytes([message[end - 4], message[end - 3]])
}

fn answer(question: &[u8], addresses: &[Ipv4Addr]) -> Vec<u8> {
    let count = u8::try_from(addresses.len()).unwrap();
    let mut message = vec![
        question[0],
        question[1],
        0x81,
        0x80,
        0,
        1,
        0,
        count,
        0,
        0,
        0,
        0,
    ];
    message.extend(&question[12..question_end(question)]);
    for address in addresses {
        message.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4]);
        message.extend(address.octets());
    }
    message
}

fn dialer(name_server: SocketAddr) -> Dialer {
    let mut server = NameServerConfig::udp(name_server.ip());
    server.connections[0].port = name_server.port();
    let config = ResolverConfig::from_parts(None, Vec::new(), vec![server]);
    let resolver = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
        .build()
        .unwrap();
    let dialer = Dialer::default();
    assert!(dialer.resolver.set(resolver).is_ok());
    dialer
}

/// The name that the name server knows.
fn app(port: u16) -> ServerAddress {
    ServerAddress::Host("app.test".into(), port)
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}

fn peer(stream: DialedStream) -> SocketAddr {
    let DialedStream::Tcp(stream) = stream else {
        panic!("it is TCP")
    };
    assert!(SockRef::from(&stream).keepalive().unwrap() && stream.nodelay().unwrap());
    stream.peer_addr().unwrap()
}

fn loopback(last: u8) -> Ipv4Addr {
    Ipv4Addr::new(127, 0, 0, last)
}

/// A listener at an address of the loopback network.
fn listen(last: u8, port: u16) -> TcpListener {
    TcpListener::bind((loopback(last), port)).unwrap()
}

/// An address that swallows packets: a listener with a full backlog.
fn black_hole(last: u8, port: u16) -> (Socket, Vec<std::net::TcpStream>) {
    let address = SocketAddr::from((loopback(last), port));
    let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    listener.bind(&address.into()).unwrap();
    listener.listen(0).unwrap();
    let connect = || std::net::TcpStream::connect_timeout(&address, Duration::from_secs(1)).ok();
    (listener, std::iter::from_fn(connect).collect())
}

#[test]
fn every_address_of_a_name_is_tried() {
    let only = listen(3, 0);
    let there = only.local_addr().unwrap();
    let (name_server, _) = name_server(|_| [1, 2, 3].map(loopback).to_vec());
    let stream = block_on(async {
        let dialer = dialer(name_server);
        dialer.connect(&app(there.port()), None, LIMIT).await
    });
    assert_eq!(peer(stream.unwrap()), there);
}

#[test]
fn an_address_that_swallows_packets_holds_up_no_other() {
    let second = listen(2, 0);
    let there = second.local_addr().unwrap();
    let _hole = black_hole(1, there.port());
    let (name_server, _) = name_server(|_| [1, 2].map(loopback).to_vec());
    let stream = block_on(async {
        let dialer = dialer(name_server);
        dialer.connect(&app(there.port()), None, LIMIT).await
    });
    assert_eq!(peer(stream.unwrap()), there);
}

#[test]
fn an_error_names_each_address_and_what_is_wrong_with_it() {
    let closed = listen(1, 0);
    let port = closed.local_addr().unwrap().port();
    drop(closed);
    let _hole = black_hole(2, port);
    let (name_server, _) = name_server(|_| [1, 2].map(loopback).to_vec());
    let limit = Duration::from_millis(300);
    let (late, refused) = block_on(async {
        let dialer = dialer(name_server);
        let address = ServerAddress::Host("127.0.0.1".into(), port);
        (
            dialer.connect(&app(port), None, limit).await.unwrap_err(),
            dialer.connect(&address, None, LIMIT).await.unwrap_err(),
        )
    });
    let refusal = format!("Connection refused (os error 111) at 127.0.0.1:{port}");
    assert_eq!(
        late.to_string(),
        format!("no connection in time: {refusal}; no answer from 127.0.0.2:{port}")
    );
    assert_eq!(refused.to_string(), format!("no connection: {refusal}"));
}

#[test]
fn a_name_is_looked_up_again_when_its_time_is_over() {
    let first = listen(1, 0);
    let port = first.local_addr().unwrap().port();
    let second = listen(2, port);
    let (name_server, questions) = name_server(|number| vec![loopback(1 + number as u8)]);
    let peers = block_on(async {
        let dialer = dialer(name_server);
        let mut peers = Vec::new();
        for _ in 0..2 {
            peers.push(peer(dialer.connect(&app(port), None, LIMIT).await.unwrap()));
        }
        peers
    });
    assert_eq!(
        peers,
        [first.local_addr().unwrap(), second.local_addr().unwrap()]
    );
    assert_eq!(questions.load(Ordering::SeqCst), 2);
}

#[test]
fn a_name_without_addresses_is_not_resolved() {
    let (name_server, _) = name_server(|_| Vec::new());
    let error = block_on(async {
        let dialer = dialer(name_server);
        dialer.connect(&app(80), None, LIMIT).await.unwrap_err()
    });
    assert_eq!(
        error.to_string(),
        "`app.test` cannot be resolved: it has no address"
    );
}

#[test]
fn a_socket_is_never_taken_for_one_with_tls() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    let _listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let server = ServerAddress::Unix(path);
    let system = TlsSettings::system();
    block_on(async {
        let dialer = Dialer::default();
        let stream = dialer.connect(&server, None, LIMIT).await;
        assert!(matches!(stream, Ok(DialedStream::Unix(_))));
        let tls = Some((&system, Alpn::None));
        let error = dialer.connect(&server, tls, LIMIT).await.unwrap_err();
        assert!(matches!(error, DialError::Tls(_)), "{error}");
    });
}

#[test]
fn the_families_take_turns() {
    let addresses = |text: &str| -> Vec<IpAddr> {
        let words = text.split_whitespace();
        words.map(|word| word.parse().unwrap()).collect()
    };
    for (found, raced) in [
        ("", ""),
        ("::1", "::1"),
        ("::1 ::2 ::3 1.1.1.1", "::1 1.1.1.1 ::2 ::3"),
        ("::1 1.1.1.1 1.1.1.2", "::1 1.1.1.1 1.1.1.2"),
        ("1.1.1.1 1.1.1.2 ::1 ::2", "1.1.1.1 ::1 1.1.1.2 ::2"),
    ] {
        assert_eq!(interleave(addresses(found)), addresses(raced), "{found}");
    }
}
