//! Rates that never refuse a request.

use super::service_rules::Rules;
use crate::access::{Mode, Requirement, Rule, RuleId};
use crate::config::code::Code;
use crate::config::finding::Finding;
use crate::config::shown::shown;
use crate::config::span::Span;
use crate::rates::Rate;

/// A rate, and where it stands.
#[derive(Clone, Copy, Debug)]
pub(in crate::config) struct PlacedRate {
    pub(in crate::config) rate: Rate,
    pub(in crate::config) span: Span,
}

/// The rates of one service.
pub(in crate::config) struct Rates<'a> {
    pub(in crate::config) rules: Rules<'a>,
    pub(in crate::config) of_service: Option<PlacedRate>,
    /// By rule id.
    pub(in crate::config) of_rules: &'a [Option<PlacedRate>],
}

impl Rates<'_> {
    /// Rates that never refuse anything, whatever is sent.
    pub(in crate::config) fn idle(&self) -> Vec<Finding> {
        let placed = (0..).map(RuleId).zip(self.of_rules);
        let placed = placed.filter_map(|(id, rate)| Some((id, (*rate)?)));
        let mut findings: Vec<_> = placed
            .filter_map(|(id, rate)| self.of_rule(id, rate))
            .collect();
        findings.extend(self.of_service.and_then(|rate| self.service(rate)));
        findings
    }

    fn of_rule(&self, id: RuleId, rate: PlacedRate) -> Option<Finding> {
        let rule = self.rules.policy.rule(id);
        let name = shown(&rule.name);
        if !admits(rule) {
            let message =
                format!("the rate of the rule `{name}` counts nothing: the rule lets nobody in");
            return Some(
                self.warning(rate.span, Some(id), message)
                    .help("take the rate away"),
            );
        }
        let service = self.of_service?;
        // each bucket of the rule lies within one of the service's, which is empty first
        let covers =
            service.rate.by().joins_all_of(rate.rate.by()) && rate.rate.admits_all_of(service.rate);
        if !covers || self.rules.policy.mode_of(None) == Mode::Report {
            return None;
        }
        let message = format!(
            "the rate of the rule `{name}` is never reached: that of the service refuses before"
        );
        let finding = self.warning(rate.span, Some(id), message);
        Some(
            finding
                .note(service.span, "the rate of the service is here")
                .help("write a rate that is lower than that of the service, or take it away"),
        )
    }

    fn service(&self, rate: PlacedRate) -> Option<Finding> {
        let rules = (0..).map(RuleId).zip(self.rules.policy.rules());
        let mut admitting = rules.filter(|(_, rule)| admits(rule));
        let name = self.rules.named;
        let Some((only, rule)) = admitting.next() else {
            let has_rules = !self.rules.policy.rules().is_empty();
            let message =
                format!("the rate of the service `{name}` counts nothing: no rule lets anybody in");
            let finding = self.warning(rate.span, None, message);
            return has_rules.then(|| finding.help("take the rate away"));
        };
        let of_rule = self.of_rules.get(only.0 as usize).copied().flatten()?;
        let covers = of_rule.rate.by().joins_all_of(rate.rate.by())
            && rate.rate.admits_all_of(of_rule.rate)
            && !of_rule.rate.admits_all_of(rate.rate);
        let alone = admitting.next().is_none();
        let reports = rule.mode == Mode::Report || self.rules.policy.mode_of(None) == Mode::Report;
        (covers && alone && !reports).then(|| {
            let message = format!(
                "the rate of the service `{name}` is never reached: that of its only rule `{}` refuses before",
                shown(&rule.name)
            );
            let finding = self.warning(rate.span, None, message);
            finding
                .note(of_rule.span, "the rate of the rule is here")
                .help("take one of them away")
        })
    }

    fn warning(&self, span: Span, rule: Option<RuleId>, message: String) -> Finding {
        let about = rule.map(|id| self.rules.span(id));
        Finding::warning(Code::IdleRate, span, message)
            .about(about.into_iter().chain([self.rules.service]))
    }
}

/// Whether requests pass by the rule at all.
fn admits(rule: &Rule) -> bool {
    rule.requirement != Requirement::Nobody || rule.mode == Mode::Report
}
