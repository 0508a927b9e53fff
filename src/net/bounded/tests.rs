use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;

use super::*;

/// What comes of a request with a limit of 10 bytes, where the server gives this answer, and what it received.
fn outcome(answer: &'static str) -> (Result<Response<Bytes>, BoundedRequestError>, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/a?b=c", listener.local_addr().unwrap());
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let lines = BufReader::new(stream.try_clone().unwrap()).lines();
        let head: Vec<_> = lines
            .map(Result::unwrap)
            .take_while(|line| !line.is_empty())
            .collect();
        // a client that has read enough does not wait for the rest
        let _ = stream.write_all(answer.as_bytes());
        head.join("\n")
    });
    let outcome = run(&url, Duration::from_secs(20));
    (outcome, server.join().unwrap())
}

fn run(url: &str, deadline: Duration) -> Result<Response<Bytes>, BoundedRequestError> {
    let request = BoundedRequest {
        url: &HttpUrl::parse(url).unwrap(),
        accept: "application/json",
        authorization: None,
        tls: None,
        largest: 10,
        deadline,
    };
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(get(request))
}

#[test]
fn every_status_is_an_answer() {
    for (answer, status, body) in [
        ("HTTP/1.1 200 OK\r\n\r\n0123456789", 200, "0123456789"),
        ("HTTP/1.1 503 No\r\nContent-Length: 2\r\n\r\nno", 503, "no"),
        ("HTTP/1.1 404 No\r\n\r\n0123456789a", 404, ""),
        (
            "HTTP/1.1 302 Found\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n",
            302,
            "",
        ),
    ] {
        let (response, head) = outcome(answer);
        let response = response.unwrap();
        assert_eq!(
            (response.status().as_u16(), &response.body()[..]),
            (status, body.as_bytes())
        );
        assert!(head.starts_with("GET /a?b=c HTTP/1.1\nhost: "), "{head}");
        assert!(head.contains("\naccept: application/json\n"), "{head}");
    }
}

#[test]
fn what_is_too_large_or_breaks_off_is_none() {
    for answer in [
        "HTTP/1.1 200 OK\r\n\r\n0123456789a",
        "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n0",
    ] {
        assert!(matches!(
            outcome(answer).0,
            Err(BoundedRequestError::Body(10))
        ));
    }
    for answer in ["", "HTTP/1.1 2", "SSH-2.0-OpenSSH_9.2\r\n"] {
        assert!(matches!(
            outcome(answer).0,
            Err(BoundedRequestError::Http(_))
        ));
    }
}

#[test]
fn a_server_that_says_nothing_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let error = run(&url, Duration::from_millis(20)).unwrap_err();
    assert_eq!(error.to_string(), "no answer within 20ms");
}
