use std::cell::Cell;

use tokio::runtime::LocalOptions;
use tokio::task::spawn_local;

use super::*;

fn run<T>(future: impl Future<Output = T>) -> T {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder
        .build_local(LocalOptions::default())
        .unwrap()
        .block_on(future)
}

#[test]
fn all_who_wait_are_told_what_one_opening_came_to() {
    run(async {
        let (gate, opened, turn) = (
            Rc::new(SingleFlight::default()),
            Rc::new(Cell::new(0)),
            Rc::new(Notify::new()),
        );
        let wait = |failing: Option<&'static str>| {
            let (gate, opened, turn) = (Rc::clone(&gate), Rc::clone(&opened), Rc::clone(&turn));
            spawn_local(async move {
                let open = || async move {
                    opened.set(opened.get() + 1);
                    turn.notified().await;
                    failing.map_or(Ok(opened.get()), |name| {
                        Err(ForwardError::Opening(name.to_owned()))
                    })
                };
                gate.pass(open).await.map_err(|error| error.to_string())
            })
        };
        for failing in [None, Some("nobody.test"), None] {
            let waiting: Vec<_> = (0..5).map(|_| wait(failing)).collect();
            // the first one goes away, and nobody notices
            tokio::task::yield_now().await;
            waiting[0].abort();
            turn.notify_one();
            for outcome in waiting.into_iter().skip(1) {
                assert_eq!(outcome.await.unwrap().is_ok(), failing.is_none());
            }
        }
        assert_eq!(opened.get(), 3);
    });
}

#[test]
fn nobody_waits_for_an_opening_that_panics() {
    run(async {
        let gate: SingleFlight<()> = SingleFlight::default();
        let outcome = gate.pass(|| async { panic!("a bug") }).await;
        assert!(outcome.is_err());
        assert!(gate.pass(|| async { Ok(()) }).await.is_ok());
    });
}
