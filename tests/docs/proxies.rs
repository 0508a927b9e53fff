//! The configurations of other proxies, read by these proxies themselves.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::programs::program;
use super::read;

/// Runs a program's own check; its answer where it refuses.
fn refusal(command: &mut Command) -> Option<String> {
    let output = command.output().unwrap();
    let said =
        [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    (!output.status.success()).then(|| said.concat())
}

fn nginx(folder: &Path, text: &str) -> Option<String> {
    let binary = program("nginx")?;
    let whole = format!(
        "pid nginx.pid; error_log error.log; events {{}}\nhttp {{ access_log off; client_body_temp_path a; proxy_temp_path b; fastcgi_temp_path c; uwsgi_temp_path d; scgi_temp_path e;\n{text} }}"
    );
    fs::write(
        folder.join("nginx.conf"),
        whole.replace("listen 80;", "listen 127.0.0.1:8;"),
    )
    .unwrap();
    refusal(Command::new(binary).arg("-t").arg("-p").arg(folder).args([
        "-c",
        "nginx.conf",
        "-e",
        "error.log",
    ]))
}

fn haproxy(folder: &Path, text: &str) -> Option<String> {
    let binary = program("haproxy")?;
    fs::write(folder.join("haproxy.cfg"), text).unwrap();
    fs::write(
        folder.join("gatelatch.lua"),
        read("config/forward-auth/gatelatch.lua"),
    )
    .unwrap();
    refusal(
        Command::new(binary)
            .args(["-c", "-f", "haproxy.cfg"])
            .current_dir(folder),
    )
}

fn caddy(folder: &Path, text: &str) -> Option<String> {
    let binary = program("caddy")?;
    fs::write(folder.join("Caddyfile"), text).unwrap();
    refusal(
        Command::new(binary)
            .args(["adapt", "--config", "Caddyfile"])
            .env("HOME", folder)
            .current_dir(folder),
    )
}

#[test]
fn the_proxies_read_what_is_shown() {
    let folder = tempfile::tempdir().unwrap();
    let mut seen = Vec::new();
    for page in super::pages::pages() {
        for block in page.blocks().iter().filter(|block| block.not_run.is_none()) {
            let refusal = match block.language.as_str() {
                "nginx" => nginx(folder.path(), &block.text),
                "haproxy" => haproxy(folder.path(), &block.text),
                "caddyfile" => caddy(folder.path(), &block.text),
                _ => continue,
            };
            assert!(
                refusal.is_none(),
                "{}: {}",
                block.place,
                refusal.unwrap_or_default()
            );
            seen.push(block.language.clone());
        }
    }
    for language in ["nginx", "haproxy", "caddyfile"] {
        assert!(
            seen.iter().any(|name| name == language),
            "no page shows {language}"
        );
    }
}
