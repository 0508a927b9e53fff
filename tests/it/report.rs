//! `mode: report`: denials that are only written down.

use crate::support::{Upstream, gateway};

const SERVICES: &str = "
  trial:
    upstream: http://UPSTREAM
    mode: report
    rules:
      - { path: /known, allow: authenticated }
      - { path: /jobs, allow: { roles: [recruiter] } }
      - { path: /held, allow: nobody, mode: enforce }
";

const REQUESTS: &str = "gatelatch_requests_total{service=\"trial\",";

#[test]
fn a_denial_that_is_only_reported_is_forwarded_logged_and_counted() {
    let upstream = Upstream::saying("hi");
    let gateway = gateway(SERVICES).upstream(upstream.address).start();
    let carl = gateway.bearer("carl");
    for (path, fields, reason) in [
        ("/known", "", "would be 401: Not authenticated"),
        (
            "/known?2",
            "Authorization: Bearer x\r\n",
            "would be 401: the token is malformed",
        ),
        ("/jobs", carl.as_str(), "would be 403: role missing"),
        ("/none", "", "would be 403: no rule"),
    ] {
        assert_eq!(gateway.get(path, fields).status, 200, "{path}");
        let line = gateway.line(path.split('?').next().unwrap());
        assert_eq!(
            (&line["decision"], &line["reason"]),
            (&"reported".into(), &reason.into()),
            "{line}"
        );
    }
    assert_eq!(
        upstream.received()[2].fields("remote-user"),
        ["carl"],
        "who it is, is known all the same"
    );
    let count = |labels: &str| {
        gateway.metric(&format!(
            "{REQUESTS}{labels},decision=\"reported\",status=\"2xx\"}}"
        ))
    };
    assert_eq!(
        (
            count("rule=\"* /known\""),
            count("rule=\"* /jobs\""),
            count("rule=\"\"")
        ),
        (2.0, 1.0, 1.0)
    );
}

#[test]
fn a_rule_of_its_own_mode_is_not_overlooked() {
    let upstream = Upstream::saying("hi");
    let gateway = gateway(SERVICES).upstream(upstream.address).start();
    assert_eq!(gateway.get("/held", &gateway.bearer("rita")).status, 403);
    assert_eq!(gateway.line("/held")["decision"], "forbidden");
    assert_eq!(
        gateway.get("/a%2f", "").status,
        400,
        "what is ambiguous is no denial"
    );
    assert!(upstream.received().is_empty());
}
