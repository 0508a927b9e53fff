//! What passes through: fields, bodies, connections.

use crate::support::{Upstream, gateway};

const OPEN: &str = "
  all:
    upstream: http://UPSTREAM
    rules:
      - { path: /**, allow: anyone }
      - { path: /private/**, allow: authenticated }
";

#[test]
fn fields_pass_in_their_order_and_spelling() {
    let upstream = Upstream::saying("hi");
    let gateway = gateway(OPEN).upstream(upstream.address).start();
    let answer = gateway.get("/a?b=%2f#c", "X-First: 1\r\nACCEPT: */*\r\nx-First: 2\r\nx-last: z\r\n");
    assert_eq!((answer.status, answer.body.as_str()), (200, "hi"));
    let request = upstream.only();
    assert_eq!(request.line(), "GET /a?b=%2f HTTP/1.1");
    assert_eq!(request.fields("x-first"), ["1", "2"]);
    for (name, value) in [("host", "gateway.test"), ("via", "1.1 gatelatch"), ("x-forwarded-for", "127.0.0.1")] {
        assert_eq!(request.fields(name), [value], "{request:?}");
    }
    assert!(request.head.contains("ACCEPT: */*\r\n") && request.head.contains("X-First: 1\r\n"), "{}", request.head);
}
