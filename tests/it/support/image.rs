//! The image that `docker/Dockerfile` describes: its root file system, and processes in it. An image that was built lies in the folder
//! that `GATELATCH_TEST_IMAGE` names, from `scripts/image.sh`. Without one, the files are those that the build would put there, and the
//! binary is that of these tests, with the libraries that it is linked to: a static one would be a second build of everything.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::output;

/// What the Dockerfile's last stage says.
#[derive(Debug, Default)]
pub struct Image {
    /// `FROM`.
    pub base: String,
    /// `ENTRYPOINT` and `CMD`.
    pub command: Vec<String>,
    /// The command of `HEALTHCHECK`.
    pub healthcheck: Vec<String>,
    /// `ENV`.
    pub environment: Vec<(String, String)>,
    /// `USER`.
    pub user: String,
    /// `STOPSIGNAL`.
    pub stop: String,
    /// The names of `LABEL`.
    pub labels: Vec<String>,
    /// The files of an image that was built.
    pub built: Option<PathBuf>,
    /// What the build installs: mode, source and place in the image. What `scripts/build-release.sh` makes is in `/dist`.
    installed: Vec<(u32, String, String)>,
}

impl Image {
    /// Reads the configuration of the image that was built, or else the Dockerfile.
    pub fn read() -> Self {
        match std::env::var_os("GATELATCH_TEST_IMAGE") {
            Some(folder) => Self::built(Path::new(&folder)),
            None => Self::described(),
        }
    }

    /// As Docker's format has it (the specification of the image format, version 1.2).
    fn built(folder: &Path) -> Self {
        let text = fs::read_to_string(folder.join("config.json")).unwrap();
        let config: Value = serde_json::from_str(&text).unwrap();
        let words =
            |value: &Value| -> Vec<String> { serde_json::from_value(value.clone()).unwrap() };
        let text = |name: &str| config[name].as_str().unwrap().to_owned();
        let pair = |line: String| {
            let (name, value) = line.split_once('=').unwrap();
            (name.to_owned(), value.to_owned())
        };
        let check = words(&config["Healthcheck"]["Test"]);
        assert_eq!(check[0], "CMD");
        let labels = config["Labels"].as_object().unwrap();
        Self {
            base: "scratch".to_owned(),
            command: [words(&config["Entrypoint"]), words(&config["Cmd"])].concat(),
            healthcheck: check[1..].to_vec(),
            environment: words(&config["Env"]).into_iter().map(pair).collect(),
            user: text("User"),
            stop: text("StopSignal"),
            labels: labels.keys().cloned().collect(),
            built: Some(folder.join("rootfs")),
            installed: Vec::new(),
        }
    }

    fn described() -> Self {
        let text = fs::read_to_string(repository().join("docker/Dockerfile")).unwrap();
        let lines: Vec<&str> = text
            .lines()
            .filter(|line| !line.trim_start().starts_with('#'))
            .collect();
        let whole = lines.join("\n").replace("\\\n", " ");
        let (build, last) = whole.rsplit_once("\nFROM ").unwrap();
        let mut image = Self {
            installed: installed(build),
            ..Self::default()
        };
        let (base, last) = last.split_once('\n').unwrap();
        base.clone_into(&mut image.base);
        let (mut entrypoint, mut arguments) = (Vec::new(), Vec::new());
        for line in last.lines().filter(|line| !line.trim().is_empty()) {
            let (instruction, rest) = line.split_once(' ').unwrap();
            let rest = rest.trim();
            match instruction {
                "ENTRYPOINT" => entrypoint = list(rest),
                "CMD" => arguments = list(rest),
                "HEALTHCHECK" => image.healthcheck = list(rest.split_once("CMD ").unwrap().1),
                "ENV" => {
                    let (name, value) = rest.split_once('=').unwrap();
                    image.environment.push((name.to_owned(), value.to_owned()));
                }
                "USER" => rest.clone_into(&mut image.user),
                "STOPSIGNAL" => rest.clone_into(&mut image.stop),
                "LABEL" => {
                    image.labels = rest
                        .split('=')
                        .filter_map(|part| part.rsplit(' ').next())
                        .map(str::to_owned)
                        .collect()
                }
                "COPY" => assert_eq!(
                    rest, "--from=build /out/ /",
                    "a copy that this reader does not know"
                ),
                "ARG" | "EXPOSE" | "WORKDIR" => {}
                other => panic!("`{other}` is not known to this reader"),
            }
        }
        image.command = entrypoint.into_iter().chain(arguments).collect();
        image
    }

    /// Fills an empty folder with the image's files.
    pub fn unpack(&self, root: &Path) {
        if let Some(built) = &self.built {
            output(
                Command::new("cp")
                    .arg("--archive")
                    .arg(built.join("."))
                    .arg(root),
            );
            return;
        }
        for (mode, source, place) in &self.installed {
            let place = root.join(place.trim_start_matches('/'));
            fs::create_dir_all(place.parent().unwrap()).unwrap();
            if source.ends_with("/gatelatch") {
                let binary = Path::new(env!("CARGO_BIN_EXE_gatelatch"));
                fs::copy(binary, &place).unwrap();
                libraries(binary)
                    .iter()
                    .for_each(|library| copy_into(root, library));
            } else if source.ends_with("/THIRD-PARTY.md") {
                let script = repository().join("scripts/sbom.py");
                output(Command::new(script).arg("--licences").arg(&place));
            } else {
                fs::copy(repository().join(source), &place).unwrap();
            }
            fs::set_permissions(&place, fs::Permissions::from_mode(*mode)).unwrap();
        }
    }

    /// `program` as a container's process: in this root file system, as this user, with this environment and no other.
    /// `more` are further variables.
    pub fn enter(&self, root: &Path, program: &[String], more: &[(&str, &str)]) -> Command {
        let mut command = Command::new("/usr/sbin/chroot");
        command
            .arg(format!("--userspec={}", self.user))
            .arg("--groups=")
            .arg(root)
            .args(program);
        let own = self
            .environment
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()));
        command.env_clear().envs(own).envs(more.iter().copied());
        command
    }
}

/// The same command behind another one.
pub fn behind(launcher: &[impl AsRef<OsStr>], command: &Command) -> Command {
    let mut whole = Command::new(&launcher[0]);
    whole
        .args(&launcher[1..])
        .arg(command.get_program())
        .args(command.get_args())
        .env_clear();
    whole.envs(
        command
            .get_envs()
            .filter_map(|(name, value)| Some((name, value?))),
    );
    whole
}

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A list in the JSON form, which needs no shell.
fn list(text: &str) -> Vec<String> {
    serde_json::from_str(text).unwrap_or_else(|_| panic!("`{text}` needs a shell"))
}

/// What the `install` commands of the build put below `/out`.
fn installed(build: &str) -> Vec<(u32, String, String)> {
    let mut found = Vec::new();
    for command in build.split("&& install -D -m ").skip(1) {
        let words: Vec<&str> = command
            .split_whitespace()
            .map(|word| word.trim_matches('"'))
            .collect();
        let mode = u32::from_str_radix(words[0], 8).unwrap();
        let (folder, sources) = match &words[1..] {
            ["-t", folder, sources @ ..] => (Some(*folder), sources.to_vec()),
            [source, place] => {
                found.push((
                    mode,
                    (*source).to_owned(),
                    place.trim_start_matches("/out").to_owned(),
                ));
                continue;
            }
            other => panic!("{other:?}"),
        };
        for source in sources.iter().flat_map(|source| matching(source)) {
            let place = format!("{}/{}", folder.unwrap(), source.rsplit('/').next().unwrap());
            found.push((mode, source, place.trim_start_matches("/out").to_owned()));
        }
    }
    found
}

/// The files of the repository that a pattern with one `*` at its end stands for.
fn matching(pattern: &str) -> Vec<String> {
    let Some(start) = pattern.strip_suffix('*') else {
        return vec![pattern.to_owned()];
    };
    let folder = Path::new(start).parent().unwrap();
    let entries = fs::read_dir(repository().join(folder)).unwrap();
    let names = entries.map(|entry| {
        folder
            .join(entry.unwrap().file_name())
            .to_str()
            .unwrap()
            .to_owned()
    });
    let found: Vec<String> = names.filter(|name| name.starts_with(start)).collect();
    assert!(!found.is_empty(), "`{pattern}` stands for nothing");
    found
}

/// What the dynamic linker loads for a program: nothing for a static one.
fn libraries(binary: &Path) -> Vec<PathBuf> {
    let listed = Command::new("ldd").arg(binary).output().unwrap();
    let text = String::from_utf8(listed.stdout).unwrap();
    text.split_whitespace()
        .filter(|word| word.starts_with('/'))
        .map(PathBuf::from)
        .collect()
}

fn copy_into(root: &Path, path: &Path) {
    let place = root.join(path.strip_prefix("/").unwrap());
    fs::create_dir_all(place.parent().unwrap()).unwrap();
    fs::copy(path, place).unwrap();
}
