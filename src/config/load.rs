//! One load: both files in, a configuration or every problem out.

use std::collections::BTreeMap;
use std::io;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::thread;

use secrecy::SecretSlice;

use super::cases::{self, TestReport};
use super::code::Code;
use super::excerpt::{Source, excerpt, seal};
use super::files::{Files, beside, denial, reason};
use super::finding::{Finding, Findings};
use super::lint;
use super::lower::{self, Defaults, Draft, Finished, UserList, UsersFile, UsersRead};
use super::problem::{Problem, Problems, Severity};
use super::reader::Reader;
use super::secrecy::secrets_of;
use super::settings::Config;
use super::shown::{REDACTED, may_be_secret};
use super::span::{File, Span, narrow};
use super::variables::{Dotenv, Variables, read_dotenv};
use super::yaml::{self, Node};

/// What a load needs from outside. The environment holds secrets, so this cannot be printed.
pub struct LoadRequest {
    /// Where `gateway.yaml` is, as given by the operator.
    pub path: PathBuf,
    /// The environment, for `${VAR}`.
    pub environment: BTreeMap<String, String>,
    /// At least 32 random bytes, which sign tokens where no `auth.token.secret` is configured. One process uses the
    /// same at every load, so that a reload ends no token.
    pub fallback_secret: SecretSlice<u8>,
    /// How many workers `workers: auto` means.
    pub cores: usize,
}

/// A configuration that can be used.
#[derive(Debug)]
pub struct Loaded {
    /// What it says.
    pub config: Config,
    /// What is worth a second look.
    pub warnings: Vec<Problem>,
    /// Every file that was read, for the reload to watch.
    pub files: Vec<PathBuf>,
    /// Over the names and contents of those files; equal digests need no reload.
    pub digest: [u8; 32],
    /// How many `tests` it has.
    pub tests: usize,
}

/// A configuration that can be used but for its tests, and what became of those.
#[derive(Debug)]
pub struct Rehearsal {
    /// The configuration.
    pub loaded: Loaded,
    /// What became of each test.
    pub report: TestReport,
    /// One problem for each test that does not hold.
    pub failures: Vec<Problem>,
}

/// Reads the configuration, the users file, `.env` and all `_file` secrets, and runs the `tests`.
///
/// # Errors
/// Every problem of all files at once, tests that do not hold among them; the warnings are among them.
pub fn load(request: &LoadRequest) -> Result<Loaded, Problems> {
    read_all(request, None, Purpose::Use).map(|rehearsal| rehearsal.loaded)
}

/// Like [`load`], and looks at who can read the files as well: a lint for the machine that they are on.
///
/// # Errors
/// As of [`load`].
pub fn examine(request: &LoadRequest) -> Result<Loaded, Problems> {
    read_all(request, None, Purpose::Examination).map(|rehearsal| rehearsal.loaded)
}

/// Like [`load`], but tests that do not hold are no errors. With `tests`, those of that file are run instead.
///
/// # Errors
/// Every problem of all files at once; the warnings are among them.
pub fn rehearse(request: &LoadRequest, tests: Option<&Path>) -> Result<Rehearsal, Problems> {
    read_all(request, tests, Purpose::Rehearsal)
}

/// What a load is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Use,
    /// Who can read the files is looked at as well.
    Examination,
    /// A test that does not hold is reported, and no problem.
    Rehearsal,
}

/// On a thread of its own: the allocator takes back what a thread has freed when the thread ends, and reading a long
/// user list frees much.
fn read_all(
    request: &LoadRequest,
    tests: Option<&Path>,
    purpose: Purpose,
) -> Result<Rehearsal, Problems> {
    let read = || read_here(request, tests, purpose);
    thread::scope(|scope| {
        match thread::Builder::new()
            .name("load".to_owned())
            .spawn_scoped(scope, read)
        {
            Ok(reading) => reading.join().unwrap_or_else(|panic| resume_unwind(panic)),
            Err(_) => read(),
        }
    })
}

/// Opens the configuration and its `.env`: its tree, where it is one, and the reader for it.
pub(super) fn begin<'a>(
    request: &'a LoadRequest,
    sources: &mut Vec<Source>,
) -> (Option<Node>, Reader<'a>) {
    let (mut files, mut findings) = (Files::default(), Findings::default());
    let variables = dotenv(request, &mut files, &mut findings, sources);
    let collected = (&mut files, &mut findings);
    let root = open(File::Config, &request.path, None, collected, sources);
    let reader = Reader::new(variables, findings, files, &request.path);
    (root, reader)
}

fn read_here(
    request: &LoadRequest,
    tests: Option<&Path>,
    purpose: Purpose,
) -> Result<Rehearsal, Problems> {
    let mut sources = Vec::new();
    let (root, mut reader) = begin(request, &mut sources);
    let draft = root.map(|root| {
        let defaults = Defaults {
            fallback_secret: &request.fallback_secret,
            cores: request.cores,
        };
        let mut draft = lower::config(root, &defaults, &mut reader);
        let users = users(&draft, &request.path, &mut reader, &mut sources);
        if let Some(path) = tests {
            let (files, findings) = reader.enter_tests(path);
            let root = open(File::Tests, path, None, (files, findings), &mut sources);
            let cases = root.map(|root| lower::case_file(root, &draft.roles_claim, &mut reader));
            draft.cases = cases.unwrap_or_default();
        }
        (draft, users)
    });
    finish(draft, reader, &sources, purpose)
}

fn finish(
    draft: Option<(Draft, UserList)>,
    reader: Reader<'_>,
    sources: &[Source],
    purpose: Purpose,
) -> Result<Rehearsal, Problems> {
    let (mut findings, files) = reader.finish();
    // Tests of half a configuration would fail for reasons of their own.
    let draft = draft.filter(|_| !findings.has_errors());
    let finished =
        draft.and_then(|(draft, users)| Some((draft.finish(users.directory)?, users.places)));
    let (mut report, mut failures) = (TestReport::default(), Vec::new());
    if let Some((finished, users)) = &finished {
        lints(finished, users).for_each(|finding| findings.push(finding));
        (report, failures) = cases::run(&finished.cases, &finished.config, &finished.places);
        if purpose != Purpose::Rehearsal {
            failures
                .drain(..)
                .for_each(|failure| findings.push(failure));
        }
    }
    if purpose == Purpose::Examination {
        lint::world_readable(sources)
            .into_iter()
            .for_each(|finding| findings.push(finding));
    }
    let usable = finished.filter(|_| !findings.has_errors());
    let problems = seal(findings.into_sorted(), sources);
    let (files, digest) = files.finish();
    match usable {
        Some((Finished { config, .. }, _)) => {
            let tests = report.results.len();
            let loaded = Loaded {
                config,
                warnings: problems,
                files,
                digest,
                tests,
            };
            Ok(Rehearsal {
                loaded,
                report,
                failures: seal(failures, sources),
            })
        }
        None => Err(Problems::new(problems, files)),
    }
}

/// Adds the line of `gateway.yaml` that a problem names, as it is in the file now: for what is found out after a load.
pub fn with_line(mut problem: Problem) -> Problem {
    let Some(place) = &mut problem.place else {
        return problem;
    };
    let (mut files, mut findings) = (Files::default(), Findings::default());
    let mut sources = Vec::new();
    let collected = (&mut files, &mut findings);
    open(File::Config, &place.file, None, collected, &mut sources);
    let span = Span::at(File::Config, narrow(place.line), narrow(place.column));
    place.excerpt = sources.first().and_then(|source| excerpt(source, span));
    problem
}

/// What is worth a second look in a configuration as a whole.
fn lints(finished: &Finished, users: &[Span]) -> impl Iterator<Item = Finding> {
    let Finished {
        config,
        places,
        provider_places,
        sign_in_places,
        ..
    } = finished;
    let people = lint::people(config, places, users).into_iter();
    let mounts = lint::mounts(&config.services, places, &config.auth.own_paths());
    let providers = lint::providers(config, provider_places);
    let sign_ins = lint::sign_ins(config, places, sign_in_places);
    people.chain(mounts).chain(providers).chain(sign_ins)
}

pub(super) fn dotenv<'a>(
    request: &'a LoadRequest,
    files: &mut Files,
    findings: &mut Findings,
    sources: &mut Vec<Source>,
) -> Variables<'a> {
    let path = beside(&request.path, ".env");
    // one that may not be looked for counts as there
    let there = path.try_exists().unwrap_or(true);
    let text = there.then(|| read(File::Environment, &path, None, (files, findings)));
    let text = text.flatten();
    let dotenv = Dotenv {
        unreadable: there && text.is_none(),
        values: text.as_deref().map(|text| read_dotenv(text, findings)),
        path: path.clone(),
    };
    sources.push(Source {
        file: File::Environment,
        path,
        text: text.unwrap_or_default(),
        secrets: None,
    });
    Variables::new(&request.environment, dotenv)
}

/// The users file: the one that is named, else `users.yaml` beside the configuration, else nobody.
fn users(
    draft: &Draft,
    config: &Path,
    reader: &mut Reader<'_>,
    sources: &mut Vec<Source>,
) -> UserList {
    let path = match &draft.users_file {
        UsersFile::Named(path, _) => path.clone(),
        UsersFile::Broken => return UserList::default(),
        UsersFile::Default => beside(config, "users.yaml"),
    };
    if matches!(draft.users_file, UsersFile::Default) && !path.exists() {
        if draft.has_providers() || draft.has_directory() {
            return UserList::default();
        }
        let message = format!("there is no `{}`: nobody can log in", path.display());
        let finding = Finding::nowhere(Code::NoUsers, Severity::Warning, message);
        reader.report(
            finding.help("`gatelatch user add NAME` makes one; or name yours in `auth.users_file`"),
        );
        return UserList::default();
    }
    let named = match &draft.users_file {
        UsersFile::Named(_, span) => Some(*span),
        UsersFile::Default | UsersFile::Broken => None,
    };
    let (files, findings) = reader.enter_users(&path);
    let Some(text) = read(File::Users, &path, named, (files, findings)) else {
        return UserList::default();
    };
    let UsersRead { list, secrets } = lower::users(&text, &draft.roles_claim, reader);
    sources.push(Source {
        file: File::Users,
        path,
        text,
        secrets,
    });
    list.unwrap_or_default()
}

fn open(
    file: File,
    path: &Path,
    named: Option<Span>,
    (files, findings): (&mut Files, &mut Findings),
    sources: &mut Vec<Source>,
) -> Option<Node> {
    let text = read(file, path, named, (files, findings))?;
    let tree = yaml::read(&text, file, findings);
    let secrets = tree.as_ref().map(secrets_of);
    sources.push(Source {
        file,
        path: path.to_owned(),
        text,
        secrets,
    });
    tree.map(|tree| tree.root)
}

/// `named` is the place that names the file, where one does.
fn read(
    file: File,
    path: &Path,
    named: Option<Span>,
    (files, findings): (&mut Files, &mut Findings),
) -> Option<String> {
    let error = match files.read_text(path) {
        Ok(text) => return Some(text),
        Err(error) => error,
    };
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let secret = named.is_some() && may_be_secret(&name) && !path.exists();
    let shown = if secret {
        REDACTED.to_owned()
    } else {
        path.display().to_string()
    };
    let message = format!("cannot read `{shown}`: {}", reason(&error));
    let help = match file {
        _ if error.kind() == io::ErrorKind::PermissionDenied => &*denial(path),
        File::Config => "name it with `--config FILE`, or make one with `gatelatch init`",
        File::Users => "`auth.users_file` is relative to the configuration",
        File::Environment => "make it readable, or take it away",
        File::Tests => "name a file that holds a list of tests, or a map with `tests`",
    };
    findings.push(match named {
        Some(span) => Finding::error(Code::UnreadableFile, span, message).help(help),
        None => Finding::nowhere(Code::UnreadableFile, Severity::Error, message).help(help),
    });
    None
}
