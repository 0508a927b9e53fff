//! A real OpenLDAP, with data and configuration of its own.

use std::fs;
use std::io::Write as _;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::certs::Authority;
use super::programs::program;
use super::redis::free_port;
use super::until;

/// The password of every entry.
pub const LDAP_PASSWORD: &str = "a password of the directory";

/// The name and the password of the account that searches.
pub const SERVICE_DN: &str = "cn=gatelatch,dc=example,dc=com";
pub const SERVICE_PASSWORD: &str = "secret of the service account";

/// A running directory; it is killed when it is dropped.
pub struct Slapd {
    program: PathBuf,
    folder: tempfile::TempDir,
    clear: u16,
    tls: u16,
    process: Child,
}

/// People and groups as most directories have them. `alice` is in `staff`, and through it in `everyone`; `staff` and
/// `everyone` are in each other. `bob` is in no group; `twin` exists twice.
const ENTRIES: &str = "\
dn: dc=example,dc=com
objectClass: dcObject
objectClass: organization
dc: example
o: Example

dn: cn=gatelatch,dc=example,dc=com
objectClass: organizationalRole
objectClass: simpleSecurityObject
cn: gatelatch
userPassword: SERVICE

dn: ou=people,dc=example,dc=com
objectClass: organizationalUnit
ou: people

dn: ou=twins,ou=people,dc=example,dc=com
objectClass: organizationalUnit
ou: twins

dn: ou=groups,dc=example,dc=com
objectClass: organizationalUnit
ou: groups

dn: uid=alice,ou=people,dc=example,dc=com
objectClass: inetOrgPerson
objectClass: account-of-ad
uid: alice
sAMAccountName: Alice.Doe
cn: Alice Doe
sn: Doe
mail: alice@example.com
userAccountControl: 512
userPassword: PERSON

dn: uid=bob,ou=people,dc=example,dc=com
objectClass: inetOrgPerson
objectClass: account-of-ad
uid: bob
sAMAccountName: bob
cn: Bob, the Builder
sn: Builder
userAccountControl: 514
userPassword: PERSON

dn: cn=Doe\\2C Carol,ou=people,dc=example,dc=com
objectClass: inetOrgPerson
uid: carol
cn: Doe, Carol
sn: Doe
mail: carol@example.com
userPassword: PERSON

dn: uid=twin,ou=people,dc=example,dc=com
objectClass: inetOrgPerson
uid: twin
cn: Twin
sn: One
userPassword: PERSON

dn: uid=twin,ou=twins,ou=people,dc=example,dc=com
objectClass: inetOrgPerson
uid: twin
cn: Twin
sn: Two
userPassword: PERSON

dn: cn=Staff,ou=groups,dc=example,dc=com
objectClass: groupOfNames
cn: Staff
member: uid=alice,ou=people,dc=example,dc=com
member: cn=Doe\\2C Carol,ou=people,dc=example,dc=com

dn: cn=everyone,ou=groups,dc=example,dc=com
objectClass: groupOfNames
cn: everyone
member: cn=Staff,ou=groups,dc=example,dc=com

dn: cn=Staff,ou=groups,dc=example,dc=com
changetype: modify
add: member
member: cn=everyone,ou=groups,dc=example,dc=com
-

dn: cn=posix,ou=groups,dc=example,dc=com
objectClass: posixGroup
cn: posix
gidNumber: 1000
memberUid: alice

dn: ou=elsewhere,ou=people,dc=example,dc=com
objectClass: referral
objectClass: extensibleObject
ou: elsewhere
ref: ldap://192.0.2.1/ou=people,dc=example,dc=com
";

impl Slapd {
    /// Starts one with people in it; `None` where the test is skipped.
    pub fn start() -> Option<Self> {
        let (slapd, _) = (program("slapd")?, program("ldapmodify")?);
        for _ in 0..20 {
            let mut directory = Self::prepare(&slapd);
            if directory.wait() {
                let entries = ENTRIES.replace("SERVICE", SERVICE_PASSWORD);
                directory.modify(&entries.replace("PERSON", LDAP_PASSWORD));
                return Some(directory);
            }
        }
        panic!("no port is free");
    }

    fn prepare(program: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::new("an authority of the directory");
        let own = authority.issue(&["localhost"]);
        let path = |name: &str| folder.path().join(name);
        fs::write(path("ca.pem"), authority.certificate()).unwrap();
        fs::write(path("own.pem"), own.certificate).unwrap();
        fs::write(path("own.key"), own.key).unwrap();
        fs::create_dir(path("data")).unwrap();
        fs::write(path("slapd.conf"), configuration(folder.path())).unwrap();
        let (clear, tls) = (free_port(), free_port());
        let process = spawn(program, folder.path(), (clear, tls));
        Self {
            program: program.to_owned(),
            folder,
            clear,
            tls,
            process,
        }
    }

    /// Adds entries, or changes them where LDIF says `changetype`.
    pub fn modify(&self, changes: &str) {
        let mut command = Command::new("ldapmodify");
        command.args([
            "-a",
            "-M",
            "-x",
            "-H",
            &self.url(),
            "-D",
            "cn=admin,dc=example,dc=com",
            "-w",
            "admin",
        ]);
        let command = command.stdin(Stdio::piped()).stdout(Stdio::null());
        let mut changing = command.spawn().unwrap();
        let mut input = changing.stdin.take().unwrap();
        input.write_all(changes.as_bytes()).unwrap();
        drop(input);
        assert!(changing.wait().unwrap().success());
    }

    /// In the clear, or for StartTLS.
    pub fn url(&self) -> String {
        format!("ldap://localhost:{}", self.clear)
    }

    /// With TLS from the first byte.
    pub fn secure_url(&self) -> String {
        format!("ldaps://localhost:{}", self.tls)
    }

    /// The certificate of the authority that has issued its own.
    pub fn ca(&self) -> PathBuf {
        self.path("ca.pem")
    }

    /// Kills it.
    pub fn stop(&mut self) {
        let _ = self.process.kill();
        self.process.wait().unwrap();
    }

    /// Sends a signal by its name; after `STOP` it waits until every thread has stopped: one that runs on another processor may
    /// answer once more.
    pub fn signal(&self, name: &str) {
        let mut command = Command::new("kill");
        command
            .arg(format!("-{name}"))
            .arg(self.process.id().to_string());
        assert!(command.status().unwrap().success());
        if name == "STOP" {
            until("every thread has stopped", || self.is_stopped());
        }
    }

    fn is_stopped(&self) -> bool {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.process.id())).unwrap();
        let mut states = tasks.map(|task| {
            let stat = fs::read_to_string(task.unwrap().path().join("stat")).unwrap();
            // behind the name in parentheses, which may hold anything
            stat.rsplit_once(") ").unwrap().1.starts_with('T')
        });
        states.all(|is_stopped| is_stopped)
    }

    /// Starts it again on the same ports, with what is on its disk.
    pub fn restart(&mut self) {
        self.process = spawn(&self.program, self.folder.path(), (self.clear, self.tls));
        assert!(self.wait(), "the directory does not start again");
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Whether it listens; a port may have been taken.
    fn wait(&mut self) -> bool {
        let mut listens = false;
        let address = |port| SocketAddr::from(([127, 0, 0, 1], port));
        until("a directory", || {
            listens = TcpStream::connect(address(self.clear)).is_ok()
                && TcpStream::connect(address(self.tls)).is_ok();
            listens || self.process.try_wait().unwrap().is_some()
        });
        listens && self.process.try_wait().unwrap().is_none()
    }
}

impl Drop for Slapd {
    fn drop(&mut self) {
        self.stop();
    }
}

fn configuration(folder: &Path) -> String {
    let folder = folder.display();
    format!(
        "include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/nis.schema
include /etc/ldap/schema/inetorgperson.schema
attributetype ( 1.2.840.113556.1.4.221 NAME 'sAMAccountName' EQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 SINGLE-VALUE )
attributetype ( 1.2.840.113556.1.4.8 NAME 'userAccountControl' EQUALITY integerMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.27 SINGLE-VALUE )
objectclass ( 1.3.6.1.4.1.4203.666.1.1 NAME 'account-of-ad' SUP top AUXILIARY MAY ( sAMAccountName $ userAccountControl ) )
pidfile {folder}/slapd.pid
modulepath /usr/lib/ldap
moduleload back_mdb
moduleload memberof
TLSCACertificateFile {folder}/ca.pem
TLSCertificateFile {folder}/own.pem
TLSCertificateKeyFile {folder}/own.key
sizelimit 500
database mdb
suffix \"dc=example,dc=com\"
rootdn \"cn=admin,dc=example,dc=com\"
rootpw admin
directory {folder}/data
overlay memberof
access to attrs=userPassword by anonymous auth by * none
access to * by dn.exact=\"{SERVICE_DN}\" read by * none
"
    )
}

fn spawn(program: &Path, folder: &Path, (clear, tls): (u16, u16)) -> Child {
    let mut command = Command::new(program);
    command.arg("-f").arg(folder.join("slapd.conf"));
    command
        .arg("-h")
        .arg(format!("ldap://127.0.0.1:{clear} ldaps://127.0.0.1:{tls}"));
    // it stays in the foreground
    command.args(["-d", "0"]);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().unwrap()
}
