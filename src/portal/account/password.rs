//! Somebody's own password: whether it can be changed here, and how it is.

use http::StatusCode;

use super::factors::FactorFailure;
use super::form::PasswordForm;
use crate::access::Identity;
use crate::ambient;
use crate::portal::denial::LoginDenial;
use crate::portal::fields::LoginRequest;
use crate::portal::place::place_of;
use crate::portal::{OwnPasswords, Portal};
use crate::session::{BrowserSession, PasswordResult, SessionSelector};
use crate::token::{AuthenticationMethod, SessionId, SessionToken, SignIn};
use crate::users::{
    NewPasswordFlaw, NewPasswordHash, PasswordChangeError, PasswordHash, SHORTEST_PASSWORD, Work,
};
use crate::wire::Intake;

/// The work of a hash for a user whose present one is no measure: of another kind, or too cheap.
const COST: u32 = 12;

/// The least work of a bcrypt hash that is worth keeping.
const LEAST_COST: u32 = 10;

/// What the page offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PasswordOffer {
    /// Nothing: it is off, or the person has no password here.
    Nothing,
    /// The form.
    Form,
    /// Why there is none.
    Note(&'static str),
}

/// Why the password is what it was.
pub(super) enum PasswordFailure {
    /// With what is said to people.
    Told(StatusCode, &'static str, &'static str),
    /// The present one was refused.
    Login(LoginDenial),
    /// Who has a second factor shows it first, or the factors cannot be read.
    Factor(FactorFailure),
}

const NOT_SHARED: &str = "Your password cannot be changed here: several gateways answer at this address, and nothing says \
                          that they share one list of users. Ask the operator of this site.";

impl Portal {
    pub(super) fn offers_password(&self, identity: &Identity) -> PasswordOffer {
        let user = self.directory.find(&identity.subject);
        let has_password = user.is_some_and(|user| user.password.is_some());
        match self.settings.own_passwords {
            OwnPasswords::Off => PasswordOffer::Nothing,
            OwnPasswords::On | OwnPasswords::NotShared if !has_password => PasswordOffer::Nothing,
            OwnPasswords::NotShared => PasswordOffer::Note(NOT_SHARED),
            OwnPasswords::On => PasswordOffer::Form,
        }
    }

    /// Changes the password of the person who sent the form, ends everything that was issued to them, and begins a session
    /// anew; `None` where that cannot begin now.
    pub(super) async fn change_password(
        &self,
        (identity, sign_in): (&Identity, SignIn),
        form: PasswordForm,
        intake: &Intake,
        now: u64,
    ) -> Result<Option<SessionToken>, PasswordFailure> {
        let changes = match (self.offers_password(identity), &self.password_changes) {
            (PasswordOffer::Form, Some(changes)) => changes,
            (PasswordOffer::Note(why), _) => return Err(refused(why, "not_shared")),
            (PasswordOffer::Form | PasswordOffer::Nothing, _) => {
                return Err(refused("Your password cannot be changed here.", "off"));
            }
        };
        // all that comes after would end sessions and begin one that counts from now
        let shown = self.check_own_factor(identity, sign_in).await;
        shown.map_err(PasswordFailure::Factor)?;
        if !form.is_repeated {
            return Err(unfit("The new password was not typed twice alike."));
        }
        let flaw = form.new.check_new(&form.current);
        flaw.map_err(|flaw| unfit(describe(flaw)))?;
        let request = LoginRequest {
            username: identity.subject.to_string(),
            password: form.current,
            otp: None,
        };
        let device = self.known_device(intake, &identity.subject, now);
        let client = intake.client.accountable_address();
        let checked = self.authenticate_password(request, client, device).await;
        let proven = checked.map_err(PasswordFailure::Login)?;
        // as at the sign-in: a password alone ends no count of wrong codes
        let result = if sign_in.has_second_factor() {
            PasswordResult::Pending
        } else {
            PasswordResult::Correct
        };
        let recorded = self.record_attempts(proven.attempts, result).await;
        recorded.map_err(PasswordFailure::Login)?;
        let hashed = self.hasher.hash(form.new, self.cost_of(identity)).await;
        let new = NewPasswordHash {
            user: identity.subject.clone(),
            hash: hashed.map_err(|_| PasswordFailure::Login(LoginDenial::Busy))?,
            tokens_valid_after: ambient::unix_seconds(),
        };
        let now = new.tokens_valid_after;
        changes.order(new).await.map_err(not_changed)?;
        let of = (identity, after_change(sign_in, now));
        Ok(self.begin_after_change(of, intake, now).await)
    }

    /// As much work as the present hash, if that is enough.
    fn cost_of(&self, identity: &Identity) -> u32 {
        let user = self.directory.find(&identity.subject);
        let present = user.and_then(|user| user.password.as_ref());
        match present.map(PasswordHash::work) {
            Some(Work::Bcrypt { cost }) if cost >= LEAST_COST => cost,
            Some(Work::Bcrypt { .. }) => LEAST_COST,
            Some(Work::Argon2id { .. }) | None => COST,
        }
    }

    /// What was issued before is refused by the list already. That it is ended as well is for what is open on behalf of a
    /// session, and for the lists of sessions.
    async fn begin_after_change(
        &self,
        (identity, sign_in): (&Identity, SignIn),
        intake: &Intake,
        now: u64,
    ) -> Option<SessionToken> {
        let (subject, times) = (&identity.subject, self.times(now));
        let all = SessionSelector::User(subject.clone());
        self.sessions.end_selected(&all, times).await.ok()?;
        let id = SessionId::from_bytes(ambient::random_bytes());
        let session = self.browsers.begin(subject, id, sign_in, now).ok()?;
        let record = BrowserSession::begun(subject, now, self.browsers.latest_end(now));
        let record = record.at_place(place_of(intake));
        let begun = self.sessions.begin_browser(id, record, times).await;
        begun.ok().map(|()| session)
    }
}

/// The sign-in of the session that begins after a change. A password is no second factor: where one was shown, it was shown when
/// it was.
fn after_change(sign_in: SignIn, now: u64) -> SignIn {
    SignIn {
        at: if sign_in.has_second_factor() {
            sign_in.at
        } else {
            Some(now)
        },
        methods: sign_in.methods.with(AuthenticationMethod::Password),
    }
}

fn refused(words: &'static str, label: &'static str) -> PasswordFailure {
    PasswordFailure::Told(StatusCode::FORBIDDEN, words, label)
}

fn unfit(words: &'static str) -> PasswordFailure {
    PasswordFailure::Told(StatusCode::UNPROCESSABLE_ENTITY, words, "unfit")
}

fn describe(flaw: NewPasswordFlaw) -> &'static str {
    const { assert!(SHORTEST_PASSWORD == 8) };
    match flaw {
        NewPasswordFlaw::TooShort => {
            "The new password is too short: it needs at least 8 characters."
        }
        NewPasswordFlaw::TooLong => "The new password is too long: at most 72 bytes count.",
        NewPasswordFlaw::Nul => "The new password holds a character that no password can have.",
        NewPasswordFlaw::Same => "The new password is the one that you have.",
    }
}

fn not_changed(error: PasswordChangeError) -> PasswordFailure {
    let words = match error {
        PasswordChangeError::NotWritable => {
            "Your password was not changed: the gateway cannot write its list of users. Please tell the operator of this \
             site."
        }
        PasswordChangeError::Busy => {
            "Your password was not changed: the list of users was being changed at the same moment. Please try again."
        }
        PasswordChangeError::Elsewhere => {
            "Your password was not changed: it is not kept in the list of users itself. Please ask the operator of this \
             site."
        }
        PasswordChangeError::Refused => {
            "Your password was not changed: the gateway's configuration has a problem at the moment. Please tell the \
             operator of this site."
        }
        PasswordChangeError::Unknown => {
            "It is not certain whether your password was changed. Please sign in with the new one, or else with the former \
             one."
        }
    };
    PasswordFailure::Told(StatusCode::SERVICE_UNAVAILABLE, words, error.label())
}
