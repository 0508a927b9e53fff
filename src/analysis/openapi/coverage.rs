//! Which rule decides each operation of a document, and what to review about it.

use std::collections::{BTreeMap, BTreeSet};

use http::Method;

use super::super::spelling::spell_path;
use super::super::table::{AudienceAccess, CallerAudience, access};
use super::super::unused_names::UnusedNames;
use super::super::view::{ConfigurationView, DecisionSource, ServicePolicyView};
use super::document::{ApiOperation, OpenApiDocument};
use super::security::OperationSecurity;
use super::template::{PathTemplate, TemplateSegment};
use crate::access::{CaseRule, Pattern, RuleId, Segment};

/// A document compared with the rules of one service.
#[derive(Debug)]
pub struct ApiAudit {
    /// Every operation, once for each of its servers' paths.
    pub operations: Vec<OperationCoverage>,
    /// The rules of the service that decide no operation.
    pub unused: Vec<RuleId>,
}

/// One operation and what decides it.
#[derive(Debug)]
pub struct OperationCoverage {
    /// The index of the operation in the document.
    pub operation: usize,
    /// Its path as clients send it.
    pub path: PathTemplate,
    /// What decides where no rule names the values of the parameters.
    pub decider: OperationDecider,
    /// More specific rules, which decide some of its paths.
    pub others: Vec<RuleId>,
    /// What to review.
    pub findings: BTreeSet<AuditFinding>,
}

/// What decides an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OperationDecider {
    /// This rule of the service.
    Rule(RuleId),
    /// No rule of the service: it is refused.
    NoRule,
    /// The gateway itself: it is never forwarded.
    Own,
    /// The service of this index, which is another one.
    OtherService(usize),
    /// No service: 404.
    NoService,
    /// The path is refused with 400.
    BadPath,
    /// The method is refused with 405.
    BadMethod,
}

/// What to review.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AuditFinding {
    /// Anonymous callers are admitted, from everywhere or from some networks.
    Open,
    /// No rule covers it, so it is refused; or it never reaches this service.
    Uncovered,
    /// The document requires security, and anonymous callers are admitted.
    Looser,
    /// The document requires nothing, and anonymous callers are not admitted.
    Stricter,
}

impl AuditFinding {
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

/// Compares a document with the rules of the service of this index. `prefix`: where the document's paths are mounted,
/// instead of what the document and `strip_path` imply. `host`: for services that share hosts; by default the first
/// host of the service. `documents`: where the service has the document, which rules cover that no operation names; so
/// do those of the pages beside it.
pub fn audit(
    view: &ConfigurationView<'_>,
    service: usize,
    document: &OpenApiDocument,
    prefix: Option<&PathTemplate>,
    (host, documents): (Option<&str>, &[PathTemplate]),
) -> ApiAudit {
    let unused = UnusedNames::new(&view.texts());
    let host = host.map_or_else(|| host_of(&view.services[service], &unused), str::to_owned);
    let looker = Looker {
        view,
        service,
        unused,
        host,
    };
    let mut operations = Vec::new();
    let mut used = BTreeSet::new();
    for (index, operation) in document.operations.iter().enumerate() {
        for path in paths(&view.services[service], operation, prefix) {
            let covered = looker.look(index, operation, path, document.speaks_of_security);
            used.extend(covered.rules());
            operations.push(covered);
        }
    }
    for page in documents.iter().flat_map(PathTemplate::pages) {
        let decider = looker.decider(&Method::GET, &looker.plain(&page));
        if let OperationDecider::Rule(rule) = decider {
            used.insert(rule);
        }
    }
    let rules = (0..)
        .map(RuleId)
        .take(view.services[service].policy.rules().len());
    ApiAudit {
        operations,
        unused: rules.filter(|rule| !used.contains(rule)).collect(),
    }
}

/// The operation's paths as clients send them, each once.
fn paths(
    service: &ServicePolicyView<'_>,
    operation: &ApiOperation,
    prefix: Option<&PathTemplate>,
) -> Vec<PathTemplate> {
    if let Some(prefix) = prefix {
        return vec![operation.template.below(prefix)];
    }
    let literals = service
        .mount
        .segments()
        .map(|text| TemplateSegment::Literal(text.to_owned()));
    let mount = PathTemplate {
        pieces: literals.collect(),
    };
    let mut paths: Vec<PathTemplate> = Vec::new();
    for server in &operation.prefixes {
        let under_mount = server.pieces.starts_with(&mount.pieces);
        // the service receives paths without its mount, unless its document includes it
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
    view: &'a ConfigurationView<'a>,
    service: usize,
    unused: UnusedNames,
    host: String,
}

impl Looker<'_> {
    fn look(
        &self,
        index: usize,
        operation: &ApiOperation,
        path: PathTemplate,
        speaks: bool,
    ) -> OperationCoverage {
        let decider = match operation.method {
            Method::TRACE => OperationDecider::BadMethod,
            _ => self.decider(&operation.method, &self.plain(&path)),
        };
        let others = match decider {
            OperationDecider::BadMethod => Vec::new(),
            OperationDecider::Rule(main) => self.others(&operation.method, &path, Some(main)),
            OperationDecider::NoRule
            | OperationDecider::Own
            | OperationDecider::OtherService(_)
            | OperationDecider::NoService
            | OperationDecider::BadPath => self.others(&operation.method, &path, None),
        };
        let mut covered = OperationCoverage {
            operation: index,
            path,
            decider,
            others,
            findings: BTreeSet::new(),
        };
        covered.findings = self.findings(&covered, &operation.security, speaks);
        covered
    }

    /// The path with segments that no rule names instead of its parameters.
    fn plain(&self, path: &PathTemplate) -> Vec<String> {
        let text = |(position, piece): (usize, &TemplateSegment)| match piece {
            TemplateSegment::Literal(text) => text.clone(),
            TemplateSegment::Parameter(_) | TemplateSegment::Mixed(_) => {
                self.unused.segment(position).into()
            }
        };
        path.pieces.iter().enumerate().map(text).collect()
    }

    fn decider(&self, method: &Method, segments: &[String]) -> OperationDecider {
        let raw = spell_path(segments.iter().map(String::as_str), "");
        let routed = self.view.route(&self.host, &raw);
        match self.view.source(&routed, method) {
            DecisionSource::Rule(service, rule) if service == self.service => {
                OperationDecider::Rule(rule)
            }
            DecisionSource::NoRule(service) if service == self.service => OperationDecider::NoRule,
            DecisionSource::Rule(service, _) | DecisionSource::NoRule(service) => {
                OperationDecider::OtherService(service)
            }
            DecisionSource::Own => OperationDecider::Own,
            DecisionSource::NoService => OperationDecider::NoService,
            DecisionSource::Refused => OperationDecider::BadPath,
        }
    }

    /// The other rules that decide some path of the template.
    ///
    /// A rule decides some path if it decides the one with its own literals, and otherwise segments that no rule names:
    /// on any other path, only further and more specific rules match.
    fn others(&self, method: &Method, path: &PathTemplate, main: Option<RuleId>) -> Vec<RuleId> {
        let service = &self.view.services[self.service];
        let rules = (0..)
            .map(RuleId)
            .zip(service.policy.rules())
            .filter(|(id, _)| Some(*id) != main);
        let decides = rules.filter(|(id, rule)| {
            let fitting = self.fit(path, &rule.pattern, service.policy.case());
            fitting.is_some_and(|segments| {
                self.decider(method, &segments) == OperationDecider::Rule(*id)
            })
        });
        decides.map(|(id, _)| id).collect()
    }

    /// A path that both the template and the pattern cover.
    fn fit(&self, path: &PathTemplate, pattern: &Pattern, case: CaseRule) -> Option<Vec<String>> {
        let mut segments = pattern.segments().iter().peekable();
        let mut fitting = Vec::with_capacity(path.pieces.len());
        for (position, piece) in path.pieces.iter().enumerate() {
            let unused = || String::from(self.unused.segment(position));
            // `**` covers all following segments
            let segment = match segments.peek() {
                Some(Segment::Rest) => Some(&Segment::Rest),
                Some(_) => segments.next(),
                None => None,
            }?;
            fitting.push(match (segment, piece) {
                (Segment::Literal(text), TemplateSegment::Literal(own)) => {
                    let same = case.fold((**text).into()) == case.fold(own.as_str().into());
                    same.then(|| own.clone())?
                }
                (
                    Segment::Literal(text),
                    TemplateSegment::Parameter(_) | TemplateSegment::Mixed(_),
                ) => text.to_string(),
                (Segment::Parameter(_) | Segment::Rest, TemplateSegment::Literal(own)) => {
                    own.clone()
                }
                (
                    Segment::Parameter(_) | Segment::Rest,
                    TemplateSegment::Parameter(_) | TemplateSegment::Mixed(_),
                ) => unused(),
            });
        }
        matches!(segments.next(), None | Some(Segment::Rest)).then_some(fitting)
    }

    fn findings(
        &self,
        covered: &OperationCoverage,
        security: &OperationSecurity,
        speaks: bool,
    ) -> BTreeSet<AuditFinding> {
        let policy = self.view.services[self.service].policy;
        let mut findings = BTreeSet::new();
        let lets_in = |rule: RuleId| {
            access(policy.rule(rule), &CallerAudience::Anonymous) != AudienceAccess::Never
        };
        let open = covered.rules().any(lets_in);
        if open {
            findings.insert(AuditFinding::Open);
        }
        if !matches!(covered.decider, OperationDecider::Rule(_)) {
            findings.insert(AuditFinding::Uncovered);
        }
        match security {
            OperationSecurity::Required(_) if open => {
                findings.insert(AuditFinding::Looser);
            }
            OperationSecurity::Open | OperationSecurity::Optional(_) if !open => {
                findings.insert(AuditFinding::Stricter);
            }
            OperationSecurity::Unsaid if speaks && !open => {
                findings.insert(AuditFinding::Stricter);
            }
            OperationSecurity::Required(_)
            | OperationSecurity::Open
            | OperationSecurity::Optional(_)
            | OperationSecurity::Unsaid => {}
        }
        findings
    }
}

impl OperationCoverage {
    /// All rules that decide some of its paths.
    pub fn rules(&self) -> impl Iterator<Item = RuleId> {
        let main = match self.decider {
            OperationDecider::Rule(rule) => Some(rule),
            OperationDecider::NoRule
            | OperationDecider::Own
            | OperationDecider::OtherService(_)
            | OperationDecider::NoService
            | OperationDecider::BadPath
            | OperationDecider::BadMethod => None,
        };
        main.into_iter().chain(self.others.iter().copied())
    }
}

/// A host of the service; for a service without hosts, one that no other service names.
fn host_of(service: &ServicePolicyView<'_>, unused: &UnusedNames) -> String {
    match service.hosts.first() {
        None => unused.host().to_owned(),
        Some(host) => match host.parent() {
            Some(parent) => unused.host_below(parent),
            None => host.to_string(),
        },
    }
}

impl ApiAudit {
    /// The number of operations with each finding.
    pub fn count(&self) -> BTreeMap<AuditFinding, usize> {
        let mut counts = BTreeMap::new();
        for finding in self.operations.iter().flat_map(|covered| &covered.findings) {
            *counts.entry(*finding).or_insert(0) += 1;
        }
        counts
    }
}
