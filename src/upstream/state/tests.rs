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
    assert_eq!([1, 2, 3, 4].map(|_| server.note_failure(now)), [false; 4]);
    server.note_success();
    assert_eq!(
        [1, 2, 3, 4, 5].map(|_| server.note_failure(now)),
        [false, false, false, false, true]
    );
    server.rest("it failed");
    assert_eq!(server.condition(server.now()), ServerCondition::Resting);
    assert_eq!(
        [1, 2, 3, 4, 5].map(|_| server.note_failure(server.now())),
        [false; 5],
        "what was under way"
    );
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
