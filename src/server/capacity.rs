//! How many client connections the process has room for.
//!
//! What has no room is turned away with 503 while all others are served. Otherwise the kernel decides: it ends the process
//! for its memory, or refuses the socket to a service for a request that was let in.

use std::fs;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::{Resource, getrlimit};

use crate::config::Config;

/// Where nothing is scarcer: what one machine is likely to serve.
const MOST: u64 = 20_000;

/// Fewer than these are no service; a limit that allows less is somebody's mistake.
const LEAST: u64 = 64;

/// The most memory of a connection of HTTP/1.1 where memory is scarce, in bytes, with that to the service. Measured: 34 KiB
/// while its request waits for a service, 90 KiB while an upload waits that the service does not read, 93 KiB while an answer
/// waits that the client does not read. The kernel's buffers are its own.
const CONNECTION: u64 = 96 << 10;

/// The same with buffers that are as large as is fast. Measured: 229 KiB for the upload, 224 KiB for the answer, 65 KiB for a
/// stream of HTTP/2 whose client takes nothing of the answer.
const LARGE_CONNECTION: u64 = 256 << 10;

/// The memory that is left for logins, reloads and whatever grows, in bytes.
const SPARE_MEMORY: u64 = 16 << 20;

/// The descriptors that are left for files, listeners, logs, the state store and key sets, and for each worker.
const SPARE_DESCRIPTORS: u64 = 128;
const WORKER_DESCRIPTORS: u64 = 80;

/// The memory of a cgroup is read here.
const CGROUPS: &str = "/sys/fs/cgroup";

/// How many connections there is room for, and what sets the limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Capacity {
    /// By the memory, with its limit in bytes; `None` where that is not known.
    memory: Option<(u64, u64)>,
    /// By the descriptors, with their number: each connection needs one, and a second one to a service.
    descriptors: (u64, u64),
}

impl Capacity {
    /// That of this process, whose configuration is loaded and whose limit of open files is raised.
    pub(super) fn of_process(workers: usize) -> Self {
        let files = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        Self::of(memory_limit(), resident(), files, workers as u64)
    }

    fn of(memory: Option<u64>, resident: u64, files: u64, workers: u64) -> Self {
        let by_memory = |limit: u64| limit.saturating_sub(resident + SPARE_MEMORY) / CONNECTION;
        let spare = SPARE_DESCRIPTORS.saturating_add(WORKER_DESCRIPTORS.saturating_mul(workers));
        Self {
            memory: memory.map(|limit| (by_memory(limit).max(LEAST), limit)),
            descriptors: ((files.saturating_sub(spare) / 2).max(LEAST), files),
        }
    }

    /// How many connections may be open where so many are configured; `None`: as many as fit.
    pub(super) fn connections(&self, configured: Option<NonZeroUsize>) -> usize {
        let wanted = configured.map_or(MOST, |number| number.get() as u64);
        let memory = self.memory.filter(|_| configured.is_none());
        let fit = memory.map_or(wanted, |(fit, _)| fit.min(wanted));
        usize::try_from(fit.min(self.descriptors.0)).unwrap_or(usize::MAX)
    }

    /// Whether not all connections that may be open fit with buffers as large as is fast.
    fn is_frugal(&self, configured: Option<NonZeroUsize>) -> bool {
        let wanted = configured.map_or(MOST, |number| number.get() as u64);
        let large = wanted
            .min(self.descriptors.0)
            .saturating_mul(LARGE_CONNECTION);
        self.memory.is_some_and(|(_, limit)| limit < large)
    }

    /// Says once what sets the limit, where that is not what one would think.
    pub(super) fn report(&self, configured: Option<NonZeroUsize>) {
        let connections = self.connections(configured);
        let (by_files, files) = self.descriptors;
        let wanted = configured.map_or(MOST, |number| number.get() as u64);
        if by_files < wanted && connections as u64 == by_files {
            let why =
                format!("at most {connections} client connections (half of {files} open files)");
            match configured {
                None => tracing::info!(
                    event = "connection_limit",
                    connections,
                    open_files = files,
                    "{why}"
                ),
                Some(_) => tracing::warn!(
                    event = "connection_limit",
                    connections,
                    open_files = files,
                    "{why}"
                ),
            }
        } else if let Some((by_memory, limit)) = self.memory.filter(|(fit, _)| *fit < wanted) {
            let memory_mib = limit >> 20;
            match configured {
                None => tracing::info!(
                    event = "connection_limit",
                    connections,
                    memory_mib,
                    "at most {connections} client connections (what fits into {memory_mib} MiB)"
                ),
                Some(_) => tracing::warn!(
                    event = "connection_limit",
                    connections,
                    memory_mib,
                    fit = by_memory,
                    "`server.limits.connections` is more than fits into the memory that is allowed"
                ),
            }
        }
    }
}

/// The least of what the cgroups of the process and the machine allow, in bytes.
fn memory_limit() -> Option<u64> {
    let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let machine = fs::read_to_string("/proc/meminfo").ok();
    let machine = machine
        .as_deref()
        .and_then(|text| kibibytes(text, "MemTotal:"));
    let cgroups = cgroup_limit(&own, Path::new(CGROUPS));
    cgroups.into_iter().chain(machine).min()
}

/// The least limit of the memory cgroups of a process, of which `/proc/self/cgroup` says this, those around them included.
/// Both versions are read: a machine may have the memory in either.
fn cgroup_limit(own: &str, root: &Path) -> Option<u64> {
    let lines = own.lines().filter_map(|line| {
        let mut parts = line.splitn(3, ':').skip(1);
        Some((parts.next()?, parts.next()?))
    });
    let limits = lines.filter_map(|(controllers, path)| {
        let (folders, files): (&[&str], &[&str]) = match controllers {
            "" => (&["", "unified"], &["memory.max", "memory.high"]),
            _ if controllers.split(',').any(|name| name == "memory") => {
                (&["memory"], &["memory.limit_in_bytes"])
            }
            _ => return None,
        };
        let least = |folder: &&str| least_above(&root.join(folder), path, files);
        folders.iter().filter_map(least).min()
    });
    limits.min()
}

/// In a container the path may be that outside: what is not there is passed over, up to the root, which is then its own.
fn least_above(root: &Path, path: &str, files: &[&str]) -> Option<u64> {
    let own: PathBuf = root.join(path.trim_start_matches('/'));
    let around = own
        .ancestors()
        .take_while(|folder| folder.starts_with(root));
    let limits = around.flat_map(|folder| files.iter().map(move |file| folder.join(file)));
    // "max" is no number, and version 1 says "no limit" with one that no machine has
    limits
        .filter_map(|file| fs::read_to_string(file).ok()?.trim().parse().ok())
        .min()
}

/// The memory that the process has now, in bytes.
fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    kibibytes(&status, "VmRSS:").unwrap_or(0)
}

/// A line such as `VmRSS:  1234 kB`, in bytes.
fn kibibytes(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let number: u64 = line.split_whitespace().next()?.parse().ok()?;
    number.checked_mul(1024)
}

/// The room for connections, and word of its end, for all workers.
#[derive(Debug)]
pub(super) struct Room {
    pub(super) capacity: Capacity,
    pub(super) full: OnceASecond,
    /// Whether memory is scarce: buffers are small then, and as many connections fit as [`Capacity`] says.
    pub(super) frugal: bool,
}

impl Room {
    /// That of this process, of which is said once what sets its limit.
    pub(super) fn of(config: &Config) -> Arc<Self> {
        let capacity = Capacity::of_process(config.server.workers);
        capacity.report(config.server.limits.connections);
        Arc::new(Self {
            frugal: capacity.is_frugal(config.server.limits.connections),
            capacity,
            full: OnceASecond::default(),
        })
    }
}

/// Lets one event a second through, for all workers together.
#[derive(Debug, Default)]
pub(super) struct OnceASecond {
    last: Mutex<Option<Instant>>,
    suppressed: AtomicU64,
}

impl OnceASecond {
    /// How many were suppressed since the last one, where this one may be said.
    pub(super) fn ask(&self, now: Instant) -> Option<u64> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let recent = |last: Instant| now.saturating_duration_since(last) < Duration::from_secs(1);
        if last.is_some_and(recent) {
            self.suppressed.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        *last = Some(now);
        Some(self.suppressed.swap(0, Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ambient;

    const MIB: u64 = 1 << 20;

    #[test]
    fn the_scarcer_of_memory_and_descriptors_sets_the_limit() {
        for (memory, files, connections) in [
            (None, 1 << 20, 20_000),
            (Some(8 << 30), 1 << 20, 20_000),
            (Some(512 * MIB), 1 << 20, 5184),
            (Some(256 * MIB), 1 << 20, 2453),
            (Some(64 * MIB), 1 << 20, 405),
            (Some(16 * MIB), 1 << 20, 64),
            (None, 20_000, 9856),
            (None, 1024, 368),
            (None, 128, 64),
            (Some(64 * MIB), 1024, 368),
        ] {
            let capacity = Capacity::of(memory, 10 * MIB, files, 2);
            assert_eq!(
                capacity.connections(None),
                connections,
                "{memory:?} {files}"
            );
            // what is configured is the operator's, but there is no connection without a descriptor
            let configured = NonZeroUsize::new(15_000);
            let (by_files, _) = capacity.descriptors;
            let expected = usize::try_from(by_files.min(15_000)).unwrap();
            assert_eq!(capacity.connections(configured), expected, "{files}");
        }
    }

    #[test]
    fn buffers_are_small_where_large_ones_do_not_fit() {
        for (memory, files, configured, frugal) in [
            (None, 1 << 20, None, false),
            (Some(8 << 30), 1 << 20, None, false),
            (Some(4 << 30), 1 << 20, None, true),
            (Some(4 << 30), 20_000, None, false),
            (Some(512 * MIB), 1 << 20, Some(20_000), true),
            (Some(512 * MIB), 1 << 20, Some(1000), false),
            (Some(64 * MIB), 1024, None, true),
        ] {
            let capacity = Capacity::of(memory, 10 * MIB, files, 2);
            let configured = configured.and_then(NonZeroUsize::new);
            assert_eq!(capacity.is_frugal(configured), frugal, "{memory:?} {files}");
        }
    }

    /// What is written to which files below the root of the cgroups; what the process is told of its own; the limit.
    #[test]
    fn limits_of_both_versions_are_found_wherever_they_are_set() {
        type Files<'t> = &'t [(&'t str, &'t str)];
        let tests: [(Files<'_>, &str, Option<u64>); 9] = [
            (&[("memory.max", "67108864\n")], "0::/\n", Some(64 * MIB)),
            (&[("memory.max", "max\n")], "0::/\n", None),
            (
                &[("a/b/memory.max", "max\n"), ("a/memory.max", "1000\n")],
                "0::/a/b\n",
                Some(1000),
            ),
            (
                &[
                    ("a/b/memory.max", "900\n"),
                    ("a/memory.max", "1000\n"),
                    ("a/b/memory.high", "800\n"),
                ],
                "0::/a/b\n",
                Some(800),
            ),
            // the path is that outside of the container
            (
                &[("memory.max", "500\n")],
                "0::/../../kubepods/pod1/x\n",
                Some(500),
            ),
            (
                &[
                    (
                        "memory/pods/x/memory.limit_in_bytes",
                        "9223372036854771712\n",
                    ),
                    ("memory/pods/memory.limit_in_bytes", "700\n"),
                ],
                "5:cpu:/\n4:memory:/pods/x\n0::/\n",
                Some(700),
            ),
            (
                &[("memory/memory.limit_in_bytes", "600\n")],
                "4:memory:/docker/f00\n",
                Some(600),
            ),
            (
                &[("unified/x/memory.max", "300\n")],
                "4:cpu:/\n0::/x\n",
                Some(300),
            ),
            (&[("memory.max", "300\n")], "", None),
        ];
        for (files, own, expected) in tests {
            let root = tempfile::tempdir().unwrap();
            for (file, text) in files {
                let file = root.path().join(file);
                fs::create_dir_all(file.parent().unwrap()).unwrap();
                fs::write(file, text).unwrap();
            }
            assert_eq!(cgroup_limit(own, root.path()), expected, "{own}{files:?}");
        }
    }

    #[test]
    fn one_a_second_is_said_with_the_number_of_the_others() {
        let (once, start) = (OnceASecond::default(), ambient::now());
        assert_eq!(once.ask(start), Some(0));
        for millis in [0, 1, 999] {
            assert_eq!(once.ask(start + Duration::from_millis(millis)), None);
        }
        assert_eq!(once.ask(start + Duration::from_secs(1)), Some(3));
    }
}
