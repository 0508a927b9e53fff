//! Demands on the sign-in that everybody meets, or nobody.

use crate::access::{RuleId, ShortDuration};
use crate::config::code::Code;
use crate::config::finding::Finding;
use crate::config::places::Places;
use crate::config::settings::{Config, Service};
use crate::config::shown::shown;
use crate::config::span::Span;
use crate::factors::SecondFactorPolicy;
use crate::oidc::ProviderSecondFactor;
use crate::session::StateSettings;

/// How people get a second factor where the state keeps none.
const KEPT: &str = "write `state: file:/var/lib/gatelatch/state`, where people add their own, or give them one: `gatelatch user add-totp NAME`";

/// Rules whose `max_age` no session of a browser ever reaches, and such as ask for a second factor that nobody can show, as
/// `auth.login.second_factor` may, which stands at the span.
pub(in crate::config) fn sign_ins(
    config: &Config,
    places: &[Places],
    second_factor: Option<Span>,
) -> Vec<Finding> {
    let services = config.services.iter().zip(places);
    let found = services.flat_map(|(service, places)| {
        let idle = idle(service, places, config);
        idle.chain(unmeetable(service, places, config))
    });
    second_factor
        .and_then(|span| locked_out(config, span))
        .into_iter()
        .chain(found)
        .collect()
}

/// Whether nobody has a second factor, nor can add one: what people add would end with the process.
fn has_none(config: &Config) -> bool {
    let mut users = config.directory.users();
    matches!(config.state, StateSettings::Memory) && users.all(|user| user.extras().totp.is_none())
}

/// Everybody who signs in with a password is asked for what nobody has.
fn locked_out(config: &Config, span: Span) -> Option<Finding> {
    let auth = &config.auth;
    let is_asked = auth.second_factor == SecondFactorPolicy::Required
        && (config.directory.has_passwords() || auth.ldap.is_some());
    (is_asked && has_none(config)).then(|| {
        let message = "`auth.login.second_factor` is `required`, and nobody has one or can add one";
        Finding::warning(Code::NoSecondFactor, span, message.to_owned()).help(KEPT)
    })
}

fn unmeetable<'c>(
    service: &'c Service,
    places: &'c Places,
    config: &'c Config,
) -> impl Iterator<Item = Finding> + 'c {
    let auth = &config.auth;
    let mut providers = auth.providers.iter();
    let counts = providers.any(|one| one.second_factor != ProviderSecondFactor::default());
    let help = match auth.second_factor {
        _ if counts => None,
        SecondFactorPolicy::Off => Some(
            "`auth.login.second_factor` is `off`: take that away, or say what counts at a provider (`second_factor`)",
        ),
        SecondFactorPolicy::Optional | SecondFactorPolicy::Required => {
            has_none(config).then_some(KEPT)
        }
    };
    let rules = (0..).map(RuleId).zip(service.policy.rules());
    rules.filter_map(move |(id, rule)| {
        let mut conditions = rule.requirement.conditions().iter();
        let asks = conditions.any(|one| one.sign_in.second_factor);
        let span = *places.rules.get(id.0 as usize)?;
        help.filter(|_| asks).map(|help| {
            let message = format!(
                "the rule `{}` asks for a second factor, and nobody can show one",
                shown(&rule.name)
            );
            let finding = Finding::warning(Code::NoSecondFactor, span, message);
            finding.about([span, places.service]).help(help)
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
