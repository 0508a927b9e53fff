//! Programs that know HTTP Basic and nothing else sign in with it, each in its own way.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::support::{
    Gateway, PASSWORD, Received, Upstream, curl, gateway, output, program, python, until,
};

/// A program that serves, with its port; it ends with the value.
pub struct Server {
    process: Child,
    pub port: u16,
}

impl Server {
    /// Starts it, and reads its port at the end of the first line that `port_in` finds one in.
    pub fn start(command: &mut Command, from_stderr: bool) -> Self {
        let piped = if from_stderr {
            command.stderr(Stdio::piped())
        } else {
            command.stdout(Stdio::piped())
        };
        let mut process = piped.spawn().unwrap();
        let mut lines: Box<dyn BufRead + Send> =
            match (process.stderr.take(), process.stdout.take()) {
                (Some(stderr), _) => Box::new(BufReader::new(stderr)),
                (None, stdout) => Box::new(BufReader::new(stdout.unwrap())),
            };
        let port = loop {
            let mut line = String::new();
            assert!(lines.read_line(&mut line).unwrap() > 0, "it ends early");
            let tail = line
                .trim()
                .trim_end_matches(|last: char| !last.is_numeric());
            let tail = tail.rsplit(|c: char| !c.is_numeric()).next().unwrap();
            if !from_stderr || line.contains("http://127.0.0.1:") {
                break tail.parse().unwrap();
            }
        };
        // what else it prints is read, so that it never waits
        std::thread::spawn(move || std::io::copy(&mut lines, &mut std::io::sink()));
        Self { process, port }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn rclone(kind: &str, folder: &Path) -> Option<Server> {
    let mut command = Command::new(program("rclone")?);
    command
        .args(["serve", kind, "--addr", "127.0.0.1:0"])
        .arg(folder)
        .env("RCLONE_CONFIG", "/dev/null");
    Some(Server::start(&mut command, true))
}

fn start(port: u16) -> Gateway {
    let services = "
  app:
    upstream: http://UPSTREAM
    rules: [ { path: /**, allow: authenticated } ]
";
    gateway(services)
        .auth("credentials: [bearer, cookie, basic]")
        .upstream(([127, 0, 0, 1], port).into())
        .start()
}

/// A URL with the user and the password in it.
fn url(gateway: &Gateway, password: &str, path: &str) -> String {
    let password = password.replace(' ', "%20");
    format!("http://rita:{password}@{}/{path}", gateway.address)
}

/// Whether a program succeeds.
fn runs(command: &mut Command) -> bool {
    let output = command.stdin(Stdio::null()).output().unwrap();
    output.status.success()
}

fn nobody_saw_a_password(received: &[Received]) {
    assert!(!received.is_empty());
    for one in received {
        assert!(one.fields("authorization").is_empty(), "{}", one.head);
        assert_eq!(one.fields("remote-user"), ["rita"]);
    }
}

#[test]
fn git_clones_and_pushes() {
    let (Some(git), Some(python)) = (program("git"), program("python3")) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let git = |arguments: &[&str]| {
        let mut command = Command::new(&git);
        command
            .args(["-c", "user.name=rita", "-c", "user.email=rita@example.com"])
            .args(arguments)
            .current_dir(&folder)
            .env("HOME", folder.path())
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_TERMINAL_PROMPT", "0");
        command
    };
    output(&mut git(&["init", "--quiet", "--bare", "served/a.git"]));
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/apps/git_http.py");
    let mut backend = Command::new(python);
    let backend = Server::start(backend.arg(script).arg(folder.path().join("served")), false);
    let gateway = start(backend.port);
    let served = url(&gateway, PASSWORD, "a.git");
    output(&mut git(&["clone", "--quiet", &served, "mine"]));
    // more than git sends in one piece: the push comes in chunks
    let noise: Vec<u8> = (0..3_000_000_u32)
        .map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8)
        .collect();
    fs::write(folder.path().join("mine/large"), noise).unwrap();
    output(&mut git(&["-C", "mine", "add", "large"]));
    output(&mut git(&[
        "-C", "mine", "commit", "--quiet", "-m", "large",
    ]));
    output(&mut git(&[
        "-C", "mine", "push", "--quiet", "origin", "HEAD",
    ]));
    output(&mut git(&["clone", "--quiet", &served, "again"]));
    assert!(folder.path().join("again/large").exists());
    for wrong in [
        url(&gateway, "wrong", "a.git"),
        format!("http://{}/a.git", gateway.address),
    ] {
        assert!(!runs(&mut git(&["ls-remote", &wrong])), "{wrong}");
    }
}

#[test]
fn curl_and_wget_fetch() {
    let upstream = Upstream::saying("fetched");
    let gateway = start(upstream.address.port());
    let address = format!("http://{}/x", gateway.address);
    let Some(fetched) = curl(&["--user", &format!("rita:{PASSWORD}"), &address]) else {
        return;
    };
    assert_eq!(fetched.status, 200);
    // asks without, and then with the best scheme that the challenges name: a token is none that it has
    let any = curl(&["--anyauth", "--user", &format!("rita:{PASSWORD}"), &address]).unwrap();
    assert_eq!(any.status, 200, "{}", any.text);
    let Some(wget) = program("wget") else { return };
    let said = output(Command::new(wget).args([
        "--quiet",
        "--output-document=-",
        "--user=rita",
        &format!("--password={PASSWORD}"),
        &address,
    ]));
    assert_eq!(said, "fetched");
    nobody_saw_a_password(&upstream.received());
}

#[test]
fn webdav_clients_copy() {
    let served = tempfile::tempdir().unwrap();
    let Some(server) = rclone("webdav", served.path()) else {
        return;
    };
    let gateway = start(server.port);
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("file.txt");
    fs::write(&file, "copied").unwrap();
    let rclone = program("rclone").unwrap();
    let pass = output(Command::new(&rclone).args(["obscure", PASSWORD]));
    let mut copy = Command::new(&rclone);
    copy.args(["copy", "--retries=1", "--config=/dev/null"])
        .arg(&file)
        .arg("gateway:from-rclone")
        .env("RCLONE_CONFIG_GATEWAY_TYPE", "webdav")
        .env(
            "RCLONE_CONFIG_GATEWAY_URL",
            format!("http://{}", gateway.address),
        )
        .env("RCLONE_CONFIG_GATEWAY_USER", "rita")
        .env("RCLONE_CONFIG_GATEWAY_PASS", pass.trim());
    assert!(runs(&mut copy));
    let copied = served.path().join("from-rclone/file.txt");
    assert_eq!(fs::read_to_string(copied).unwrap(), "copied");
    let Some(cadaver) = program("cadaver") else {
        return;
    };
    let login = format!("machine 127.0.0.1\nlogin rita\npassword \"{PASSWORD}\"\n");
    fs::write(home.path().join(".netrc"), login).unwrap();
    let mut cadaver = Command::new(cadaver)
        .arg(format!("http://{}/", gateway.address))
        .env("HOME", home.path())
        .current_dir(&home)
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut typed = cadaver.stdin.take().unwrap();
    typed
        .write_all(b"put file.txt\nmove file.txt moved.txt\nquit\n")
        .unwrap();
    drop(typed);
    assert!(cadaver.wait().unwrap().success());
    let moved = served.path().join("moved.txt");
    assert_eq!(fs::read_to_string(moved).unwrap(), "copied");
}

#[test]
fn restic_backs_up() {
    let served = tempfile::tempdir().unwrap();
    let (Some(restic), Some(server)) = (program("restic"), rclone("restic", served.path())) else {
        return;
    };
    let gateway = start(server.port);
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("file.txt"), "kept").unwrap();
    let run = |password: &str, arguments: &[&str]| {
        let repository = format!("rest:{}", url(&gateway, password, ""));
        runs(
            Command::new(&restic)
                .args(["--no-cache", "--repo", &repository])
                .args(arguments)
                .current_dir(&home)
                .env("HOME", home.path())
                .env("RESTIC_PASSWORD", "of the backup"),
        )
    };
    assert!(run(PASSWORD, &["init"]));
    assert!(run(PASSWORD, &["backup", "file.txt"]));
    assert!(run(PASSWORD, &["check"]));
    assert!(!run("wrong", &["snapshots"]));
}

fn answer_with(body: &[u8], kind: &str) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

#[test]
fn pip_downloads_from_a_private_index() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().unwrap();
    let wheel = folder.path().join("hello-1.0-py3-none-any.whl");
    let make = "import sys, zipfile
with zipfile.ZipFile(sys.argv[1], 'w') as wheel:
    for name, text in [
        ('METADATA', 'Metadata-Version: 2.1\\nName: hello\\nVersion: 1.0\\n'),
        ('WHEEL', 'Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n'),
        ('RECORD', ''),
    ]:
        wheel.writestr('hello-1.0.dist-info/' + name, text)
";
    output(Command::new(&python).args(["-c", make]).arg(&wheel));
    let wheel = fs::read(wheel).unwrap();
    let index = Upstream::new(move |received| {
        let line = received.line().to_owned();
        if line.contains("/files/") {
            return answer_with(&wheel, "application/zip");
        }
        let page = br#"<a href="/files/hello-1.0-py3-none-any.whl">hello-1.0-py3-none-any.whl</a>"#;
        answer_with(page, "text/html")
    });
    let gateway = start(index.address.port());
    let mut pip = Command::new(&python);
    pip.args(["-m", "pip", "download", "--no-deps", "--no-cache-dir"])
        .args([
            "--disable-pip-version-check",
            "--dest",
            "got",
            "--index-url",
        ])
        .arg(url(&gateway, PASSWORD, "simple"))
        .arg("hello")
        .current_dir(&folder);
    assert!(runs(&mut pip));
    assert!(
        folder
            .path()
            .join("got/hello-1.0-py3-none-any.whl")
            .exists()
    );
    nobody_saw_a_password(&index.received());
}

#[test]
fn npm_installs_from_a_private_registry() {
    let Some(npm) = program("npm") else { return };
    let folder = tempfile::tempdir().unwrap();
    let npm = |arguments: &[&str], place: &str| {
        let place = folder.path().join(place);
        fs::create_dir_all(&place).unwrap();
        let mut command = Command::new(&npm);
        command
            .args(arguments)
            .args([
                "--no-audit",
                "--no-fund",
                "--no-update-notifier",
                "--fetch-retries=0",
            ])
            .current_dir(place)
            .env("HOME", folder.path());
        command
    };
    let source = folder.path().join("source");
    fs::create_dir(&source).unwrap();
    fs::write(
        source.join("package.json"),
        r#"{"name":"hello","version":"1.0.0"}"#,
    )
    .unwrap();
    assert!(runs(&mut npm(&["pack"], "source")));
    let package = fs::read(source.join("hello-1.0.0.tgz")).unwrap();
    let registry = Upstream::new(move |received| {
        if received.line().contains(".tgz ") {
            return answer_with(&package, "application/octet-stream");
        }
        let host = received.fields("x-forwarded-host").join("");
        let document = format!(
            r#"{{"name":"hello","dist-tags":{{"latest":"1.0.0"}},"versions":{{"1.0.0":{{"name":"hello","version":"1.0.0","dist":{{"tarball":"http://{host}/hello/-/hello-1.0.0.tgz"}}}}}}}}"#
        );
        answer_with(document.as_bytes(), "application/json")
    });
    let gateway = start(registry.address.port());
    let target = folder.path().join("target");
    fs::create_dir(&target).unwrap();
    fs::write(target.join("package.json"), "{}").unwrap();
    let pair = base64::Engine::encode(
        &base64::engine::general_purpose::STANDARD,
        format!("rita:{PASSWORD}"),
    );
    let address = gateway.address;
    let settings = format!("registry=http://{address}/\n//{address}/:_auth={pair}\n");
    fs::write(target.join(".npmrc"), settings).unwrap();
    assert!(runs(&mut npm(&["install", "hello"], "target")));
    assert!(target.join("node_modules/hello/package.json").exists());
    nobody_saw_a_password(&registry.received());
}

#[test]
fn prometheus_scrapes() {
    let Some(prometheus) = program("prometheus") else {
        return;
    };
    let upstream = Upstream::new(|_| answer_with(b"up_there 1\n", "text/plain; version=0.0.4"));
    let gateway = start(upstream.address.port());
    let folder = tempfile::tempdir().unwrap();
    let settings = format!(
        "global: {{ scrape_interval: 1s }}
scrape_configs:
  - job_name: behind
    basic_auth: {{ username: rita, password: {PASSWORD} }}
    static_configs: [ {{ targets: [\"{}\"] }} ]
",
        gateway.address
    );
    fs::write(folder.path().join("prometheus.yml"), settings).unwrap();
    let running = scraping(&prometheus, &folder);
    until("it scrapes", || upstream.received().len() >= 2);
    drop(running);
    nobody_saw_a_password(&upstream.received());
    let logins = gateway.metric("gatelatch_logins_total{outcome=\"success\"}");
    assert_eq!(logins, 1.0, "one check for all scrapes");
}

fn scraping(prometheus: &Path, folder: &TempDir) -> Server {
    let process = Command::new(prometheus)
        .args(["--config.file=prometheus.yml", "--storage.tsdb.path=data"])
        .arg("--web.listen-address=127.0.0.1:0")
        .current_dir(folder)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    Server { process, port: 0 }
}
