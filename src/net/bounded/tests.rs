use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;

use super::*;

static CREDENTIAL: HeaderValue = HeaderValue::from_static("Basic YTpi");

/// What comes of a request with a limit of 10 bytes, where the server gives this answer, and what it received.
fn outcome(answer: &'static str) -> (Result<Response<Bytes>, BoundedRequestError>, String) {
    outcome_of(answer, None)
}

/// The same with a form.
fn outcome_of(
    answer: &'static str,
    form: Option<&str>,
) -> (Result<Response<Bytes>, BoundedRequestError>, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/a?b=c", listener.local_addr().unwrap());
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut lines = BufReader::new(stream.try_clone().unwrap());
        let mut head: Vec<_> = lines
            .by_ref()
            .lines()
            .map(Result::unwrap)
            .take_while(|line| !line.is_empty())
            .collect();
        let length = head
            .iter()
            .find_map(|line| line.strip_prefix("content-length: "));
        if let Some(length) = length {
            let mut body = vec![0; length.parse().unwrap()];
            lines.read_exact(&mut body).unwrap();
            head.push(String::from_utf8(body).unwrap());
        }
        // a client that has read enough does not wait for the rest
        let _ = stream.write_all(answer.as_bytes());
        head.join("\n")
    });
    let outcome = run(&url, Duration::from_secs(20), form);
    (outcome, server.join().unwrap())
}

fn run(
    url: &str,
    deadline: Duration,
    form: Option<&str>,
) -> Result<Response<Bytes>, BoundedRequestError> {
    let request = BoundedRequest {
        url: &HttpUrl::parse(url).unwrap(),
        accept: "application/json",
        authorization: form.map(|_| &CREDENTIAL),
        tls: None,
        largest: 10,
        deadline,
    };
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(async {
            match form {
                Some(form) => post(request, form.to_owned()).await,
                None => get(request).await,
            }
        })
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
    let error = run(&url, Duration::from_millis(20), None).unwrap_err();
    assert_eq!(error.to_string(), "no answer within 20ms");
}

#[test]
fn a_form_goes_out_whole_and_its_redirect_nowhere() {
    for (answer, status) in [
        ("HTTP/1.1 400 No\r\nContent-Length: 2\r\n\r\n{}", 400),
        (
            "HTTP/1.1 307 Elsewhere\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n",
            307,
        ),
    ] {
        let (response, sent) = outcome_of(answer, Some("a=b&c=d"));
        assert_eq!(response.unwrap().status(), status);
        assert!(sent.starts_with("POST /a?b=c HTTP/1.1\nhost: "), "{sent}");
        for line in [
            "authorization: Basic YTpi",
            "content-type: application/x-www-form-urlencoded",
            "content-length: 7",
        ] {
            assert!(sent.lines().any(|sent| sent == line), "{sent}");
        }
        assert!(sent.ends_with("\na=b&c=d"), "{sent}");
    }
    assert!(matches!(
        outcome_of("HTTP/1.1 200 OK\r\n\r\n0123456789a", Some("a=b")).0,
        Err(BoundedRequestError::Body(10))
    ));
}
