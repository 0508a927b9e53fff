//! Which rule decides over each operation, and what is worth a look about it.

use std::collections::{BTreeMap, BTreeSet};

use http::Method;

use super::super::fresh::Fresh;
use super::super::side::{Landing, spell};
use super::super::table::{Access, Audience, access};
use super::super::{Side, SideService};
use super::document::{Document, Operation};
use super::security::Security;
use super::template::{Piece, Template};
use crate::access::{CaseRule, Pattern, RuleId, Segment};

/// A document held against the rules of one service.
#[derive(Debug)]
pub struct Audit {
    /// Every operation, once for each of its servers' paths.
    pub operations: Vec<Covered>,
    /// The rules of the service that decide over no operation.
    pub unused: Vec<RuleId>,
}

/// One operation and what decides over it.
#[derive(Debug)]
pub struct Covered {
    /// By its place in the document.
    pub operation: usize,
    /// Its path as clients send it.
    pub path: Template,
    /// What decides where nothing is special about the parameters.
    pub decider: Decider,
    /// More specific rules, which decide over some of its paths.
    pub others: Vec<RuleId>,
    /// What is worth a look.
    pub findings: BTreeSet<Finding>,
}

/// What decides over an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decider {
    /// This rule of the service.
    Rule(RuleId),
    /// No rule of the service: it is refused.
    NoRule,
    /// The gateway itself: it is never forwarded.
    Own,
    /// Another service, by its place in the file.
    OtherService(usize),
    /// No service: 404.
    NoService,
    /// The path is refused with 400.
    BadPath,
    /// The method is refused with 405.
    BadMethod,
}

/// What is worth a look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Finding {
    /// Callers who are not known are let in, from everywhere or from some networks.
    Open,
    /// No rule decides over it, so that it is refused; or it never comes to this service.
    Uncovered,
    /// The document asks for security, and callers who are not known are let in.
    Looser,
    /// The document asks for nothing, and callers who are not known are not let in.
    Stricter,
}

impl Finding {
    /// Its stable name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Uncovered => "uncovered",
            Self::Looser => "looser",
            Self::Stricter => "stricter",
        }
    }
}

/// Holds a document against the rules of the service at this index. `prefix`: where the document's paths are mounted,
/// instead of what the document and `strip_path` say. `host`: for services that share hosts; by default the service's
/// first.
pub fn audit(
    side: &Side<'_>,
    service: usize,
    document: &Document,
    prefix: Option<&Template>,
    host: Option<&str>,
) -> Audit {
    let fresh = Fresh::new(&texts(side));
    let host = host.map_or_else(|| host_of(&side.services[service], &fresh), str::to_owned);
    let looker = Looker {
        side,
        service,
        fresh,
        host,
    };
    let mut operations = Vec::new();
    let mut used = BTreeSet::new();
    for (index, operation) in document.operations.iter().enumerate() {
        for path in paths(&side.services[service], operation, prefix) {
            let covered = looker.look(index, operation, path, document.speaks_of_security);
            used.extend(covered.rules());
            operations.push(covered);
        }
    }
    let rules = (0..)
        .map(RuleId)
        .take(side.services[service].policy.rules().len());
    Audit {
        operations,
        unused: rules.filter(|rule| !used.contains(rule)).collect(),
    }
}

/// The operation's paths as clients send them, each once.
fn paths(
    service: &SideService<'_>,
    operation: &Operation,
    prefix: Option<&Template>,
) -> Vec<Template> {
    if let Some(prefix) = prefix {
        return vec![operation.template.below(prefix)];
    }
    let literals = service
        .mount
        .segments()
        .map(|text| Piece::Literal(text.to_owned()));
    let mount = Template {
        pieces: literals.collect(),
    };
    let mut paths: Vec<Template> = Vec::new();
    for server in &operation.prefixes {
        let under_mount = server.pieces.starts_with(&mount.pieces);
        // the service sees paths without its mount, unless it was told of it
        let prefix = if service.strip_path && !under_mount {
            server.below(&mount)
        } else {
            server.clone()
        };
        let path = operation.template.below(&prefix);
        if !paths.contains(&path) {
            paths.push(path);
        }
    }
    paths
}

struct Looker<'a> {
    side: &'a Side<'a>,
    service: usize,
    fresh: Fresh,
    host: String,
}

impl Looker<'_> {
    fn look(&self, index: usize, operation: &Operation, path: Template, speaks: bool) -> Covered {
        let decider = match operation.method {
            Method::TRACE => Decider::BadMethod,
            _ => self.decider(&operation.method, &self.plain(&path)),
        };
        let others = match decider {
            Decider::BadMethod => Vec::new(),
            Decider::Rule(main) => self.others(&operation.method, &path, Some(main)),
            Decider::NoRule
            | Decider::Own
            | Decider::OtherService(_)
            | Decider::NoService
            | Decider::BadPath => self.others(&operation.method, &path, None),
        };
        let mut covered = Covered {
            operation: index,
            path,
            decider,
            others,
            findings: BTreeSet::new(),
        };
        covered.findings = self.findings(&covered, &operation.security, speaks);
        covered
    }

    /// The path with segments that no rule names in place of its parameters.
    fn plain(&self, path: &Template) -> Vec<String> {
        let text = |(position, piece): (usize, &Piece)| match piece {
            Piece::Literal(text) => text.clone(),
            Piece::Parameter(_) | Piece::Mixed(_) => self.fresh.segment(position).into(),
        };
        path.pieces.iter().enumerate().map(text).collect()
    }

    fn decider(&self, method: &Method, segments: &[String]) -> Decider {
        let raw = raw(segments);
        let arrival = self.side.arrive(&self.host, &raw, self.side.widest());
        match self.side.land(&arrival, method) {
            Landing::Rule(service, rule) if service == self.service => Decider::Rule(rule),
            Landing::NoRule(service) if service == self.service => Decider::NoRule,
            Landing::Rule(service, _) | Landing::NoRule(service) => Decider::OtherService(service),
            Landing::Own => Decider::Own,
            Landing::NoService => Decider::NoService,
            Landing::Refused => Decider::BadPath,
        }
    }

    /// The other rules that decide over some path of the template.
    ///
    /// A rule does so if it does for the path that has its own literals, and elsewhere segments that no rule names: any
    /// other path can only bring in more rules that are more specific.
    fn others(&self, method: &Method, path: &Template, main: Option<RuleId>) -> Vec<RuleId> {
        let service = &self.side.services[self.service];
        let rules = (0..)
            .map(RuleId)
            .zip(service.policy.rules())
            .filter(|(id, _)| Some(*id) != main);
        let decides = rules.filter(|(id, rule)| {
            let fitting = self.fit(path, &rule.pattern, service.policy.case());
            fitting.is_some_and(|segments| self.decider(method, &segments) == Decider::Rule(*id))
        });
        decides.map(|(id, _)| id).collect()
    }

    /// A path that both the template and the pattern cover.
    fn fit(&self, path: &Template, pattern: &Pattern, case: CaseRule) -> Option<Vec<String>> {
        let mut segments = pattern.segments().iter().peekable();
        let mut fitting = Vec::with_capacity(path.pieces.len());
        for (position, piece) in path.pieces.iter().enumerate() {
            let fresh = || String::from(self.fresh.segment(position));
            // `**` stands for all that follow
            let segment = match segments.peek() {
                Some(Segment::Rest) => Some(&Segment::Rest),
                Some(_) => segments.next(),
                None => None,
            }?;
            fitting.push(match (segment, piece) {
                (Segment::Literal(text), Piece::Literal(own)) => {
                    let same = case.fold((**text).into()) == case.fold(own.as_str().into());
                    same.then(|| own.clone())?
                }
                (Segment::Literal(text), Piece::Parameter(_) | Piece::Mixed(_)) => text.to_string(),
                (Segment::Parameter(_) | Segment::Rest, Piece::Literal(own)) => own.clone(),
                (Segment::Parameter(_) | Segment::Rest, Piece::Parameter(_) | Piece::Mixed(_)) => {
                    fresh()
                }
            });
        }
        matches!(segments.next(), None | Some(Segment::Rest)).then_some(fitting)
    }

    fn findings(&self, covered: &Covered, security: &Security, speaks: bool) -> BTreeSet<Finding> {
        let policy = self.side.services[self.service].policy;
        let mut findings = BTreeSet::new();
        let lets_in =
            |rule: RuleId| access(policy.rule(rule), &Audience::Anonymous) != Access::Never;
        let open = covered.rules().any(lets_in);
        if open {
            findings.insert(Finding::Open);
        }
        if !matches!(covered.decider, Decider::Rule(_)) {
            findings.insert(Finding::Uncovered);
        }
        match security {
            Security::Required(_) if open => {
                findings.insert(Finding::Looser);
            }
            Security::Open | Security::Optional(_) if !open => {
                findings.insert(Finding::Stricter);
            }
            Security::Unsaid if speaks && !open => {
                findings.insert(Finding::Stricter);
            }
            Security::Required(_) | Security::Open | Security::Optional(_) | Security::Unsaid => {}
        }
        findings
    }
}

impl Covered {
    /// All rules that decide over some of its paths.
    pub fn rules(&self) -> impl Iterator<Item = RuleId> {
        let main = match self.decider {
            Decider::Rule(rule) => Some(rule),
            Decider::NoRule
            | Decider::Own
            | Decider::OtherService(_)
            | Decider::NoService
            | Decider::BadPath
            | Decider::BadMethod => None,
        };
        main.into_iter().chain(self.others.iter().copied())
    }
}

fn raw(segments: &[String]) -> String {
    if segments.is_empty() {
        return "/".to_owned();
    }
    segments
        .iter()
        .map(|segment| format!("/{}", spell(segment)))
        .collect()
}

/// A host that the service answers for; where it answers for any, one that no other service names.
fn host_of(service: &SideService<'_>, fresh: &Fresh) -> String {
    match service.hosts.first() {
        None => fresh.host().to_owned(),
        Some(host) => match host.parent() {
            Some(parent) => format!("{}.{parent}", fresh.host()),
            None => host.to_string(),
        },
    }
}

/// Every text that a host or a segment is compared with; folded.
fn texts(side: &Side<'_>) -> BTreeSet<Box<str>> {
    let fold = |text: &str| -> Box<str> { CaseRule::Insensitive.fold(text.into()).into() };
    let mut texts = BTreeSet::new();
    texts.extend(side.own.all().flat_map(|path| path.split('/')).map(fold));
    for service in &side.services {
        texts.extend(
            service
                .hosts
                .iter()
                .flat_map(|host| host.to_string().split('.').map(fold).collect::<Vec<_>>()),
        );
        texts.extend(service.mount.segments().map(fold));
        for segment in service
            .policy
            .rules()
            .iter()
            .flat_map(|rule| rule.pattern.segments())
        {
            if let Segment::Literal(text) = segment {
                texts.insert(fold(text));
            }
        }
    }
    texts
}

impl Audit {
    /// How many operations have each finding.
    pub fn count(&self) -> BTreeMap<Finding, usize> {
        let mut counts = BTreeMap::new();
        for finding in self.operations.iter().flat_map(|covered| &covered.findings) {
            *counts.entry(*finding).or_insert(0) += 1;
        }
        counts
    }
}
