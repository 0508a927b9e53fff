//! Simplifies sets of path classes.

use std::collections::BTreeSet;

use super::change::{PathClass, PathPiece};

/// Merges `/a` and `/a/*/**` into `/a/**`, and drops every class that another one covers.
pub(super) fn simplify(mut classes: BTreeSet<PathClass>) -> BTreeSet<PathClass> {
    if classes.len() < 2 {
        return classes;
    }
    join(&mut classes);
    let covered: Vec<PathClass> = classes
        .iter()
        .filter(|class| is_covered(class, &classes))
        .cloned()
        .collect();
    for class in covered {
        classes.remove(&class);
    }
    classes
}

/// Longest first, so that a merged class can be merged again.
fn join(classes: &mut BTreeSet<PathClass>) {
    let mut ends: Vec<PathClass> = classes
        .iter()
        .filter(|class| !ends_open(class))
        .cloned()
        .collect();
    ends.sort_by_key(|class| std::cmp::Reverse(class.0.len()));
    for end in ends {
        let beyond = with(&end.0, &[PathPiece::Any, PathPiece::Rest]);
        if classes.contains(&beyond) {
            classes.remove(&beyond);
            classes.remove(&end);
            classes.insert(with(&end.0, &[PathPiece::Rest]));
        }
    }
}

fn ends_open(class: &PathClass) -> bool {
    class.0.last() == Some(&PathPiece::Rest)
}

fn with(pieces: &[PathPiece], more: &[PathPiece]) -> PathClass {
    PathClass([pieces, more].concat())
}

/// Whether another class of the set covers this one.
///
/// Looks up every wider variant of its pieces. Each literal doubles their number, so beyond a limit the rest is
/// skipped: a class that is kept although it is covered makes a report longer, not wrong.
fn is_covered(class: &PathClass, classes: &BTreeSet<PathClass>) -> bool {
    wider(class)
        .into_iter()
        .any(|other| other != *class && classes.contains(&other))
}

fn wider(class: &PathClass) -> Vec<PathClass> {
    let fixed = class.0.len() - usize::from(ends_open(class));
    let mut prefixes = vec![Vec::new()];
    let mut wider = Vec::new();
    for length in 0..=fixed {
        // the rest of the path; `/a/**` covers `/a` as well
        wider.extend(
            prefixes
                .iter()
                .map(|prefix| with(prefix, &[PathPiece::Rest])),
        );
        let beyond = class.0.len() > length;
        if beyond && length < fixed {
            wider.extend(
                prefixes
                    .iter()
                    .map(|prefix| with(prefix, &[PathPiece::Any, PathPiece::Rest])),
            );
        }
        let Some(piece) = class.0.get(length).filter(|_| length < fixed) else {
            break;
        };
        prefixes = prefixes
            .iter()
            .flat_map(|prefix| one_more(prefix, piece))
            .take(256)
            .collect();
    }
    wider.extend(
        prefixes
            .into_iter()
            .filter(|_| !ends_open(class))
            .map(PathClass),
    );
    wider
}

fn one_more(prefix: &[PathPiece], piece: &PathPiece) -> Vec<Vec<PathPiece>> {
    let mut ways = vec![[prefix, &[PathPiece::Any]].concat()];
    if *piece != PathPiece::Any {
        ways.push([prefix, std::slice::from_ref(piece)].concat());
    }
    ways
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(text: &str) -> PathClass {
        let pieces = text
            .split('/')
            .filter(|piece| !piece.is_empty())
            .map(|piece| match piece {
                "*" => PathPiece::Any,
                "**" => PathPiece::Rest,
                literal => PathPiece::Literal(literal.into()),
            });
        PathClass(pieces.collect())
    }

    #[test]
    fn what_another_class_covers_is_not_said_again() {
        for (given, expected) in [
            (vec!["/", "/*/**"], vec!["/**"]),
            (vec!["/", "/*", "/*/*/**"], vec!["/**"]),
            (vec!["/a", "/*"], vec!["/*"]),
            (vec!["/a/b", "/a/*", "/x/b", "/*/b"], vec!["/a/*", "/*/b"]),
            (vec!["/a", "/a/*/**", "/b"], vec!["/a/**", "/b"]),
            (vec!["/a/b/**", "/a/**", "/a/b"], vec!["/a/**"]),
            (vec!["/a/b/*/**", "/*/b/**"], vec!["/*/b/**"]),
            (vec!["/a/b/c", "/a/*/**"], vec!["/a/*/**"]),
            (vec!["/", "/a"], vec!["/", "/a"]),
        ] {
            let simple = simplify(given.iter().map(|text| class(text)).collect());
            assert_eq!(
                simple,
                expected.iter().map(|text| class(text)).collect(),
                "{given:?}"
            );
        }
    }
}
