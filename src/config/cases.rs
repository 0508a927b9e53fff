//! `tests`: each request decided as the gateway would, and what is to be said where that is not what was expected.

use super::code::Code;
use super::finding::{Finding, did_you_mean};
use super::places::Places;
use super::settings::{Config, Origin};
use super::shown::shown;
use super::span::Span;
use crate::access::{Decision, RuleId};
use crate::analysis::simulation::{
    CallerSpec, SimulatedCaller, SimulatedDestination, SimulatedOutcome, SimulatedRequest,
    SimulatedVerdict, Simulation,
};
use crate::analysis::{self, Explanation};

/// To explain one failure, every rule is looked at: beyond these, failures only say what they are.
const EXPLAINED: usize = 100;

/// To measure a name against each of very many takes too long.
const COMPARED: usize = 1000;

/// A request whose outcome is known.
#[derive(Debug)]
pub(super) struct Case {
    /// Empty where it has none.
    pub(super) name: String,
    pub(super) request: SimulatedRequest,
    pub(super) who: CallerSpec,
    pub(super) expected: SimulatedVerdict,
    pub(super) origin: Origin,
    /// The request as it stands in the file, in backticks: what a variable brings in may be a secret.
    pub(super) written: (String, Span),
    pub(super) subject_span: Span,
}

/// What became of all cases.
#[derive(Debug, Default)]
pub struct TestReport {
    /// In the order of the file.
    pub results: Vec<TestResult>,
    /// By service and rule: whether it decided one of them.
    pub covered: Vec<Vec<bool>>,
}

/// What became of one case.
#[derive(Debug)]
pub struct TestResult {
    /// Its name; by default the request, who asks, and what is expected.
    pub name: String,
    /// Where it stands.
    pub origin: Origin,
    /// The request as written.
    pub request: String,
    /// Who asks, in words.
    pub caller: String,
    /// What should become of it.
    pub expected: SimulatedVerdict,
    /// What does; `None` where the caller cannot be made out.
    pub got: Option<SimulatedVerdict>,
    /// The service and the rule that decided.
    pub rule: Option<(usize, RuleId)>,
    /// In one line, why it fails; `None` where it holds.
    pub failure: Option<String>,
}

impl TestReport {
    /// How many do not hold.
    pub fn failed(&self) -> usize {
        self.results
            .iter()
            .filter(|result| result.failure.is_some())
            .count()
    }

    /// The rules that decided none of them, by service.
    pub fn untouched(&self) -> impl Iterator<Item = (usize, RuleId)> {
        self.covered
            .iter()
            .enumerate()
            .flat_map(|(service, rules)| {
                let untouched = (0..)
                    .map(RuleId)
                    .zip(rules)
                    .filter(|(_, covered)| !**covered);
                untouched.map(move |(id, _)| (service, id))
            })
    }
}

/// Runs all cases. Beside the report, one finding for each case that does not hold.
pub(super) fn run(
    cases: &[Case],
    config: &Config,
    places: &[Places],
) -> (TestReport, Vec<Finding>) {
    let simulation = config.simulation();
    let covered = config
        .services
        .iter()
        .map(|service| vec![false; service.policy.rules().len()])
        .collect();
    let mut report = TestReport {
        results: Vec::with_capacity(cases.len()),
        covered,
    };
    let mut findings = Vec::new();
    for case in cases {
        let explained = if findings.len() < EXPLAINED {
            places
        } else {
            &[]
        };
        let (result, finding) = match case.who.resolve(&config.directory) {
            Err(unknown) => nobody(case, &unknown.0, config),
            Ok(subject) => ask(case, &subject, &simulation, (config, explained)),
        };
        if let Some((service, rule)) = result.rule {
            report.covered[service][rule.0 as usize] = true;
        }
        report.results.push(result);
        findings.extend(finding);
    }
    (report, findings)
}

type Judged = (TestResult, Option<Finding>);

fn nobody(case: &Case, user: &str, config: &Config) -> Judged {
    let message = format!("{}there is no user `{}`", case.titled(), shown(user));
    let known = config
        .directory
        .users()
        .map(|user| &*user.identity.subject)
        .take(COMPARED);
    let help = did_you_mean(user, known).unwrap_or_else(|| {
        format!(
            "write `as: {{ user: {}, roles: […] }}` for somebody who is not listed",
            shown(user)
        )
    });
    let finding = Finding::error(Code::UnknownUser, case.subject_span, message.clone()).help(help);
    (
        case.result(format!("user `{user}`"), None, Some(message)),
        Some(finding),
    )
}

/// `places` are where the rules stand; without them, a failure is not explained.
fn ask(
    case: &Case,
    subject: &SimulatedCaller,
    simulation: &Simulation<'_>,
    (config, places): (&Config, &[Places]),
) -> Judged {
    let outcome = simulation.decide(&case.request, &subject.caller);
    if outcome.verdict == case.expected {
        return (
            case.result(subject.name.clone(), Some(&outcome), None),
            None,
        );
    }
    let reason = if outcome.reason.is_empty() {
        String::new()
    } else {
        format!(" ({})", outcome.reason)
    };
    let message = format!(
        "{}{} by {}: expected `{}`, got `{}`{reason}",
        case.titled(),
        case.written.0,
        subject.name,
        case.expected,
        outcome.verdict
    );
    let finding = Finding::error(Code::FailedTest, case.written.1, message.clone());
    let finding = match simulation.find(&case.request) {
        Ok(SimulatedDestination::Service(index, target)) if !places.is_empty() => {
            let policy = &config.services[index].policy;
            let allowed = |path| {
                let decision = policy.decide(&target.method, path, &subject.caller);
                matches!(decision, Decision::Allow(_))
            };
            // the path that is denied, where the `Destination` is
            let destination = target.destination.as_ref();
            let decided = destination
                .filter(|_| allowed(&target.path))
                .unwrap_or(&target.path);
            let explanation = analysis::explain(policy, &target.method, decided, &subject.caller);
            let finding = explain(finding, &explanation, config, (index, places));
            match explanation.remedies.as_slice() {
                remedies @ [_, ..] if case.expected == SimulatedVerdict::Allowed => {
                    finding.help(format!("to be allowed it takes {}", remedies.join("; or ")))
                }
                _ => finding,
            }
        }
        Ok(SimulatedDestination::Own(_)) => {
            finding.help("the gateway itself answers there, before any rule")
        }
        Ok(SimulatedDestination::Service(..)) | Err(_) => finding,
    };
    (
        case.result(subject.name.clone(), Some(&outcome), Some(message)),
        Some(finding),
    )
}

/// The rule that decides, and the nearest other one.
fn explain(
    finding: Finding,
    explanation: &Explanation,
    config: &Config,
    (index, places): (usize, &[Places]),
) -> Finding {
    let name = |id: RuleId| shown(&config.services[index].policy.rule(id).name);
    let span = |id: RuleId| places[index].rules[id.0 as usize];
    let mut finding = finding;
    if let Some(winner) = &explanation.winner {
        let conditions = winner.alternatives.iter().map(|entries| {
            let entries = entries.iter().map(|entry| {
                format!(
                    "{} {}",
                    entry.asked,
                    if entry.holds { "holds" } else { "fails" }
                )
            });
            entries.collect::<Vec<_>>().join(", and ")
        });
        let conditions = conditions.collect::<Vec<_>>().join("; or ");
        let conditions = if conditions.is_empty() {
            conditions
        } else {
            format!(": {conditions}")
        };
        finding = finding.note(
            span(winner.rule),
            format!("`{}` decides{conditions}", name(winner.rule)),
        );
    }
    let nearest = match (
        explanation.beaten.first(),
        explanation.other_methods.first(),
        explanation.nearest,
    ) {
        (Some((id, loss)), _, _) => Some((
            *id,
            format!("`{}` covers it too, and loses: {loss}", name(*id)),
        )),
        (None, Some(id), _) => Some((
            *id,
            format!("`{}` covers the path, but not the method", name(*id)),
        )),
        (None, None, Some(id)) => Some((
            id,
            format!(
                "`{}` is the nearest rule, and does not cover the path",
                name(id)
            ),
        )),
        (None, None, None) => None,
    };
    if let Some((id, text)) = nearest {
        finding = finding.note(span(id), text);
    }
    finding
}

impl Case {
    /// Its name, before what is said about it.
    fn titled(&self) -> String {
        match self.name.as_str() {
            "" => String::new(),
            name => format!("the test \"{}\" does not hold: ", shown(name)),
        }
    }

    fn result(
        &self,
        caller: String,
        outcome: Option<&SimulatedOutcome>,
        failure: Option<String>,
    ) -> TestResult {
        let request = self.written.0.trim_matches('`').to_owned();
        let name = match self.name.as_str() {
            "" => format!("{request} by {caller} is {}", self.expected),
            name => name.to_owned(),
        };
        TestResult {
            name,
            origin: self.origin.clone(),
            request,
            caller,
            expected: self.expected,
            got: outcome.map(|outcome| outcome.verdict),
            rule: outcome.and_then(|outcome| outcome.service.zip(outcome.rule)),
            failure,
        }
    }
}
