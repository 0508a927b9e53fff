//! Records requests in the audit stream.

use std::sync::Arc;

use super::facts::Route;
use super::record::RequestRecord;
use crate::ambient;
use crate::portal::{AccountEvent, LoginEvent, PortalReply, ProviderLoginEvent, SessionEvent};
use crate::telemetry::audit::{Audit, AuditOutcome, AuditRecord};
use crate::telemetry::metrics;

/// Takes a place for what may come of a request, right before it is decided. Where that takes a wait, it is decided with
/// what is in force afterwards.
pub(super) async fn reserve(record: &mut RequestRecord, audit: Arc<Audit>) {
    record.reservation = audit.try_reserve();
    if record.reservation.is_none() {
        // on the heap: what few requests need would make the state of all of them larger
        record.reservation = Some(Box::pin(audit.reserve()).await);
        record.pin_again();
    }
}

/// Records a denial that is only reported. A request that is allowed leaves nothing to record: an answer of hours keeps no
/// place in the stream.
pub(super) fn decided(record: &mut RequestRecord) {
    match record.facts.outcome {
        metrics::RequestOutcome::Reported => denial(record),
        metrics::RequestOutcome::Allowed => record.reservation = None,
        metrics::RequestOutcome::Unauthenticated
        | metrics::RequestOutcome::Forbidden
        | metrics::RequestOutcome::BadRequest
        | metrics::RequestOutcome::NotFound
        | metrics::RequestOutcome::Limited
        | metrics::RequestOutcome::Gateway => {}
    }
}

/// A request to a service that was denied, or would have been.
pub(super) fn denial(record: &mut RequestRecord) {
    let outcome = match record.facts.outcome {
        metrics::RequestOutcome::Unauthenticated | metrics::RequestOutcome::Forbidden => {
            AuditOutcome::Failure
        }
        // who sends too much, but not what is too large
        metrics::RequestOutcome::Limited if record.facts.levels.is_some() => AuditOutcome::Failure,
        metrics::RequestOutcome::Reported => AuditOutcome::Reported,
        metrics::RequestOutcome::Allowed
        | metrics::RequestOutcome::BadRequest
        | metrics::RequestOutcome::NotFound => {
            return;
        }
        metrics::RequestOutcome::Limited | metrics::RequestOutcome::Gateway => return,
    };
    if !matches!(record.facts.route, Route::Service(_)) {
        return;
    }
    let Some(reservation) = record.reservation.take() else {
        return;
    };
    let service = record.service();
    let rule = service
        .zip(record.facts.rule)
        .map(|(service, id)| &*service.policy.rule(id).name);
    let denied = of(record, "denied", outcome)
        .maybe(
            "user",
            record.facts.user.as_ref().map(|user| &*user.subject),
        )
        .maybe("provider", record.facts.provider())
        .maybe("service", service.map(|service| service.name.as_str()))
        .maybe("rule", rule)
        .text("method", record.facts.method.as_str())
        .text("host", &record.facts.host)
        .text("path", &record.facts.path)
        .text("decision", record.facts.outcome.label())
        .maybe("reason", record.facts.reason.as_deref());
    reservation.write(&match record.status {
        Some(status) => denied.value("status", status),
        None => denied,
    });
}

/// A login, a refresh, a logout, or what somebody changed of their own account.
pub(super) fn portal(record: &mut RequestRecord, reply: &PortalReply) {
    let told = match (&reply.login, &reply.provider_login, &reply.session) {
        (Some(login), ..) => logged_in(record, login),
        (None, Some(login), _) => logged_in_with(record, login),
        (None, None, Some(session)) => used_session(record, session),
        (None, None, None) => match &reply.account {
            Some(event) => changed_account(record, event),
            None => return,
        },
    };
    if let Some(reservation) = record.reservation.take() {
        reservation.write(&told);
        lockouts(record, reply);
    }
}

/// At most one of some failed logins begins a lockout: their records find a place behind those.
fn lockouts(record: &RequestRecord, reply: &PortalReply) {
    let Some(audit) = &record.snapshot().audit else {
        return;
    };
    if let Some(LoginEvent {
        user,
        outcome: Err(denial),
        ..
    }) = &reply.login
    {
        for scope in denial.begun().unwrap_or_default().scopes() {
            audit.write(
                &of(record, "lockout", AuditOutcome::Success)
                    .text("user", user)
                    .text("scope", scope),
            );
        }
    }
}

fn logged_in(record: &RequestRecord, login: &LoginEvent) -> AuditRecord {
    let told = of(record, "login", outcome(&login.outcome)).text("user", &login.user);
    told.maybe(
        "second_factor",
        login.second_factor.map(|shown| shown.label()),
    )
    .maybe("reason", login.outcome.err().map(|denial| denial.label()))
}

fn logged_in_with(record: &RequestRecord, login: &ProviderLoginEvent) -> AuditRecord {
    let user = Some(&*login.user).filter(|user| !user.is_empty());
    let told = of(record, "login", outcome(&login.outcome)).maybe("user", user);
    told.text("provider", &login.provider)
        .maybe("reason", login.outcome.err().map(|denial| denial.label()))
}

fn used_session(record: &RequestRecord, event: &SessionEvent) -> AuditRecord {
    match event {
        SessionEvent::Refresh {
            user,
            outcome: ended,
        } => {
            let told = of(record, "refresh", outcome(ended)).maybe("user", user.as_deref());
            told.maybe("reason", ended.err().map(|denial| denial.label()))
        }
        SessionEvent::Logout(ended) => {
            let user = record.facts.user.as_ref().map(|user| &*user.subject);
            let told = of(record, "logout", outcome(ended)).maybe("user", user);
            let told = told.maybe("provider", record.facts.provider());
            told.maybe("reason", ended.err().map(|_| "state_away"))
        }
    }
}

fn changed_account(record: &RequestRecord, event: &AccountEvent) -> AuditRecord {
    let user = record.facts.user.as_ref().map(|user| &*user.subject);
    let told = of(record, event.change.label(), outcome(&event.outcome)).maybe("user", user);
    let told = told.maybe("provider", record.facts.provider());
    told.maybe("reason", event.outcome.err())
}

fn outcome<E>(result: &Result<(), E>) -> AuditOutcome {
    if result.is_ok() {
        AuditOutcome::Success
    } else {
        AuditOutcome::Failure
    }
}

/// With what every record of a request has.
fn of(record: &RequestRecord, event: &'static str, outcome: AuditOutcome) -> AuditRecord {
    AuditRecord::new(ambient::wall_clock(), event, outcome)
        .client(record.facts.client)
        .text(
            "request_id",
            record.facts.request_id.to_str().unwrap_or_default(),
        )
}
