use super::*;

fn lines_of(metrics: &Metrics, family: &str) -> Vec<String> {
    let text = metrics.encode();
    text.lines()
        .filter(|line| line.starts_with(family))
        .map(str::to_owned)
        .collect()
}

#[test]
fn shards_are_added_up() {
    let metrics = Metrics::new();
    for worker in 1..=2 {
        let shard = metrics.shard();
        let jobs = shard.service("jobs", &["GET /jobs", "say \"hi\""]);
        for _ in 0..worker {
            jobs.record(
                Some(0),
                RequestOutcome::Allowed,
                200,
                Duration::from_millis(2),
            );
        }
        jobs.record(Some(1), RequestOutcome::Forbidden, 403, Duration::ZERO);
        jobs.record(None, RequestOutcome::Forbidden, 403, Duration::ZERO);
        shard
            .unrouted()
            .record(None, RequestOutcome::NotFound, 404, Duration::ZERO);
        shard
            .portal()
            .record(None, RequestOutcome::Gateway, 0, Duration::from_secs(60));
    }
    let expected = [
        r#"gatelatch_requests_total{service="",rule="",decision="not_found",status="4xx"} 2"#,
        r#"gatelatch_requests_total{service="gatelatch",rule="",decision="gateway",status="none"} 2"#,
        r#"gatelatch_requests_total{service="jobs",rule="",decision="forbidden",status="4xx"} 2"#,
        r#"gatelatch_requests_total{service="jobs",rule="GET /jobs",decision="allowed",status="2xx"} 3"#,
        r#"gatelatch_requests_total{service="jobs",rule="say \"hi\"",decision="forbidden",status="4xx"} 2"#,
    ];
    assert_eq!(lines_of(&metrics, "gatelatch_requests_total"), expected);
    let sums = lines_of(
        &metrics,
        "gatelatch_request_duration_seconds_sum{service=\"jobs\"",
    );
    assert_eq!(
        sums,
        [r#"gatelatch_request_duration_seconds_sum{service="jobs"} 0.006"#]
    );
}

#[test]
fn counters_survive_a_reload() {
    let metrics = Metrics::new();
    let shard = metrics.shard();
    let before = shard.service("jobs", &["a", "b"]);
    before.record(Some(1), RequestOutcome::Allowed, 200, Duration::ZERO);
    let after = shard.service("jobs", &["b"]);
    after.record(Some(0), RequestOutcome::Allowed, 200, Duration::ZERO);
    before.record(Some(1), RequestOutcome::Allowed, 200, Duration::ZERO);
    let expected =
        r#"gatelatch_requests_total{service="jobs",rule="b",decision="allowed",status="2xx"} 3"#;
    assert_eq!(lines_of(&metrics, "gatelatch_requests_total"), [expected]);
}

#[test]
fn a_refused_reload_keeps_the_time_of_the_last_success() {
    let metrics = Metrics::new();
    let state = || lines_of(&metrics, "gatelatch_config_");
    metrics.configuration_loaded(1_000);
    metrics.reload(ReloadOutcome::Refused, 2_000);
    let timestamp = "gatelatch_config_last_reload_success_timestamp_seconds";
    assert_eq!(
        state(),
        [
            "gatelatch_config_last_reload_successful 0".to_owned(),
            format!("{timestamp} 1000")
        ]
    );
    metrics.reload(ReloadOutcome::Unchanged, 3_000);
    assert_eq!(
        state(),
        [
            "gatelatch_config_last_reload_successful 1".to_owned(),
            format!("{timestamp} 3000")
        ]
    );
}

#[test]
fn every_family_is_there_before_the_first_request() {
    let metrics = Metrics::new();
    let _shard = metrics.shard();
    let text = metrics.encode();
    let families = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    let expected = [
        "gatelatch_build info",
        "process_start_time_seconds gauge",
        "gatelatch_requests counter",
        "gatelatch_request_duration_seconds histogram",
        "gatelatch_rate_limited counter",
        "gatelatch_rate_buckets gauge",
        "gatelatch_rate_bucket_places gauge",
        "gatelatch_rate_shared_buckets counter",
        "gatelatch_upstream_errors counter",
        "gatelatch_upstream_connections gauge",
        "gatelatch_upstream_requests counter",
        "gatelatch_upstream_server_up gauge",
        "gatelatch_upstream_server_share gauge",
        "gatelatch_upstream_tls_failures counter",
        "gatelatch_client_connections gauge",
        "gatelatch_parked_connections gauge",
        "gatelatch_tunnels gauge",
        "gatelatch_rejected_connections counter",
        "gatelatch_access_log_dropped_lines counter",
        "gatelatch_trace_spans_exported counter",
        "gatelatch_trace_spans_dropped counter",
        "gatelatch_audit_records counter",
        "gatelatch_audit_write_errors counter",
        "gatelatch_audit_queued_records gauge",
        "gatelatch_logins counter",
        "gatelatch_second_factors counter",
        "gatelatch_provider_logins counter",
        "gatelatch_refreshes counter",
        "gatelatch_state_up gauge",
        "gatelatch_token_refusals counter",
        "gatelatch_jwks_fetches counter",
        "gatelatch_provider_requests counter",
        "gatelatch_provider_up gauge",
        "gatelatch_reloads counter",
        "gatelatch_config_last_reload_successful gauge",
        "gatelatch_config_last_reload_success_timestamp_seconds gauge",
        "gatelatch_token_key gauge",
    ];
    assert_eq!(families.collect::<Vec<_>>(), expected);
    assert!(text.ends_with("\n# EOF\n"));
}

#[test]
fn a_family_is_written_as_openmetrics_says() {
    let metrics = Metrics::new();
    let shard = metrics.shard();
    let jobs = shard.service("a\\b\n\"c\"", &[]);
    jobs.record(
        None,
        RequestOutcome::Allowed,
        200,
        Duration::from_micros(1500),
    );
    jobs.record(None, RequestOutcome::Allowed, 200, Duration::from_secs(100));
    let name = "gatelatch_request_duration_seconds";
    let service = r#"service="a\\b\n\"c\"""#;
    let mut expected = vec![
        format!("# HELP {name} From the end of the request head to the end of the answer"),
        format!("# TYPE {name} histogram"),
        format!("# UNIT {name} seconds"),
        format!("{name}_sum{{{service}}} 100.0015"),
        format!("{name}_count{{{service}}} 2"),
    ];
    let bounds = [
        ("0.0005", 0),
        ("0.001", 0),
        ("0.0025", 1),
        ("0.005", 1),
        ("0.01", 1),
        ("0.025", 1),
        ("0.05", 1),
        ("0.1", 1),
        ("0.25", 1),
        ("0.5", 1),
        ("1.0", 1),
        ("2.5", 1),
        ("10.0", 1),
        ("30.0", 1),
        ("+Inf", 2),
    ];
    for (bound, count) in bounds {
        expected.push(format!("{name}_bucket{{le=\"{bound}\",{service}}} {count}"));
    }
    let text = metrics.encode();
    let written: Vec<_> = text.lines().filter(|line| line.contains(name)).collect();
    assert_eq!(written, expected);
}

#[test]
fn gauges_and_rare_counters_are_shown() {
    let metrics = Metrics::new();
    let shard = metrics.shard();
    let _open = shard.client_connections().hold();
    let _idle = shard.upstream_connections(UpstreamConnection::Idle).hold();
    shard.connection_rejected(ConnectionRejection::Limit);
    shard.token_refused(TokenRefusal::Expired);
    shard
        .service("jobs", &[])
        .upstream_error(UpstreamErrorKind::Reset);
    metrics.login(LoginOutcome::Invalid);
    metrics.jwks_fetched("https://idp", FetchOutcome::Failure);
    metrics.provider_asked("ldap", "bind", ProviderResult::Refused);
    let text = metrics.encode();
    for line in [
        "gatelatch_client_connections 1",
        r#"gatelatch_upstream_connections{state="idle"} 1"#,
        r#"gatelatch_upstream_connections{state="active"} 0"#,
        r#"gatelatch_rejected_connections_total{reason="limit"} 1"#,
        r#"gatelatch_token_refusals_total{reason="expired"} 1"#,
        r#"gatelatch_upstream_errors_total{service="jobs",kind="reset"} 1"#,
        r#"gatelatch_logins_total{outcome="invalid"} 1"#,
        r#"gatelatch_jwks_fetches_total{issuer="https://idp",outcome="success"} 0"#,
        r#"gatelatch_jwks_fetches_total{issuer="https://idp",outcome="failure"} 1"#,
        r#"gatelatch_provider_requests_total{provider="ldap",operation="bind",result="refused"} 1"#,
        r#"gatelatch_provider_up{provider="ldap"} 1"#,
    ] {
        assert!(
            text.lines().any(|written| written == line),
            "{line} is missing in\n{text}"
        );
    }
}
