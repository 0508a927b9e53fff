//! Demands on the sign-in that everybody meets, or nobody.

use crate::access::{RuleId, ShortDuration};
use crate::config::code::Code;
use crate::config::finding::Finding;
use crate::config::places::Places;
use crate::config::settings::{Config, Service};
use crate::config::shown::shown;
use crate::factors::SecondFactorPolicy;
use crate::oidc::ProviderSecondFactor;

/// Rules whose `max_age` no session of a browser ever reaches, and such as ask for a second factor that nobody can show.
pub(in crate::config) fn sign_ins(config: &Config, places: &[Places]) -> Vec<Finding> {
    let services = config.services.iter().zip(places);
    let found = services.flat_map(|(service, places)| {
        let idle = idle(service, places, config);
        idle.chain(unmeetable(service, places, config))
    });
    found.collect()
}

fn unmeetable<'c>(
    service: &'c Service,
    places: &'c Places,
    config: &'c Config,
) -> impl Iterator<Item = Finding> + 'c {
    let auth = &config.auth;
    let mut providers = auth.providers.iter();
    let counts = providers.any(|one| one.second_factor != ProviderSecondFactor::default());
    let nobody = auth.second_factor == SecondFactorPolicy::Off && !counts;
    let rules = (0..).map(RuleId).zip(service.policy.rules());
    rules.filter_map(move |(id, rule)| {
        let mut conditions = rule.requirement.conditions().iter();
        let asks = conditions.any(|one| one.sign_in.second_factor);
        let span = *places.rules.get(id.0 as usize)?;
        (nobody && asks).then(|| {
            let message = format!(
                "the rule `{}` asks for a second factor, and nobody can show one",
                shown(&rule.name)
            );
            let finding = Finding::warning(Code::NoSecondFactor, span, message);
            finding.about([span, places.service]).help(
                "`auth.login.second_factor` is `off`: take that away, or say what counts at a provider (`second_factor`)",
            )
        })
    })
}

fn idle<'c>(
    service: &'c Service,
    places: &'c Places,
    config: &'c Config,
) -> impl Iterator<Item = Finding> + 'c {
    let longest = config.auth.session.max_age;
    let rules = (0..).map(RuleId).zip(service.policy.rules());
    rules.filter_map(move |(id, rule)| {
        let conditions = rule.requirement.conditions().iter();
        let max_age = conditions.filter_map(|one| one.sign_in.max_age).max()?;
        let span = *places.rules.get(id.0 as usize)?;
        (max_age >= longest).then(|| {
            let message = format!(
                "the rule `{}` asks for a sign-in within the last {}, and no session of a browser lasts longer than {}",
                shown(&rule.name),
                ShortDuration(max_age),
                ShortDuration(longest)
            );
            let finding = Finding::warning(Code::IdleMaxAge, span, message);
            finding
                .about([span, places.service])
                .help("write a shorter `max_age`, or take it away")
        })
    })
}
