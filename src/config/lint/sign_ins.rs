//! Demands on the sign-in that everybody meets, or nobody, and what people cannot use.

use crate::access::{HostPattern, RuleId, ShortDuration};
use crate::config::code::Code;
use crate::config::finding::Finding;
use crate::config::places::{Places, SignInPlaces};
use crate::config::settings::{ChangePassword, Config, Service};
use crate::config::shown::shown;
use crate::config::span::Span;
use crate::factors::SecondFactorPolicy;
use crate::oidc::ProviderSecondFactor;
use crate::session::StateSettings;

/// How people get a second factor where the state keeps none.
const KEPT: &str = "write `state: file:/var/lib/gatelatch/state`, where people add their own, or give them one: `gatelatch user add-totp NAME`";

/// Rules whose `max_age` no session of a browser ever reaches, and such as ask for a second factor that nobody can show, as
/// `auth.login.second_factor` may; and what is offered to people who cannot use it.
pub(in crate::config) fn sign_ins(
    config: &Config,
    places: &[Places],
    sign_in_places: &SignInPlaces,
) -> Vec<Finding> {
    let services = config.services.iter().zip(places);
    let found = services.flat_map(|(service, places)| {
        let idle = idle(service, places, config);
        idle.chain(unmeetable(service, places, config))
    });
    let SignInPlaces {
        second_factor,
        change_password,
        passkeys,
    } = *sign_in_places;
    let unmet = second_factor.and_then(|span| locked_out(config, span));
    let unshared = change_password.and_then(|span| unshared_users(config, span));
    let idle = passkeys.and_then(|span| idle_passkeys(config, span));
    let whole = [unmet, unshared, idle].into_iter().flatten();
    whole.chain(found).collect()
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

/// A password that one replica writes is not known to be in the list of another.
fn unshared_users(config: &Config, span: Span) -> Option<Finding> {
    let is_unsure = config.auth.change_password == ChangePassword::On
        && matches!(config.state, StateSettings::Redis(_));
    is_unsure.then(|| {
        let message =
            "nobody can change their password: replicas may have a user list each, and nothing says that it is one";
        Finding::warning(Code::UnsharedUsers, span, message.to_owned()).help(
            "write `change_password: shared` where all replicas read one file, on a volume that they share, or take it away",
        )
    })
}

/// Keys that nobody is asked for and nobody can add, or that are of no host's domain.
fn idle_passkeys(config: &Config, span: Span) -> Option<Finding> {
    let auth = &config.auth;
    let passkeys = auth.passkeys.as_ref()?;
    let finding = |message| Finding::warning(Code::IdlePasskeys, span, message);
    if auth.second_factor == SecondFactorPolicy::Off {
        let message = "nobody can add a passkey: `auth.login.second_factor` is `off`".to_owned();
        return Some(finding(message).help("take `second_factor: off` away, or `passkeys`"));
    }
    let rp_id = passkeys.rp_id.as_ref()?;
    let is_of_domain = |host: &HostPattern| match host.parent() {
        Some(parent) => rp_id.covers(parent) || host.covers(rp_id.as_str()),
        None => rp_id.covers(&host.to_string()),
    };
    let has_keys =
        |service: &Service| service.hosts.is_empty() || service.hosts.iter().any(is_of_domain);
    (!config.services.iter().any(has_keys)).then(|| {
        let message = format!("no host has passkeys: none of `hosts` is `{rp_id}` or below it");
        finding(message).help(
            "write the domain that the hosts have in common, or leave `rp_id` out: then each host has keys of its own",
        )
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
            let finding = finding.about([span, places.service]);
            finding.help("write a shorter `max_age`, or take it away")
        })
    })
}
