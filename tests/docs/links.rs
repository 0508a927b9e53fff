//! Every link leads somewhere, and every page can be reached.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use super::markdown::{anchors, links, read};
use super::pages::pages;
use super::repository;

/// Files beside the pages that have links too.
const FURTHER: [&str; 6] = [
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "BENCHMARKS.md",
    "config/sign-in/README.md",
];

fn texts() -> Vec<(String, String)> {
    let further = FURTHER.iter().filter_map(|path| {
        let text = std::fs::read_to_string(repository().join(path)).ok()?;
        Some(((*path).to_owned(), text))
    });
    pages()
        .into_iter()
        .map(|page| (page.path, page.text))
        .chain(further)
        .collect()
}

/// A path without `.` and `..`.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => assert!(normal.pop(), "{} leaves the project", path.display()),
            Component::Normal(name) => normal.push(name),
            Component::CurDir | Component::RootDir | Component::Prefix(_) => {}
        }
    }
    normal
}

/// Where the links of a text go: page and anchor. Links to the web are not looked at.
fn targets(path: &str, text: &str) -> Vec<(usize, PathBuf, Option<String>)> {
    let (_, prose) = read(text);
    let folder = Path::new(path).parent().unwrap();
    let found = prose
        .iter()
        .flat_map(|(line, content)| links(content).into_iter().map(|link| (*line, link)));
    let inside = found.filter(|(_, link)| !link.contains("://") && !link.starts_with("mailto:"));
    inside
        .map(|(line, link)| {
            let (file, anchor) = link
                .split_once('#')
                .map_or((link, None), |(file, anchor)| (file, Some(anchor)));
            let target = if file.is_empty() {
                PathBuf::from(path)
            } else {
                normal(&folder.join(file))
            };
            (line, target, anchor.map(str::to_owned))
        })
        .collect()
}

#[test]
fn every_link_leads_somewhere() {
    let mut wrong = Vec::new();
    for (path, text) in texts() {
        for (line, target, anchor) in targets(&path, &text) {
            let file = repository().join(&target);
            if !file.exists() {
                wrong.push(format!("{path}:{line}: there is no {}", target.display()));
            } else if let Some(anchor) = anchor {
                let known = anchors(&std::fs::read_to_string(&file).unwrap());
                if !known.contains(&anchor) {
                    wrong.push(format!(
                        "{path}:{line}: {} has no heading `#{anchor}`",
                        target.display()
                    ));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_page_is_in_the_summary() {
    let summary = super::read("docs/SUMMARY.md");
    let named: BTreeSet<PathBuf> = targets("docs/SUMMARY.md", &summary)
        .into_iter()
        .map(|(_, path, _)| path)
        .collect();
    let pages = pages().into_iter().map(|page| PathBuf::from(page.path));
    let pages: BTreeSet<PathBuf> = pages
        .filter(|path| path.starts_with("docs") && *path != *Path::new("docs/SUMMARY.md"))
        .collect();
    let left_out: Vec<_> = pages.difference(&named).collect();
    assert!(
        left_out.is_empty(),
        "docs/SUMMARY.md does not name {left_out:?}"
    );
}
