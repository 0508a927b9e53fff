//! An explanation as text.

use clap::builder::styling::Style;

use super::{Found, mode, rates};
use crate::access::{AccessSubject, Decision, Mode, PathError, PathOptions, Requirement, RuleId};
use crate::analysis::simulation::{SimulatedCaller, SimulatedRejection, SimulatedRequest};
use crate::analysis::{ConditionReport, Explanation, RuleReport};
use crate::cli::terminal::{self, BAD, DOUBTFUL, FAINT, GOOD};
use crate::config::{Config, Service};
use crate::wire::{BadRequest, Target};

/// How many services are listed where none answers.
const LISTED: usize = 10;

/// Lines, indented by what they belong to.
struct Page {
    text: String,
    width: Option<usize>,
}

impl Page {
    /// A line, and where it has to be broken, its rest two steps further in.
    fn line(&mut self, indent: usize, text: &str) {
        let line = format!("{}{text}", " ".repeat(indent));
        self.text
            .push_str(&terminal::wrap(&line, indent + 4, self.width));
        self.text.push('\n');
    }

    fn painted(&mut self, indent: usize, style: Style, text: &str) {
        self.line(indent, &format!("{style}{text}{style:#}"));
    }
}

/// The whole report.
pub(super) fn report(
    config: &Config,
    request: &SimulatedRequest,
    subject: &SimulatedCaller,
    found: &Found<'_>,
) -> String {
    let mut page = Page {
        text: String::new(),
        width: terminal::width(),
    };
    match found {
        Found::Refused(refusal) => {
            page.line(0, &format!("{request}, asked by {}\n", subject.name));
            page.painted(
                0,
                BAD,
                &format!("refused with {}: {refusal}", refusal.status()),
            );
            refused(&mut page, config, request, refusal);
        }
        Found::Own(target) => {
            page.line(
                0,
                &format!(
                    "{} {}, asked by {}\n",
                    target.method, target.path, subject.name
                ),
            );
            let own = format!(
                "`{}` is the gateway's own: no rule is asked, nothing is forwarded",
                target.path
            );
            page.painted(0, GOOD, &own);
        }
        Found::Decided {
            service,
            target,
            explanation,
            destination,
        } => {
            heading(&mut page, request, subject, service, target);
            decided(&mut page, service, target, (&subject.caller, explanation));
            if let (Some(path), Some(explanation)) = (&target.destination, destination) {
                let heading = format!("\nits `Destination` {path}, which must be allowed as well");
                page.line(0, &heading);
                decided(&mut page, service, target, (&subject.caller, explanation));
            }
        }
    }
    page.text
}

fn heading(
    page: &mut Page,
    request: &SimulatedRequest,
    subject: &SimulatedCaller,
    service: &Service,
    target: &Target,
) {
    let Target { method, path, .. } = target;
    page.line(
        0,
        &format!(
            "{method} {path} to service `{}`, asked by {}",
            service.name, subject.name
        ),
    );
    let written = request.uri().path();
    if written != path.as_str() {
        page.line(2, &format!("`{written}` is read as `{path}`"));
    }
    page.line(0, "");
}

fn decided(
    page: &mut Page,
    service: &Service,
    target: &Target,
    (caller, explanation): (&AccessSubject, &Explanation),
) {
    let (style, verdict) = verdict(&explanation.decision, caller);
    page.painted(0, style, &verdict);
    if !matches!(explanation.decision, Decision::Allow(_))
        && mode(service, explanation) == Mode::Report
    {
        page.painted(
            2,
            DOUBTFUL,
            "and forwarded all the same: `mode: report` only reports a denial",
        );
    }
    match &explanation.winner {
        Some(report) => winner(page, service, report),
        None => page.line(2, "no rule covers the request"),
    }
    for (of, rate) in rates(service, explanation) {
        page.line(2, &format!("rate of the {}: {rate}", of.as_str()));
    }
    for (rule, loss) in &explanation.beaten {
        page.line(2, &format!("beats {}: {loss}", place(service, *rule)));
    }
    for rule in &explanation.other_methods {
        page.line(
            2,
            &format!(
                "not asked: {} covers the path, but not {}",
                place(service, *rule),
                target.method
            ),
        );
    }
    if let Some(rule) = explanation.nearest {
        page.line(
            2,
            &format!("nearest: {} does not cover the path", place(service, rule)),
        );
    }
    remedies(page, &explanation.remedies);
}

fn verdict(decision: &Decision, caller: &AccessSubject) -> (Style, String) {
    match decision {
        Decision::Allow(_) if caller.identity().is_none() => {
            (GOOD, "allowed, without an identity".to_owned())
        }
        Decision::Allow(_) => (GOOD, "allowed".to_owned()),
        Decision::Challenge(one) => (BAD, format!("unauthenticated (401): {}", one.reason)),
        Decision::Forbid(forbid) => (BAD, format!("forbidden (403): {}", forbid.reason)),
    }
}

fn winner(page: &mut Page, service: &Service, report: &RuleReport) {
    page.line(2, &format!("by {}", place(service, report.rule)));
    if report.alternatives.is_empty() {
        page.line(
            4,
            &format!(
                "allow: {}",
                word(&service.policy.rule(report.rule).requirement)
            ),
        );
    }
    for (index, alternative) in report.alternatives.iter().enumerate() {
        for (position, entry) in alternative.iter().enumerate() {
            let joint = match (index, position) {
                (0, 0) => "",
                (_, 0) => "or ",
                (_, _) => "and ",
            };
            condition(page, joint, entry);
        }
    }
}

fn condition(page: &mut Page, joint: &str, entry: &ConditionReport) {
    let ConditionReport { asked, has, holds } = entry;
    let (style, mark) = if *holds {
        (GOOD, "holds")
    } else {
        (BAD, "fails")
    };
    page.line(
        4,
        &format!("{joint}{asked} {style}{mark}{style:#}: the caller has {has}"),
    );
}

/// As `allow` has it.
pub(super) fn word(requirement: &Requirement) -> &'static str {
    match requirement {
        Requirement::Anyone => "anyone",
        Requirement::Authenticated => "authenticated",
        Requirement::Nobody => "nobody",
        Requirement::AnyOf(_) => "conditions",
    }
}

/// A rule with its place: `` `POST /jobs` (gateway.yaml:14:9) ``.
fn place(service: &Service, id: RuleId) -> String {
    let origin = &service.origins[id.0 as usize];
    let place = format!(
        "{}:{}:{}",
        origin.file.display(),
        origin.line,
        origin.column
    );
    format!(
        "`{}` {FAINT}({place}){FAINT:#}",
        service.policy.rule(id).name
    )
}

fn remedies(page: &mut Page, remedies: &[String]) {
    for (index, remedy) in remedies.iter().enumerate() {
        let joint = if index == 0 {
            "to be allowed it takes"
        } else {
            "or"
        };
        page.line(if index == 0 { 2 } else { 4 }, &format!("{joint} {remedy}"));
    }
}

fn refused(
    page: &mut Page,
    config: &Config,
    request: &SimulatedRequest,
    refusal: &SimulatedRejection,
) {
    let raw = request.uri().path();
    match refusal {
        SimulatedRejection::BadRequest(BadRequest::Path(PathError::NotAbsolute)) => {
            page.line(
                2,
                "no rule covers `*`, which means the server as a whole (RFC 9112, section 3.2.4)",
            );
        }
        SimulatedRejection::BadRequest(BadRequest::Path(_)) => {
            loosen(page, config.router.widest_paths(), raw, "of the service")
        }
        SimulatedRejection::Path(index, _) => {
            let service = &config.services[*index];
            loosen(
                page,
                service.paths,
                raw,
                &format!("of the service `{}`", service.name),
            );
        }
        SimulatedRejection::BadRequest(_) => {}
        SimulatedRejection::NoService { .. } | SimulatedRejection::NoHost => {
            for service in config.services.iter().take(LISTED) {
                let hosts = service
                    .hosts
                    .iter()
                    .map(|host| format!("`{host}`"))
                    .collect::<Vec<_>>()
                    .join(", ");
                let hosts = if hosts.is_empty() {
                    "any host".to_owned()
                } else {
                    hosts
                };
                page.line(
                    2,
                    &format!(
                        "`{}` answers for {hosts} at `{}`",
                        service.name,
                        service.mount.source()
                    ),
                );
            }
            let others = config.services.len().saturating_sub(LISTED);
            if others > 0 {
                page.line(2, &format!("and {others} more"));
            }
        }
    }
}

/// What would accept such a path, where something does.
fn loosen(page: &mut Page, paths: PathOptions, raw: &str, whose: &str) {
    match paths.missing_for(raw) {
        Some(key) => {
            page.line(
                2,
                &format!(
                    "`paths: {{ {key}: true }}` {whose} accepts it; `check` says what that costs"
                ),
            );
        }
        None => page.line(
            2,
            "no setting accepts it: two servers could read it as two paths",
        ),
    }
}
