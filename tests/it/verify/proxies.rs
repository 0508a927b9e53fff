//! nginx and HAProxy with the configurations that are handed out.

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::trusting;
use crate::support::{
    Gateway, NAVIGATION, PASSWORD, Received, Upstream, cookie_of, get, program, send, submit, until,
};

/// A running proxy; it is killed when it is dropped.
struct Proxy {
    address: SocketAddr,
    process: Child,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Starts a proxy on a port that was free a moment ago; it takes none that it would have to tell.
fn start(command: impl FnOnce(SocketAddr) -> Command) -> Proxy {
    let address = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let process = command(address)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    until("the proxy listens", || TcpStream::connect(address).is_ok());
    Proxy { address, process }
}

/// A configuration that is handed out, with the addresses of the test.
fn handed_out(name: &str, listen: (&str, String), gateway: &Gateway, app: SocketAddr) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("config/forward-auth")
        .join(name);
    let text = fs::read_to_string(path).unwrap();
    let replace = |text: String, from: &str, to: &str| {
        assert!(text.contains(from), "`{from}` is not in {name}");
        text.replace(from, to)
    };
    let text = replace(text, listen.0, &listen.1);
    let text = replace(text, "127.0.0.1:8080", &gateway.address.to_string());
    replace(text, "127.0.0.1:9000", &app.to_string())
}

fn nginx(gateway: &Gateway, app: SocketAddr) -> Option<Proxy> {
    let binary = program("nginx")?;
    Some(start(|address| {
        let folder = gateway.path("nginx");
        fs::create_dir(&folder).unwrap();
        let handed_out = handed_out(
            "nginx.conf",
            ("listen 80;", format!("listen {address};")),
            gateway,
            app,
        );
        let config = format!(
            "daemon off; master_process off; pid nginx.pid; error_log error.log; events {{}}
             http {{ access_log off; client_body_temp_path a; proxy_temp_path b; fastcgi_temp_path c; uwsgi_temp_path d;
             scgi_temp_path e; {handed_out} }}"
        );
        fs::write(folder.join("nginx.conf"), config).unwrap();
        let mut command = Command::new(binary);
        command
            .arg("-p")
            .arg(&folder)
            .args(["-c", "nginx.conf", "-e", "error.log"]);
        command
    }))
}

fn haproxy(gateway: &Gateway, app: SocketAddr) -> Option<Proxy> {
    let binary = program("haproxy")?;
    Some(start(|address| {
        let folder = gateway.path("haproxy");
        fs::create_dir(&folder).unwrap();
        let lua = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/forward-auth/gatelatch.lua");
        let lua = format!("lua-load {}", lua.display());
        let config = handed_out(
            "haproxy.cfg",
            ("bind :80", format!("bind {address}")),
            gateway,
            app,
        );
        fs::write(
            folder.join("haproxy.cfg"),
            config.replace("lua-load gatelatch.lua", &lua),
        )
        .unwrap();
        let mut command = Command::new(binary);
        command
            .args(["-db", "-q", "-f"])
            .arg(folder.join("haproxy.cfg"));
        command
    }))
}

fn post(proxy: &Proxy, fields: &str) -> u16 {
    let head = "POST /jobs HTTP/1.1\r\nHost: app.test\r\nContent-Length: 2\r\n";
    send(proxy.address, format!("{head}{fields}\r\n{{}}")).status
}

fn told(request: &Received) -> (Vec<&str>, Vec<&str>, Vec<&str>) {
    (
        request.fields("remote-user"),
        request.fields("authorization"),
        request.fields("cookie"),
    )
}

/// Programs, people and liars, through a proxy that asks.
fn converse(proxy: &Proxy, gateway: &Gateway, app: &Upstream) {
    let get = |path: &str, fields: &str| {
        send(
            proxy.address,
            format!("GET {path} HTTP/1.1\r\nHost: app.test\r\n{fields}\r\n"),
        )
    };
    assert_eq!(get("/public/x", "Remote-User: admin\r\n").status, 200);
    assert_eq!(told(&app.received()[0]), (vec![], vec![], vec![]));
    let nobody = get("/jobs", "");
    assert_eq!(nobody.status, 401);
    assert!(
        nobody
            .header("www-authenticate")
            .starts_with("Bearer realm=\"gatelatch\""),
        "{nobody:?}"
    );
    assert_eq!(get("/nowhere", &gateway.bearer("rita")).status, 403);
    assert_eq!(post(proxy, &gateway.bearer("carl")), 403);
    assert_eq!(post(proxy, &gateway.bearer("rita")), 200);
    let received = app.received();
    assert_eq!(
        told(received.last().unwrap()),
        (vec!["rita"], vec![], vec![])
    );
    assert_eq!(received.last().unwrap().body, "{}");
    assert_eq!(
        get("/auth/verify", "X-Forwarded-Uri: /public/x\r\n").status,
        404
    );
    assert!(get("/public/../jobs", "").status >= 400);

    let page = get("/jobs?a=1", NAVIGATION);
    assert_eq!(
        (page.status, page.header("location")),
        (303, "http://app.test/auth/login?next=/jobs%3Fa%3D1")
    );
    let form = format!(
        "username=rita&password={}&next=/jobs",
        PASSWORD.replace(' ', "+")
    );
    let fields = "Sec-Fetch-Site: same-origin\r\n";
    let signed_in = submit(proxy.address, "/auth/login", &form, fields);
    assert_eq!(
        (signed_in.status, signed_in.header("location")),
        (303, "/jobs"),
        "{signed_in:?}"
    );
    let session = cookie_of(&signed_in, "gatelatch");
    let listed = get(
        "/jobs",
        &format!("{NAVIGATION}Cookie: a=1; {session}; b=2\r\n"),
    );
    assert_eq!(listed.status, 200, "{listed:?}");
    let received = app.received();
    assert_eq!(
        told(received.last().unwrap()),
        (vec!["rita"], vec![], vec!["a=1; b=2"])
    );
    assert_eq!(
        post(
            proxy,
            &format!("Cookie: {session}\r\nOrigin: http://evil.test\r\n")
        ),
        403
    );
    assert_eq!(
        post(
            proxy,
            &format!("Cookie: {session}\r\nOrigin: http://app.test\r\n")
        ),
        200
    );
}

#[test]
fn nginx_asks() {
    let (gateway, app) = (trusting(), Upstream::saying("jobs"));
    let Some(proxy) = nginx(&gateway, app.address) else {
        return;
    };
    converse(&proxy, &gateway, &app);
}

#[test]
fn haproxy_asks() {
    let (gateway, app) = (trusting(), Upstream::saying("jobs"));
    let Some(proxy) = haproxy(&gateway, app.address) else {
        return;
    };
    converse(&proxy, &gateway, &app);
    assert_eq!(
        get(proxy.address, "/jobs", "").status,
        403,
        "another host is of no service"
    );
}
