//! Where a key is written, and where the next one goes: the same place under the next number.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustix::fs::{Access, access};
use zeroize::Zeroizing;

use crate::ambient;
use crate::config::edit::WrittenKey;
use crate::token::{self, Algorithm, public_key_text};

/// A name with a number: `token.pem` is the first, `token-2.pem` the second.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Spelling {
    stem: String,
    separator: char,
    number: u32,
    suffix: String,
}

/// Where a key is written.
#[derive(Clone, Debug)]
pub(super) struct KeyPlace {
    kind: Kind,
    name: Spelling,
    /// Of the configuration.
    folder: PathBuf,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    /// A variable, in `.env` where it can be changed.
    Variable,
    SecretFile,
    PrivateKeyFile,
    /// A secret in the configuration itself.
    Inline(String),
    /// A text with variables in it.
    Composed(String),
}

/// How many names are tried for the next key.
const NAMES: usize = 100;

/// The variable of a secret that has none.
const VARIABLE: &str = "GATELATCH_SECRET";

impl Spelling {
    /// `suffix` is what stands behind the number.
    pub(super) fn parse(text: &str, separator: char, suffix: &str) -> Self {
        let body = text.strip_suffix(suffix).unwrap_or(text);
        let numbered = body.rsplit_once(separator).and_then(|(stem, number)| {
            let number = number.parse().ok().filter(|number| *number > 1)?;
            Some((stem, number))
        });
        let (stem, number) = numbered.unwrap_or((body, 1));
        Self {
            stem: stem.to_owned(),
            separator,
            number,
            suffix: suffix.to_owned(),
        }
    }

    fn of_file(text: &str) -> Self {
        let name = text.rsplit('/').next().unwrap_or(text);
        let suffix = name.rfind('.').filter(|at| *at > 0);
        Self::parse(text, '-', suffix.map_or("", |at| &name[at..]))
    }

    pub(super) fn next(&self) -> Self {
        Self {
            number: self.number.saturating_add(1),
            ..self.clone()
        }
    }
}

impl fmt::Display for Spelling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.stem)?;
        if self.number > 1 {
            write!(f, "{}{}", self.separator, self.number)?;
        }
        f.write_str(&self.suffix)
    }
}

impl KeyPlace {
    /// The place of the key that signs in the configuration at `config`.
    pub(super) fn of(key: &WrittenKey, config: &Path) -> Self {
        let variable = key.value.strip_prefix("${");
        let variable = variable.and_then(|rest| rest.strip_suffix('}'));
        let is_name = |name: &&str| !name.contains([':', '$', '{']);
        let (kind, name) = match (key.name, variable.filter(is_name)) {
            ("secret", Some(name)) => (Kind::Variable, Spelling::parse(name, '_', "")),
            _ if key.value.contains("${") => (
                Kind::Composed(key.value.clone()),
                Spelling::parse(VARIABLE, '_', ""),
            ),
            ("secret_file", _) => (Kind::SecretFile, Spelling::of_file(&key.value)),
            ("private_key_file", _) => (Kind::PrivateKeyFile, Spelling::of_file(&key.value)),
            _ => (
                Kind::Inline(key.value.clone()),
                Spelling::parse(VARIABLE, '_', ""),
            ),
        };
        let folder = config.parent().unwrap_or(Path::new("")).to_owned();
        Self { kind, name, folder }
    }

    /// Where the next key may go, in order.
    pub(super) fn successors(&self) -> impl Iterator<Item = Self> {
        let next = |place: &Self| Some(place.next());
        std::iter::successors(Some(self.next()), next).take(NAMES)
    }

    /// Whether the name is not in use. What the environment of a gateway holds cannot be seen from here.
    pub(super) fn is_free(&self) -> bool {
        match self.kind {
            Kind::SecretFile => !self.file().exists(),
            Kind::PrivateKeyFile => {
                !self.file().exists() && !self.folder.join(self.public_name()).exists()
            }
            Kind::Variable | Kind::Inline(_) | Kind::Composed(_) => {
                !self.is_in_dotenv() && !self.is_set()
            }
        }
    }

    fn next(&self) -> Self {
        let kind = match &self.kind {
            Kind::Inline(_) | Kind::Composed(_) => Kind::Variable,
            same @ (Kind::Variable | Kind::SecretFile | Kind::PrivateKeyFile) => same.clone(),
        };
        Self {
            kind,
            name: self.name.next(),
            folder: self.folder.clone(),
        }
    }

    /// As `auth.token` names it.
    pub(super) fn signing(&self) -> WrittenKey {
        let name = match self.kind {
            Kind::SecretFile => "secret_file",
            Kind::PrivateKeyFile => "private_key_file",
            Kind::Variable | Kind::Inline(_) | Kind::Composed(_) => "secret",
        };
        let value = match &self.kind {
            Kind::Variable => format!("${{{}}}", self.name),
            Kind::SecretFile | Kind::PrivateKeyFile => self.name.to_string(),
            Kind::Inline(value) | Kind::Composed(value) => value.clone(),
        };
        let kid = None;
        WrittenKey { name, value, kid }
    }

    /// As an entry of `previous` names it.
    pub(super) fn verifying(&self) -> WrittenKey {
        match self.kind {
            Kind::PrivateKeyFile => WrittenKey {
                name: "public_key_file",
                value: self.public_name(),
                kid: None,
            },
            Kind::Variable | Kind::SecretFile | Kind::Inline(_) | Kind::Composed(_) => {
                self.signing()
            }
        }
    }

    fn public_name(&self) -> String {
        let suffix = format!(".pub{}", self.name.suffix);
        let name = self.name.clone();
        Spelling { suffix, ..name }.to_string()
    }

    fn is_set(&self) -> bool {
        std::env::var_os(self.name.to_string()).is_some()
    }

    /// Whether the key comes from where this command does not write.
    pub(super) fn is_external(&self) -> bool {
        match &self.kind {
            Kind::Variable => self.is_set() || !self.is_in_dotenv(),
            Kind::Composed(_) => true,
            Kind::Inline(_) | Kind::SecretFile | Kind::PrivateKeyFile => false,
        }
    }

    /// Why the key after this one cannot be written at `next`, if it cannot.
    pub(super) fn hindrance(&self, next: &Self) -> Option<String> {
        if self.is_external() || (next.kind == Kind::Variable && next.is_set()) {
            return Some("the secret comes from the environment".to_owned());
        }
        let beside = |file: PathBuf| file.parent().map(Path::to_owned).unwrap_or_default();
        let folders = [self.folder.clone(), beside(next.file())];
        folders.into_iter().find_map(|folder| {
            let folder = if folder.as_os_str().is_empty() {
                ".".into()
            } else {
                folder
            };
            let refused = access(&folder, Access::WRITE_OK).err()?;
            Some(format!(
                "`{}` cannot be written to ({refused})",
                folder.display()
            ))
        })
    }

    /// The file that holds it.
    fn file(&self) -> PathBuf {
        match self.kind {
            Kind::SecretFile | Kind::PrivateKeyFile => self.folder.join(self.name.to_string()),
            Kind::Variable | Kind::Inline(_) | Kind::Composed(_) => self.folder.join(".env"),
        }
    }

    /// A file whose owner and mode a new one gets.
    pub(super) fn model(&self) -> PathBuf {
        self.file()
    }

    /// The files of a new key, with their texts.
    pub(super) fn material(&self, algorithm: Algorithm) -> anyhow::Result<Vec<NewFile>> {
        let file = self.file();
        match self.kind {
            Kind::SecretFile => Ok(vec![(file, secret())]),
            Kind::PrivateKeyFile => {
                let made = token::generate(algorithm).context("the system cannot make a key")?;
                let public = self.public_file(algorithm, &made)?;
                Ok([(file, made)].into_iter().chain(public).collect())
            }
            Kind::Variable | Kind::Inline(_) | Kind::Composed(_) => Ok(Vec::new()),
        }
    }

    /// The file of the public half, where that is missing.
    pub(super) fn public_half(&self, algorithm: Algorithm) -> anyhow::Result<Option<NewFile>> {
        match self.kind {
            Kind::PrivateKeyFile => self.public_file(algorithm, &read(&self.file())?),
            Kind::Variable | Kind::SecretFile | Kind::Inline(_) | Kind::Composed(_) => Ok(None),
        }
    }

    fn public_file(&self, algorithm: Algorithm, private: &str) -> anyhow::Result<Option<NewFile>> {
        let file = self.folder.join(self.public_name());
        let text = Zeroizing::new(public_key_text(algorithm, private)?);
        Ok((!file.exists()).then_some((file, text)))
    }

    /// `.env` as it is, and with a new secret in this variable; `None` where that is not its place.
    pub(super) fn variable_line(&self) -> anyhow::Result<Option<DotenvChange>> {
        if self.kind != Kind::Variable {
            return Ok(None);
        }
        let file = self.file();
        let file = file.canonicalize().unwrap_or(std::path::absolute(&file)?);
        let before = if file.exists() {
            Some(read(&file)?)
        } else {
            None
        };
        let mut after = before.clone().unwrap_or_default();
        if !after.is_empty() && !after.ends_with('\n') {
            after.push('\n');
        }
        after.push_str(&format!("{}={}", self.name, *secret()));
        Ok(Some((file, before, after)))
    }

    fn is_in_dotenv(&self) -> bool {
        let text = read(&self.folder.join(".env")).unwrap_or_default();
        let name = self.name.to_string();
        text.lines().any(|line| {
            let line = line.trim_start();
            let line = line.strip_prefix("export ").unwrap_or(line);
            line.split_once('=')
                .is_some_and(|(before, _)| before.trim() == name)
        })
    }

    /// What somebody does by hand to have it.
    pub(super) fn how_to_make(&self, algorithm: Algorithm) -> String {
        let file = self.file();
        let file = file.display();
        match self.kind {
            Kind::SecretFile => format!("gatelatch key generate --secret --out {file}"),
            Kind::PrivateKeyFile => format!(
                "gatelatch key generate --algorithm {} --out {file}\n   openssl pkey -in {file} -pubout -out {}",
                algorithm.name(),
                self.folder.join(self.public_name()).display()
            ),
            Kind::Variable | Kind::Inline(_) | Kind::Composed(_) => format!(
                "give `{}` a new secret, from `gatelatch key generate --secret`, where the present one comes from: in `.env`, or in \
                 the environment of every gateway, and start them again",
                self.name
            ),
        }
    }
}

/// A file that is not there yet, and its text.
type NewFile = (PathBuf, Zeroizing<String>);

/// The file, its text, if it is there, and the text that it gets.
type DotenvChange = (PathBuf, Option<Zeroizing<String>>, Zeroizing<String>);

/// 384 random bits in base64, which are the 64 bytes that HS512 asks for.
fn secret() -> Zeroizing<String> {
    Zeroizing::new(STANDARD.encode(ambient::random_bytes::<48>()) + "\n")
}

fn read(file: &Path) -> anyhow::Result<Zeroizing<String>> {
    let text = fs::read_to_string(file);
    text.map(Zeroizing::new)
        .with_context(|| format!("cannot read `{}`", file.display()))
}

impl fmt::Display for KeyPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.name.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_name_is_the_same_with_the_next_number() {
        for (name, next) in [
            ("token.pem", "token-2.pem"),
            ("token-2.pem", "token-3.pem"),
            ("secrets/token", "secrets/token-2"),
            ("a.b/token-x.key", "a.b/token-x-2.key"),
            (".token", ".token-2"),
        ] {
            assert_eq!(Spelling::of_file(name).to_string(), name);
            assert_eq!(Spelling::of_file(name).next().to_string(), next);
        }
        let variable = Spelling::parse("GATELATCH_SECRET_9", '_', "");
        assert_eq!(variable.next().to_string(), "GATELATCH_SECRET_10");
    }
}
