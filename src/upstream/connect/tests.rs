use std::net::{Ipv4Addr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hickory_resolver::config::{NameServerConfig, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;

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

fn connector(name_server: SocketAddr) -> Connector {
    let mut server = NameServerConfig::udp(name_server.ip());
    server.connections[0].port = name_server.port();
    let config = ResolverConfig::from_parts(None, Vec::new(), vec![server]);
    let resolver = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
        .build()
        .unwrap();
    let connector = Connector::default();
    assert!(connector.resolver.set(resolver).is_ok());
    connector
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}

fn peer(stream: Stream) -> SocketAddr {
    let Stream::Tcp(stream) = stream else {
        panic!("it is TCP")
    };
    assert!(SockRef::from(&stream).keepalive().unwrap() && stream.nodelay().unwrap());
    stream.peer_addr().unwrap()
}

/// A listener at an address of the loopback network.
fn listen(last: u8, port: u16) -> std::net::TcpListener {
    std::net::TcpListener::bind((Ipv4Addr::new(127, 0, 0, last), port)).unwrap()
}

#[test]
fn every_address_of_a_name_is_tried() {
    let only = listen(3, 0);
    let there = only.local_addr().unwrap();
    let (name_server, _) = name_server(|_| {
        [1, 2, 3]
            .map(|last| Ipv4Addr::new(127, 0, 0, last))
            .to_vec()
    });
    let origin = Origin::parse(&format!("http://app.test:{}", there.port())).unwrap();
    let route = Route {
        origin: &origin,
        tls: None,
    };
    let stream = block_on(async { connector(name_server).connect(route, LIMIT).await });
    assert_eq!(peer(stream.unwrap()), there);
}

#[test]
fn a_name_is_asked_for_again_when_its_time_is_over() {
    let first = listen(1, 0);
    let port = first.local_addr().unwrap().port();
    let second = listen(2, port);
    let (name_server, questions) =
        name_server(|number| vec![Ipv4Addr::new(127, 0, 0, 1 + number as u8)]);
    let origin = Origin::parse(&format!("http://app.test:{port}")).unwrap();
    let route = Route {
        origin: &origin,
        tls: None,
    };
    let peers = block_on(async {
        let connector = connector(name_server);
        let mut peers = Vec::new();
        for _ in 0..2 {
            peers.push(peer(connector.connect(route, LIMIT).await.unwrap()));
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
    let origin = Origin::parse("http://app.test:80").unwrap();
    let route = Route {
        origin: &origin,
        tls: None,
    };
    let Err(error) = block_on(async { connector(name_server).connect(route, LIMIT).await }) else {
        panic!("there is nothing to connect to")
    };
    assert_eq!(
        error.to_string(),
        "the upstream's name `app.test` cannot be resolved"
    );
}
