//! Files of one folder do not import each other in a circle: each can be read after those that it names.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::sources;

/// A module, as the names on the way to it.
type Module = Vec<String>;

fn module_of(path: &Path) -> Module {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let inside = path.strip_prefix(src).unwrap().with_extension("");
    let mut names: Module = inside
        .iter()
        .map(|name| name.to_str().unwrap().to_owned())
        .collect();
    if names.last().is_some_and(|name| name == "mod") {
        names.pop();
    }
    names
}

/// The code without comments and without its unit tests.
fn code(text: &str) -> String {
    let product = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
    let lines = product
        .lines()
        .map(|line| line.split("//").next().unwrap_or_default());
    lines.collect::<Vec<_>>().join("\n")
}

/// Every path in `text` that begins with `crate`, `super` or `self`, from the root of the crate.
fn named_modules(module: &[String], text: &str) -> Vec<Module> {
    let mut found = Vec::new();
    for start in ["crate::", "super::", "self::"] {
        for (at, _) in text.match_indices(start) {
            let before = text[..at].chars().next_back();
            if !before.is_some_and(|c| c.is_alphanumeric() || matches!(c, '_' | ':')) {
                tree(Vec::new(), &mut text[at..].chars().peekable(), &mut found);
            }
        }
    }
    found
        .into_iter()
        .map(|path| absolute(module, &path))
        .collect()
}

/// Reads `a::b::{c, d::e}`.
fn tree(
    mut path: Module,
    text: &mut std::iter::Peekable<std::str::Chars<'_>>,
    found: &mut Vec<Module>,
) {
    let mut word = String::new();
    while let Some(c) = text.next_if(|c| c.is_alphanumeric() || matches!(c, '_' | ':' | '{')) {
        match c {
            ':' => path.extend((!word.is_empty()).then(|| std::mem::take(&mut word))),
            '{' => loop {
                while text.next_if(|c| c.is_whitespace() || *c == ',').is_some() {}
                if text.next_if_eq(&'}').is_some() {
                    return;
                }
                let before = found.len();
                tree(path.clone(), text, found);
                // `name as other`
                while text.next_if(|c| !matches!(c, ',' | '}')).is_some() {}
                assert!(found.len() > before || text.peek().is_some(), "{path:?}");
            },
            c => word.push(c),
        }
    }
    path.push(word);
    found.push(path);
}

fn absolute(module: &[String], path: &[String]) -> Module {
    let mut base = module.to_vec();
    let mut names = path;
    while let [first, rest @ ..] = names {
        match first.as_str() {
            "crate" => base.clear(),
            "super" => drop(base.pop()),
            "self" => {}
            _ => break,
        }
        names = rest;
    }
    base.extend_from_slice(names);
    // `lib.rs` shows these two in its own place
    if matches!(
        base.first().map(String::as_str),
        Some("access" | "identify")
    ) {
        base.insert(0, "authz".to_owned());
    }
    base
}

/// By folder, which of its files and folders names which.
fn neighbours(files: &BTreeMap<Module, String>) -> BTreeMap<Module, BTreeSet<(String, String)>> {
    let mut folders = BTreeMap::<_, BTreeSet<_>>::new();
    for (module, text) in files {
        for named in named_modules(module, text) {
            let lengths = (1..=named.len()).rev();
            let Some(target) = lengths
                .map(|length| &named[..length])
                .find(|part| files.contains_key(*part))
            else {
                continue;
            };
            let common = module.iter().zip(target).take_while(|(a, b)| a == b);
            let common = common.count();
            // the first level is that of the floors
            if let (1.., Some(from), Some(to)) = (common, module.get(common), target.get(common)) {
                let folder = folders.entry(module[..common].to_vec()).or_default();
                folder.insert((from.clone(), to.clone()));
            }
        }
    }
    folders
}

/// The files that can be reached from themselves.
fn in_circles(edges: &BTreeSet<(String, String)>) -> BTreeSet<&str> {
    let reaches = |start: &str| {
        let (mut seen, mut open) = (BTreeSet::new(), vec![start.to_owned()]);
        while let Some(from) = open.pop() {
            for (_, to) in edges.iter().filter(|(file, _)| *file == from) {
                if seen.insert(to.clone()) {
                    open.push(to.clone());
                }
            }
        }
        seen
    };
    let circular = edges
        .iter()
        .filter(|(from, _)| reaches(from).contains(from));
    circular.map(|(from, _)| from.as_str()).collect()
}

#[test]
fn files_of_a_folder_import_in_one_direction() {
    let files = sources()
        .into_iter()
        .filter(|(path, _)| {
            !path
                .iter()
                .any(|name| name == "tests" || name == "tests.rs")
        })
        .map(|(path, text)| (module_of(&path), code(&text)))
        .collect();
    let folders = neighbours(&files);
    assert!(folders.len() > 10, "the imports are not read: {folders:?}");
    let circles: Vec<_> = folders
        .iter()
        .map(|(folder, edges)| (folder.join("/"), in_circles(edges), edges))
        .filter(|(_, circle, _)| !circle.is_empty())
        .map(|(folder, circle, edges)| {
            let inside =
                |(from, to): &&(String, String)| circle.contains(&**from) && circle.contains(&**to);
            let edges: Vec<_> = edges.iter().filter(inside).collect();
            format!("{folder}: {edges:?}")
        })
        .collect();
    assert!(circles.is_empty(), "circles in {circles:#?}");
}

#[test]
fn a_circle_is_found() {
    let file = |name: &str, text: &str| (name.split("::").map(str::to_owned).collect(), code(text));
    let files = BTreeMap::from([
        file("room", "mod a;\nmod b;\npub use self::a::A;"),
        file(
            "room::a",
            "use super::{\n    b::{self as other, B},\n    c,\n};",
        ),
        file("room::b", "fn f() { crate::room::c::deep::g() }"),
        file("room::c", "mod deep;"),
        file("room::c::deep", "use super::super::a::A; // super::d"),
        file(
            "room::d",
            "use super::a::A;\n#[cfg(test)]\nmod tests {\n    use super::super::e;\n}",
        ),
        file("room::e", "use super::d::D;"),
    ]);
    let folders = neighbours(&files);
    let circle = in_circles(&folders[&vec!["room".to_owned()]]);
    assert_eq!(circle.into_iter().collect::<Vec<_>>(), ["a", "b", "c"]);
}
