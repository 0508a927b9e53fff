use std::cell::Cell;
use std::future::{pending, ready};

use super::*;

/// How an attempt ends.
#[derive(Clone, Copy)]
enum End {
    Won(u8),
    Lost(u8),
    Never,
}

/// What the race comes to, and how many attempts were begun.
fn run(ends: &[End]) -> (Option<Result<u8, u8>>, usize) {
    let begun = Cell::new(0);
    let attempts = ends.iter().map(|end| async {
        begun.set(begun.get() + 1);
        match *end {
            End::Won(value) => ready(Ok(value)).await,
            End::Lost(error) => ready(Err(error)).await,
            End::Never => pending().await,
        }
    });
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let outcome = runtime.block_on(race(attempts));
    (outcome, begun.get())
}

#[test]
fn the_first_that_works_wins() {
    use End::{Lost, Never, Won};
    assert_eq!(run(&[]), (None, 0));
    assert_eq!(
        run(&[Won(1), Won(2)]),
        (Some(Ok(1)), 1),
        "the second is not even begun"
    );
    assert_eq!(run(&[Lost(1), Lost(2), Won(3)]), (Some(Ok(3)), 3));
    assert_eq!(run(&[Lost(1), Lost(2)]), (Some(Err(2)), 2));
    assert_eq!(
        run(&[Never, Won(2)]),
        (Some(Ok(2)), 2),
        "one that does not end holds up nobody"
    );
    assert_eq!(run(&[Never, Lost(2), Won(3)]), (Some(Ok(3)), 3));
}
