//! The image: its root file system in an empty folder, and the gateway in it, as an engine would run it.

use std::fs;
use std::io::{BufRead, BufReader, Read as _};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};

use crate::support::image::{Image, behind};
use crate::support::{output, program, superuser, until};

/// A container of the sidecar's compose file; it is killed when it is dropped.
struct Container {
    image: Image,
    root: tempfile::TempDir,
    process: Child,
    events: BufReader<ChildStderr>,
}

const SECRET: (&str, &str) = ("GATELATCH_SECRET", "0123456789abcdef0123456789ABCDEF");

/// Namespaces of its own for the network and the mounts, and a root file system that is read-only, as `read_only: true` has
/// it. What follows becomes the process.
const ENGINE: &str =
    "ip link set lo up && mount --bind $0 $0 && mount --options remount,bind,ro $0 && exec \"$@\"";

impl Container {
    /// `None` where the test is skipped.
    fn start() -> Option<Self> {
        let mut container = Self::begin(mount_configuration)?;
        container.event("\"message\":\"listening\"");
        Some(container)
    }

    /// Starts the image's command where `mount` has laid out what is mounted.
    fn begin(mount: impl FnOnce(&Path)) -> Option<Self> {
        superuser()?;
        let (unshare, _ip, _nsenter) = (program("unshare")?, program("ip")?, program("nsenter")?);
        let (image, root) = (Image::read(), tempfile::tempdir().unwrap());
        fs::set_permissions(root.path(), fs::Permissions::from_mode(0o755)).unwrap();
        image.unpack(root.path());
        mount(root.path());
        let path = root.path().to_str().unwrap();
        let launcher = [
            unshare.to_str().unwrap(),
            "--net",
            "--mount",
            "sh",
            "-c",
            ENGINE,
            path,
        ];
        let mut command = behind(
            &launcher,
            &image.enter(root.path(), &image.command, &[SECRET]),
        );
        command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        let mut process = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let events = BufReader::new(process.stderr.take().unwrap());
        Some(Self {
            image,
            root,
            process,
            events,
        })
    }

    /// Waits for a line of the log.
    fn event(&mut self, part: &str) {
        let mut said = String::new();
        while !said.lines().last().unwrap_or_default().contains(part) {
            assert_ne!(
                self.events.read_line(&mut said).unwrap(),
                0,
                "`{part}` did not come: {said}"
            );
        }
    }

    /// A program of the machine in the container's network.
    fn beside(&self, words: &[&str]) -> Command {
        let mut command = Command::new("nsenter");
        command
            .args(["--net", "--target"])
            .arg(self.process.id().to_string())
            .args(words);
        command
    }

    /// A program of the image in the container: the exit code and what it said.
    fn exec(&self, words: &[String], variables: &[(&str, &str)]) -> (Option<i32>, String) {
        let target = self.process.id().to_string();
        let launcher = ["/usr/bin/nsenter", "--net", "--mount", "--target", &target];
        let output = behind(
            &launcher,
            &self.image.enter(self.root.path(), words, variables),
        )
        .output()
        .unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8(said).unwrap())
    }

    /// The health check, which gets none of the secrets.
    fn healthcheck(&self) -> (Option<i32>, String) {
        self.exec(&self.image.healthcheck, &[])
    }

    /// The status and the body of an answer.
    fn curl(&self, words: &[&str]) -> (String, String) {
        let output = self
            .beside(&["curl", "-s", "-w", "\n%{http_code}"])
            .args(words)
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let (body, status) = text.rsplit_once('\n').unwrap();
        (status.to_owned(), body.to_owned())
    }

    fn status(&self, key: &str) -> String {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
        line.unwrap()
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// As the volume of docker/compose.yaml does.
fn mount_configuration(root: &Path) {
    let folder = root.join("etc/gatelatch");
    fs::create_dir_all(&folder).unwrap();
    for name in ["gateway.yaml", "users.yaml"] {
        fs::copy(repository().join("docker").join(name), folder.join(name)).unwrap();
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| {
            if path.is_dir() {
                files(&path)
            } else {
                vec![path]
            }
        })
        .collect()
}

#[test]
fn the_image_is_the_binary_and_what_it_cannot_do_without() {
    let image = Image::read();
    assert_eq!(image.base, "scratch");
    assert_eq!(
        image.user, "65532:65532",
        "a number: there is no /etc/passwd to look a name up in"
    );
    assert_eq!(image.stop, "SIGTERM");
    assert_eq!(image.command[..2], ["/gatelatch", "run"]);
    assert_eq!(image.healthcheck, ["/gatelatch", "healthcheck"]);
    for label in ["title", "description", "licenses", "version", "revision"] {
        assert!(
            image
                .labels
                .contains(&format!("org.opencontainers.image.{label}")),
            "{label} in {:?}",
            image.labels
        );
    }
    let root = tempfile::tempdir().unwrap();
    image.unpack(root.path());
    let is_built = image.built.is_some();
    if let (true, Some(readelf)) = (is_built, program("readelf")) {
        let binary = root.path().join("gatelatch");
        let headers = output(Command::new(readelf).arg("--program-headers").arg(binary));
        assert!(!headers.contains("INTERP"), "it is not static: {headers}");
    }
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    for path in files(root.path()) {
        let name = path.strip_prefix(root.path()).unwrap().to_str().unwrap();
        let expected = ["gatelatch", "LICENSE", "etc/ssl/certs/ca-certificates.crt"]
            .contains(&name)
            || name.starts_with("licenses/")
            // the libraries are those of the debug build, which is not static
            || !is_built && name.starts_with("lib");
        assert!(expected, "what is {name} for?");
        assert_eq!(
            mode(&path) & 0o6022,
            0,
            "{name} can be written, or lends its owner's rights"
        );
    }
    assert_eq!(mode(&root.path().join("gatelatch")), 0o755);
}

#[test]
fn the_gateway_runs_in_an_empty_root_as_a_numeric_user() {
    let Some(mut container) = Container::start() else {
        return;
    };
    assert_eq!(container.status("Uid"), "65532 65532 65532 65532");
    assert_eq!(
        (
            container.status("Gid").as_str(),
            container.status("Groups").as_str()
        ),
        ("65532 65532 65532 65532", "")
    );
    assert_eq!(container.status("CapEff"), "0000000000000000");
    assert_eq!(container.healthcheck(), (Some(0), "ready\n".to_owned()));

    // the service of the sidecar: it shares the network and listens on loopback
    let site = tempfile::tempdir().unwrap();
    fs::write(site.path().join("jobs"), "hello from the service").unwrap();
    let mut words = vec![
        "python3",
        "-m",
        "http.server",
        "9000",
        "--bind",
        "127.0.0.1",
        "--directory",
    ];
    words.push(site.path().to_str().unwrap());
    let mut service = container
        .beside(&words)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    until("the service answers", || {
        container.curl(&["http://127.0.0.1:9000/jobs"]).0 == "200"
    });
    let jobs = "http://127.0.0.1:8080/jobs";
    assert_eq!(container.curl(&[jobs]).0, "401");
    let login = [
        "http://127.0.0.1:8080/auth/login",
        "-d",
        "username=alice",
        "-d",
        "password=wonderland",
    ];
    let tokens: serde_json::Value = serde_json::from_str(&container.curl(&login).1).unwrap();
    let bearer = format!(
        "Authorization: Bearer {}",
        tokens["access_token"].as_str().unwrap()
    );
    let answer = container.curl(&[jobs, "-H", &bearer]);
    assert_eq!(
        answer,
        ("200".to_owned(), "hello from the service".to_owned())
    );
    service.kill().unwrap();
    service.wait().unwrap();

    // nothing can be written, and nothing needed to be
    let exec = |words: &[&str]| {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        container.exec(&words, &[SECRET])
    };
    let (code, said) = exec(&["/gatelatch", "hash", "--help"]);
    assert_eq!(code, Some(0), "{said}");
    let (code, said) = exec(&[
        "/gatelatch",
        "key",
        "generate",
        "--algorithm",
        "EdDSA",
        "--out",
        "/token.pem",
    ]);
    assert!(
        code == Some(1) && said.contains("Read-only file system"),
        "{code:?}: {said}"
    );
    assert!(!container.root.path().join("token.pem").exists());

    let stop = container.image.stop.trim_start_matches("SIG").to_owned();
    let sent = Command::new("kill")
        .arg(format!("-{stop}"))
        .arg(container.process.id().to_string())
        .status()
        .unwrap();
    assert!(sent.success());
    container.event("\"message\":\"draining");
    container.event("\"message\":\"ended\"");
    assert_eq!(container.process.wait().unwrap().code(), Some(0));
}

#[test]
fn the_healthcheck_is_red_where_nothing_runs() {
    let Some(mut container) = Container::start() else {
        return;
    };
    container.process.kill().unwrap();
    // its namespaces are gone with it: another network without a gateway
    let root = container.root.path();
    let check = container
        .image
        .enter(root, &container.image.healthcheck, &[SECRET]);
    let output = behind(&["/usr/bin/unshare", "--net"], &check)
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        output.status.code() == Some(1) && said.contains("cannot ask the admin listener"),
        "{said}"
    );
}

/// By the owners and modes that the guide names, and those of files that are somebody else's.
#[test]
fn the_user_of_the_image_must_be_able_to_read_what_is_mounted() {
    for (user, group, of_folder, of_files, starts) in [
        // as a repository has it
        (0, 0, 0o755, 0o644, true),
        // as `init` and `user` write, given to the user, or with its group
        (65532, 65532, 0o700, 0o600, true),
        (0, 65532, 0o750, 0o640, true),
        // as `init` and `user` write
        (0, 0, 0o755, 0o600, false),
        (0, 0, 0o700, 0o644, false),
    ] {
        let mount = |root: &Path| {
            mount_configuration(root);
            let folder = root.join("etc/gatelatch");
            for path in files(&folder).into_iter().chain([folder.clone()]) {
                let mode = if path == folder { of_folder } else { of_files };
                chown(&path, Some(user), Some(group)).unwrap();
                fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            }
        };
        let Some(mut container) = Container::begin(mount) else {
            return;
        };
        if starts {
            container.event("\"message\":\"listening\"");
            continue;
        }
        let mut said = String::new();
        container.events.read_to_string(&mut said).unwrap();
        assert_eq!(container.process.wait().unwrap().code(), Some(1), "{said}");
        assert!(
            said.contains("unreadable-file"),
            "{of_folder:o} {of_files:o}: {said}"
        );
    }
}
