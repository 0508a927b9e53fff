//! The pages: README.md and everything under `docs`.

use std::fs;
use std::path::Path;

use super::block::{self, Block};
use super::{markdown, read, repository};

/// A page, by its path in the project.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) path: String,
    pub(crate) text: String,
}

/// All pages, in the order of their paths.
pub(crate) fn pages() -> Vec<Page> {
    let mut paths = vec!["README.md".to_owned()];
    walk(&repository().join("docs"), &mut paths);
    paths.sort();
    paths
        .into_iter()
        .map(|path| Page {
            text: read(&path),
            path,
        })
        .collect()
}

fn walk(folder: &Path, paths: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(&path, paths);
        } else if path.extension().is_some_and(|extension| extension == "md") {
            paths.push(
                path.strip_prefix(repository())
                    .unwrap()
                    .to_str()
                    .unwrap()
                    .to_owned(),
            );
        }
    }
}

impl Page {
    pub(crate) fn blocks(&self) -> Vec<Block> {
        let (fences, _) = markdown::read(&self.text);
        fences
            .into_iter()
            .map(|fence| block::read(&self.path, fence))
            .collect()
    }
}

/// What is not run is said, with its reason, and stands in one list.
#[test]
fn what_is_not_run_is_listed() {
    let mut list = String::new();
    for page in pages() {
        for block in page.blocks() {
            let Some(reason) = &block.not_run else {
                continue;
            };
            let first = block.text.lines().next().unwrap_or_default();
            list.push_str(&format!("{}: {first}\n    {reason}\n", page.path));
        }
    }
    super::assert_generated("tests/docs/not_run.txt", &list);
}
