//! A folder with a configuration, for the targets that load one.
#![allow(
    dead_code,
    reason = "instrumented, each target is a program that uses some of it"
)]

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use gatelatch::config::{LoadRequest, Loaded, Problems, load};

static NUMBER: AtomicU64 = AtomicU64::new(0);

/// A folder of this process's own, which goes with it.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        // in memory, where the system has such a folder: a run is a few files
        let memory = PathBuf::from("/dev/shm");
        let place = if memory.is_dir() {
            memory
        } else {
            std::env::temp_dir()
        };
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let folder = place.join(format!("gatelatch-fuzz-{}-{number}", std::process::id()));
        fs::create_dir_all(&folder).expect("the folder can be made");
        Self(folder)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.0.join(name), text).expect("the folder can be written to");
    }

    pub(crate) fn request(&self) -> LoadRequest {
        LoadRequest {
            path: self.0.join("gateway.yaml"),
            environment: [(
                "SECRET".to_owned(),
                "hunter2-hunter2-hunter2-hunter2-hunter2".to_owned(),
            )]
            .into(),
            fallback_secret: vec![0x5a; 48].into(),
            cores: 2,
        }
    }

    pub(crate) fn load(&self, gateway: &str, users: &str) -> Result<Loaded, Problems> {
        self.write("gateway.yaml", gateway);
        self.write("users.yaml", users);
        load(&self.request())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

/// Whether a text may name a device or a file of the machine, which is not what is to be read here.
pub(crate) fn names_the_system(text: &str) -> bool {
    ["/dev", "/proc", "/sys", "/run", ".."]
        .iter()
        .any(|name| text.contains(name))
}
