use super::*;

fn server() -> Arc<ServerState> {
    ServerState::new(
        "app",
        &Origin::parse("http://127.0.0.1:1").unwrap(),
        Clock::start(),
    )
}

#[test]
fn the_fifth_failure_in_a_row_is_one_too_many() {
    let server = server();
    let now = server.now();
    assert_eq!([(); 4].map(|()| server.note_failure(now)), [1, 2, 3, 4]);
    server.note_success();
    assert_eq!(
        [(); 5].map(|()| server.note_failure(now)),
        [1, 2, 3, 4, FAILURES]
    );
    server.rest("it failed");
    assert_eq!(server.condition(server.now()), ServerCondition::Resting);
    assert_eq!(
        [(); 5].map(|()| server.note_failure(server.now())),
        [0; 5],
        "what was under way"
    );
}

#[test]
fn a_failing_server_fails_until_a_request_is_answered() {
    let server = server();
    let condition = || server.condition(server.now());
    server.note_failure(server.now());
    server.fail("it is away");
    assert_eq!(condition(), ServerCondition::Failing(1.0));
    assert!(server.rests().reported);
    server.note_success();
    assert_eq!(condition(), ServerCondition::Serving(1.0));
    assert!(!server.rests().reported, "its return is reported");
    // again within seconds: it is seen at once, and reported when it lasts
    server.note_failure(server.now());
    server.fail("it is away");
    assert_eq!(condition(), ServerCondition::Failing(1.0));
    assert!(!server.rests().reported);
    server.rests().reported_at = 0;
    server.fail("it is away");
    assert!(server.rests().reported);
}

#[test]
fn an_ejection_ends_as_up_only_where_the_checks_succeed() {
    for (checks_succeed, is_up) in [(true, true), (false, false)] {
        let server = server();
        server.rest("it failed");
        server.back_at.store(1, Relaxed);
        server.end_rest(checks_succeed);
        let serves = matches!(server.condition(2), ServerCondition::Serving(_));
        assert_eq!(serves, is_up);
        server.note_success();
        assert!(matches!(server.condition(2), ServerCondition::Serving(_)));
    }
}

#[test]
fn each_rest_in_a_row_is_twice_as_long() {
    let mut rests = Rests::default();
    let mut now = 1;
    let mut lengths = Vec::new();
    for _ in 0..7 {
        lengths.push(rests.next(now).unwrap().as_secs());
        assert_eq!(rests.next(now + 1), None, "one at a time");
        now = rests.until;
    }
    assert_eq!(lengths, [10, 20, 40, 80, 160, 300, 300]);
    assert_eq!(
        rests.next(now + to_moment(LONGEST_REST)),
        Some(FIRST_REST),
        "it was well for long"
    );
}

#[test]
fn a_server_returns_slowly() {
    let shares = [0, 500, 1_000, 5_000, 10_000, 1_000_000].map(share);
    assert_eq!(shares, [0.1, 0.1, 0.1, 0.5, 1.0, 1.0]);
    let server = server();
    server.set_unhealthy("a test");
    assert_eq!(server.condition(server.now()), ServerCondition::Down);
    server.set_healthy();
    let ServerCondition::Serving(share) = server.condition(server.now()) else {
        panic!("it is back")
    };
    assert!(share < 1.0);
}

#[test]
fn a_rest_does_not_end_with_the_checks() {
    let server = server();
    server.rest("it failed");
    server.set_unhealthy("a test");
    server.set_healthy();
    assert_eq!(server.condition(server.now()), ServerCondition::Resting);
}
