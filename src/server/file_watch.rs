//! Notices when a file of the configuration changes, in whatever way it is replaced.
//!
//! The folder of a file is watched, because an editor puts another file in its place, and so is the folder of every
//! link on the way to it: Kubernetes exchanges a ConfigMap by renaming `..data`, a deployment by turning `current`
//! to the next release. The file itself is watched too: a change of a mounted file is no event of its folder.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};

/// As many links as Linux follows.
const MOST_LINKS: usize = 40;

/// Watches files; dropping it ends that.
pub(super) struct FileWatch {
    watcher: Option<RecommendedWatcher>,
    relevant: Arc<Mutex<BTreeSet<PathBuf>>>,
    watched: BTreeSet<PathBuf>,
    refused: BTreeSet<PathBuf>,
}

/// Whether everything was watched before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(super) enum Coverage {
    /// Every change since the last call was or will be noticed.
    Complete,
    /// Something is watched that was not watched before, and may have changed unnoticed until now.
    Grown,
}

impl FileWatch {
    /// Watches nothing yet. `notice` is called from another thread at each change, often several times for one.
    pub(super) fn start(notice: impl Fn() + Send + 'static) -> Self {
        let relevant: Arc<Mutex<BTreeSet<PathBuf>>> = Arc::default();
        let known = Arc::clone(&relevant);
        let handler = move |event: notify::Result<Event>| {
            if is_relevant(
                &event,
                &known.lock().unwrap_or_else(PoisonError::into_inner),
            ) {
                notice();
            }
        };
        let watcher = notify::recommended_watcher(handler)
            .inspect_err(
                |error| tracing::warn!(%error, "files cannot be watched; reload with SIGHUP"),
            )
            .ok();
        Self {
            watcher,
            relevant,
            watched: BTreeSet::new(),
            refused: BTreeSet::new(),
        }
    }

    /// Watches these files from now on, and no others. They need not exist.
    pub(super) fn follow<'f>(&mut self, files: impl IntoIterator<Item = &'f PathBuf>) -> Coverage {
        let mut places = Places::default();
        files.into_iter().for_each(|file| places.trace(file));
        *self.relevant.lock().unwrap_or_else(PoisonError::into_inner) = places.names;
        let Some(watcher) = &mut self.watcher else {
            return Coverage::Complete;
        };
        for gone in self.watched.difference(&places.watched) {
            // it fails where the folder itself is gone
            let _ = watcher.unwatch(gone);
        }
        self.refused.retain(|path| places.watched.contains(path));
        let mut watched = BTreeSet::new();
        for path in places.watched {
            // again where it is watched already: another folder may have come under the same name
            match watcher.watch(&path, RecursiveMode::NonRecursive) {
                Ok(()) => {
                    watched.insert(path);
                }
                Err(error) if self.refused.insert(path.clone()) => {
                    tracing::warn!(%error, path = %path.display(), "cannot be watched; reload with SIGHUP");
                }
                Err(_) => {}
            }
        }
        let coverage = if watched.is_subset(&self.watched) {
            Coverage::Complete
        } else {
            Coverage::Grown
        };
        self.watched = watched;
        coverage
    }
}

/// Reading a file is an event too, and must not lead to the next read.
fn is_relevant(event: &notify::Result<Event>, names: &BTreeSet<PathBuf>) -> bool {
    match event {
        Ok(event) if matches!(event.kind, EventKind::Access(_)) => false,
        // so many events came at once that the system forgot some
        Ok(event) => event.need_rescan() || event.paths.iter().any(|path| names.contains(path)),
        Err(_) => true,
    }
}

/// What to watch, and which names in it count.
#[derive(Debug, Default, PartialEq, Eq)]
struct Places {
    watched: BTreeSet<PathBuf>,
    names: BTreeSet<PathBuf>,
}

impl Places {
    /// Adds every link on the way to a file, and the file; where the way ends early, the first name that is missing.
    fn trace(&mut self, file: &Path) {
        let Ok(file) = std::path::absolute(file) else {
            return;
        };
        let (mut at, mut ahead, mut links) = (PathBuf::from("/"), steps(&file), 0);
        while let Some(step) = ahead.pop() {
            if step == ".." {
                at.pop();
                continue;
            }
            let next = at.join(step);
            match fs::read_link(&next) {
                Ok(target) => {
                    self.add(&at, next);
                    links += 1;
                    if links > MOST_LINKS {
                        return;
                    }
                    ahead.extend(steps(&target));
                    if target.is_absolute() {
                        at = PathBuf::from("/");
                    }
                }
                Err(_) => {
                    if next.is_file() {
                        self.watched.insert(next.clone());
                    }
                    if ahead.is_empty() || !next.exists() {
                        self.add(&at, next);
                        return;
                    }
                    at = next;
                }
            }
        }
    }

    fn add(&mut self, folder: &Path, name: PathBuf) {
        self.watched.insert(folder.to_owned());
        self.names.insert(name);
    }
}

/// The steps of a path, the last one first.
fn steps(path: &Path) -> Vec<OsString> {
    let named = |component: Component<'_>| match component {
        Component::Normal(_) | Component::ParentDir => Some(component.as_os_str().to_owned()),
        Component::Prefix(_) | Component::RootDir | Component::CurDir => None,
    };
    path.components().rev().filter_map(named).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// Watched places and relevant names of a file, relative to a folder.
    fn trace(root: &Path, file: &str) -> (Vec<String>, Vec<String>) {
        let mut places = Places::default();
        places.trace(&root.join(file));
        let show = |paths: &BTreeSet<PathBuf>| {
            let inside = paths.iter().filter_map(|path| path.strip_prefix(root).ok());
            inside.map(|path| path.display().to_string()).collect()
        };
        (show(&places.watched), show(&places.names))
    }

    #[test]
    fn every_link_on_the_way_is_watched() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        fs::create_dir_all(root.join("releases/1")).unwrap();
        fs::create_dir(root.join("etc")).unwrap();
        fs::write(root.join("releases/1/a.yaml"), "").unwrap();
        symlink("releases/1", root.join("current")).unwrap();
        symlink("../current/a.yaml", root.join("etc/a.yaml")).unwrap();
        symlink(root.join("current/a.yaml"), root.join("etc/absolute.yaml")).unwrap();
        symlink("loop", root.join("loop")).unwrap();
        let file = "releases/1/a.yaml";
        let cases: [(&str, &[&str], &[&str]); 7] = [
            ("releases/1/a.yaml", &["releases/1", file], &[file]),
            (
                "current/a.yaml",
                &["", "releases/1", file],
                &["current", file],
            ),
            (
                "etc/a.yaml",
                &["", "etc", "releases/1", file],
                &["current", "etc/a.yaml", file],
            ),
            (
                "etc/absolute.yaml",
                &["", "etc", "releases/1", file],
                &["current", "etc/absolute.yaml", file],
            ),
            ("etc/none.yaml", &["etc"], &["etc/none.yaml"]),
            ("none/none.yaml", &[""], &["none"]),
            ("loop", &[""], &["loop"]),
        ];
        for (path, watched, names) in cases {
            let expected = (
                watched.iter().map(|s| (*s).into()).collect(),
                names.iter().map(|s| (*s).into()).collect(),
            );
            assert_eq!(trace(&root, path), expected, "{path}");
        }
    }

    #[test]
    fn reading_is_no_change_and_forgotten_events_are_one() {
        use notify::event::{AccessKind, CreateKind, Flag};
        let names = BTreeSet::from([PathBuf::from("/c/a.yaml")]);
        let event = |kind, path: &str| Ok(Event::new(kind).add_path(PathBuf::from(path)));
        for (event, expected) in [
            (
                event(EventKind::Create(CreateKind::File), "/c/a.yaml"),
                true,
            ),
            (
                event(EventKind::Create(CreateKind::File), "/c/b.yaml"),
                false,
            ),
            (
                event(EventKind::Create(CreateKind::File), "/d/a.yaml"),
                false,
            ),
            (
                event(EventKind::Access(AccessKind::Read), "/c/a.yaml"),
                false,
            ),
            (
                Ok(Event::new(EventKind::Other).set_flag(Flag::Rescan)),
                true,
            ),
            (Err(notify::Error::generic("broken")), true),
        ] {
            assert_eq!(is_relevant(&event, &names), expected, "{event:?}");
        }
    }
}
