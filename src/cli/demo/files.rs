//! The demo's configuration, in a temporary folder.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::PathBuf;

use crate::ambient;
use crate::text::hex;

/// The password of the demo's users.
const PASSWORD: &str = "demo-password";

/// Fast enough not to keep anyone waiting; a demo has nothing to protect.
const COST: u32 = 8;

/// A folder that is removed when the demo ends.
pub(super) struct Folder(PathBuf);

/// What the configuration says.
pub(super) struct Setup {
    pub(super) listen: SocketAddr,
    pub(super) admin: SocketAddr,
    pub(super) upstream: SocketAddr,
}

impl Folder {
    /// A new folder that only this user can read. `name` keeps it apart from other demos.
    pub(super) fn create(name: [u8; 8]) -> io::Result<Self> {
        let path = std::env::temp_dir().join(format!("gatelatch-demo-{}", hex::encode(&name)));
        fs::DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Self(path))
    }

    /// Where the configuration is.
    pub(super) fn config(&self) -> PathBuf {
        self.0.join("gateway.yaml")
    }

    pub(super) fn write(&self, setup: &Setup) -> io::Result<()> {
        let hash = ambient::hash_password(PASSWORD, COST).map_err(io::Error::other)?;
        let text = |template: &str| {
            template
                .replace("LISTEN", &setup.listen.to_string())
                .replace("ADMIN", &setup.admin.to_string())
                .replace("UPSTREAM", &setup.upstream.to_string())
                .replace("HASH", &hash)
        };
        fs::write(self.config(), text(GATEWAY))?;
        fs::write(self.0.join("users.yaml"), text(USERS))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // a folder that somebody has already removed is as good
        let _ = fs::remove_dir_all(&self.0);
    }
}

const GATEWAY: &str = "\
# The demo's configuration. Change it and save: it is reloaded at once, without dropping a connection.
server: { listen: [\"LISTEN\"] }
admin: { listen: \"ADMIN\" }
auth: { users_file: users.yaml }
services:
  jobs:
    upstream: http://UPSTREAM
    rules:
      - { path: /, allow: authenticated }
      - { path: /public/**, allow: anyone }
      - { path: /jobs, methods: [GET], allow: authenticated }
      - { path: /jobs, methods: [POST], allow: { roles: [recruiter] } }
      # everybody reads their own applications, recruiters read all
      - { path: \"/users/{id}/**\", allow: [ { roles: [recruiter] }, { user: \"{id}\" } ] }
";

const USERS: &str = "\
users:
  rita:
    password: HASH
    roles: [recruiter]
    name: Rita Recruiter
  carl:
    password: HASH
    roles: [candidate]
    name: Carl Candidate
";
