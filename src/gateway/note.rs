//! What the operator hears of logins, refreshes and logouts: counts, and events in one stable form.

use http::Method;

use super::worker::Worker;
use crate::access::ClientAddress;
use crate::ambient;
use crate::portal::{
    AccountEvent, LoginDenial, LoginEvent, PortalEndpoint, PortalReply, ProviderDenial,
    ProviderLoginEvent, RefreshDenial, SessionEvent, ShownFactor,
};
use crate::telemetry::metrics::{LoginOutcome, RefreshOutcome, SecondFactorUse};

/// Counts and logs what became of a request to the portal. `user`: whom it identifies. Returns the reason for its access-log line.
pub(super) fn note(
    worker: &Worker,
    reply: &PortalReply,
    (method, endpoint): (&Method, PortalEndpoint),
    (client, user): (ClientAddress, Option<&str>),
) -> Option<String> {
    if let Some(login) = &reply.login {
        return Some(note_login(worker, login, client));
    }
    if let Some(login) = &reply.provider_login {
        return Some(note_provider_login(worker, login, client));
    }
    if let Some(session) = &reply.session {
        return Some(note_session(worker, session, client, user));
    }
    if let Some(event) = &reply.account {
        return Some(note_account(event, client, user));
    }
    if let Some(why) = &reply.refusal {
        // as a text in quotes: a client has a part in it
        tracing::warn!(event = "form_refused", client_ip = %client, reason = why.as_str());
    }
    if method == Method::POST {
        match endpoint {
            PortalEndpoint::Login | PortalEndpoint::Token => {
                worker.metrics.login(LoginOutcome::Malformed)
            }
            PortalEndpoint::Introspect | PortalEndpoint::Revoke => {}
            PortalEndpoint::ServerMetadata | PortalEndpoint::ResourceMetadata => {}
            PortalEndpoint::Refresh => worker.metrics.refresh(RefreshOutcome::Malformed),
            PortalEndpoint::Logout
            | PortalEndpoint::Me
            | PortalEndpoint::Account
            | PortalEndpoint::Passkey(_)
            | PortalEndpoint::Keys
            | PortalEndpoint::Unknown => {}
            PortalEndpoint::LoginWith | PortalEndpoint::Callback | PortalEndpoint::Backchannel => {}
            PortalEndpoint::Docs | PortalEndpoint::Asset(_) | PortalEndpoint::OpenApi => {}
        }
    }
    reply.refusal.clone()
}

/// One line a login, for programs that ban addresses: `config/fail2ban` reads it.
pub(super) fn note_login(worker: &Worker, login: &LoginEvent, client_ip: ClientAddress) -> String {
    let user = &*login.user;
    match login.outcome {
        Ok(()) => {
            worker.metrics.login(LoginOutcome::Success);
            let second_factor = login.second_factor.map(|shown| {
                worker.metrics.second_factor(use_of(shown));
                shown.label()
            });
            tracing::info!(event = "login", %client_ip, user, second_factor);
            worker.signed_in("login", "", (user, ""), client_ip);
            "login".to_owned()
        }
        // it is half of a login, and no failure
        Err(denial @ (LoginDenial::SecondFactor | LoginDenial::NoFactor)) => {
            worker.metrics.login(LoginOutcome::SecondFactor);
            tracing::info!(event = "second_factor_required", %client_ip, user, reason = denial.label());
            worker.signed_in(
                "second_factor_required",
                denial.label(),
                (user, ""),
                client_ip,
            );
            denial.label().replace('_', " ")
        }
        Err(denial) => {
            if matches!(denial, LoginDenial::WrongCode(_)) {
                worker.metrics.second_factor(SecondFactorUse::Wrong);
            }
            worker.metrics.login(match denial {
                LoginDenial::Invalid(_)
                | LoginDenial::TooLong(_)
                | LoginDenial::WrongCode(_)
                | LoginDenial::Continuation
                | LoginDenial::Client => LoginOutcome::Invalid,
                LoginDenial::SecondFactor | LoginDenial::NoFactor => LoginOutcome::SecondFactor,
                LoginDenial::Busy => LoginOutcome::Busy,
                LoginDenial::LockedOut(_) => LoginOutcome::LockedOut,
                LoginDenial::Away | LoginDenial::DirectoryAway => LoginOutcome::Unavailable,
                LoginDenial::NoToken(_) | LoginDenial::Unreadable => LoginOutcome::Failed,
            });
            tracing::warn!(event = "login_failed", %client_ip, user, reason = denial.label(), remark = denial.remark());
            worker.signed_in("login_failed", denial.label(), (user, ""), client_ip);
            format!("login failed: {}", denial.label().replace('_', " "))
        }
    }
}

fn use_of(shown: ShownFactor) -> SecondFactorUse {
    match shown {
        ShownFactor::Totp => SecondFactorUse::Totp,
        ShownFactor::RecoveryCode => SecondFactorUse::RecoveryCode,
        ShownFactor::Passkey => SecondFactorUse::Passkey,
        ShownFactor::SecurityKey => SecondFactorUse::SecurityKey,
    }
}

/// The same for a login with a provider. `detail` is what the operator can do something about.
fn note_provider_login(
    worker: &Worker,
    login: &ProviderLoginEvent,
    client_ip: ClientAddress,
) -> String {
    let (user, provider) = (&*login.user, &*login.provider);
    match login.outcome {
        Ok(()) => {
            worker
                .metrics
                .provider_login(provider, LoginOutcome::Success);
            tracing::info!(event = "login", %client_ip, user, provider);
            worker.signed_in("login", "", (user, provider), client_ip);
            "login".to_owned()
        }
        Err(denial) => {
            let (label, detail) = (denial.label(), login.detail.as_deref());
            worker.metrics.provider_login(provider, outcome_of(denial));
            tracing::warn!(event = "login_failed", %client_ip, user, provider, reason = label, detail);
            worker.signed_in("login_failed", label, (user, provider), client_ip);
            format!("login failed: {}", label.replace('_', " "))
        }
    }
}

fn outcome_of(denial: ProviderDenial) -> LoginOutcome {
    match denial {
        ProviderDenial::Away | ProviderDenial::StateAway => LoginOutcome::Unavailable,
        ProviderDenial::Refused | ProviderDenial::Invalid => LoginOutcome::Invalid,
        ProviderDenial::Denied | ProviderDenial::NotAllowed => LoginOutcome::Denied,
        ProviderDenial::TooLarge | ProviderDenial::NoToken => LoginOutcome::Failed,
    }
}

fn note_session(
    worker: &Worker,
    event: &SessionEvent,
    client_ip: ClientAddress,
    caller: Option<&str>,
) -> String {
    match event {
        SessionEvent::Refresh { user, outcome } => {
            let user = user.as_deref();
            worker.metrics.refresh(refresh_outcome(*outcome));
            match outcome {
                Ok(()) => "refresh".to_owned(),
                Err(denial) => {
                    // a spent token that is shown again may be a stolen one
                    if *denial == RefreshDenial::Reused {
                        tracing::warn!(event = "refresh_token_reused", %client_ip, user, "the session was ended");
                    } else {
                        tracing::info!(event = "refresh_failed", %client_ip, user, reason = denial.label());
                    }
                    worker.signed_in(
                        "refresh_failed",
                        denial.label(),
                        (user.unwrap_or_default(), ""),
                        client_ip,
                    );
                    format!("refresh failed: {}", denial.label().replace('_', " "))
                }
            }
        }
        SessionEvent::Logout(Ok(())) => {
            tracing::info!(event = "logout", %client_ip, user = caller);
            worker.signed_in("logout", "", (caller.unwrap_or_default(), ""), client_ip);
            "logout".to_owned()
        }
        SessionEvent::Logout(Err(_)) => "logout failed: state away".to_owned(),
    }
}

fn note_account(event: &AccountEvent, client_ip: ClientAddress, user: Option<&str>) -> String {
    let change = event.change.label();
    match event.outcome {
        Ok(()) => {
            tracing::info!(event = change, %client_ip, user);
            change.replace('_', " ")
        }
        Err(reason) => {
            tracing::warn!(event = "account_not_changed", change, %client_ip, user, reason);
            format!("account not changed: {}", reason.replace('_', " "))
        }
    }
}

impl Worker {
    fn signed_in(
        &self,
        event: &'static str,
        reason: &'static str,
        who: (&str, &str),
        client: ClientAddress,
    ) {
        self.recent
            .signed_in(ambient::wall_clock(), event, reason, who, client);
    }
}

fn refresh_outcome(outcome: Result<(), RefreshDenial>) -> RefreshOutcome {
    match outcome {
        Ok(()) => RefreshOutcome::Success,
        Err(RefreshDenial::Refused) => RefreshOutcome::Refused,
        Err(RefreshDenial::Reused) => RefreshOutcome::Reused,
        Err(RefreshDenial::Away | RefreshDenial::DirectoryAway) => RefreshOutcome::Unavailable,
        Err(RefreshDenial::NoToken(_)) => RefreshOutcome::Failed,
    }
}
