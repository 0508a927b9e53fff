//! What comes after a right password: a code where one is asked for, and what it is worth.
//!
//! A right password of somebody with a second factor is recorded as neither right nor wrong until the factor is shown: it ends no
//! count of failures, and makes no network known. A wrong code counts like a wrong password, and for the account by itself
//! ([`Misses`](crate::factors::Misses)), in one step with the last step that was used: guesses made at once are not more than
//! guesses in turn, over all replicas. A code that was used already is refused, and counts as no guess.

use std::net::IpAddr;
use std::sync::Arc;

use zeroize::Zeroizing;

use super::Portal;
use super::admit::AdmittedAttempt;
use super::continuation::{Continuation, OpenedContinuation};
use super::denial::{LoginDenial, Missing};
use super::recovery::{FreshCodes, first_codes};
use super::shown_factor::ShownFactor;
use super::signed_in::SignedIn;
use crate::ambient;
use crate::factors::{CodeMatch, Misses, OneTimeCode, SecondFactorPolicy, TotpSecret};
use crate::ldap::LdapFailure;
use crate::session::{
    Begun, DeviceId, FactorError, FactorRecord, FactorSwap, LoginAttempt, OnceKey, PasswordResult,
    TotpFactor,
};
use crate::text::fold::fold;

/// How often the factors of a person are looked at anew where others change them at the same moment.
const RACES: usize = 8;

/// Who shows something, and when.
#[derive(Clone, Copy)]
pub(super) struct Asking {
    /// The address that failures count for.
    pub(super) client: IpAddr,
    /// The browser, where the account was signed in to with it before.
    pub(super) device: Option<DeviceId>,
    /// In seconds since 1970.
    pub(super) now: u64,
}

/// Whose password was right. It is not recorded yet.
pub(super) struct Proven {
    pub(super) user: SignedIn,
    /// The name that was typed.
    pub(super) name: String,
    pub(super) attempts: Vec<AdmittedAttempt>,
}

/// How far a login has come.
pub(super) enum LoginStep {
    /// To its end: who has signed in, with which second factor, and the recovery codes of one that was added by that.
    Done(SignedIn, Option<ShownFactor>, FreshCodes),
    /// A second factor is missing.
    Half(Box<HalfLogin>),
}

/// A login whose second factor is missing.
pub(super) struct HalfLogin {
    /// What stands for the password.
    pub(super) continuation: Continuation,
    pub(super) missing: Missing,
}

/// What is asked of somebody after the password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Needed {
    Nothing,
    Code,
    Enrolment,
}

/// What a code is worth.
#[derive(Clone, Copy)]
enum Spent {
    /// It is right, and used from now on.
    Fresh(ShownFactor),
    /// It was right, and is used already.
    Used,
    Wrong,
}

impl Portal {
    /// Goes on after a right password.
    ///
    /// # Errors
    /// [`LoginDenial`]; a wrong code that came with the password is denied like a wrong password.
    pub(super) async fn after_password(
        &self,
        proven: Proven,
        otp: Option<&str>,
        asking: &Asking,
    ) -> Result<LoginStep, LoginDenial> {
        let Proven {
            user,
            name,
            attempts,
        } = proven;
        let needed = match self.needed(&user).await {
            Ok(needed) => needed,
            Err(denial) => {
                give_back(attempts);
                return Err(denial);
            }
        };
        let result = match (needed, otp) {
            (Needed::Nothing, _) => PasswordResult::Correct,
            (Needed::Code, Some(otp)) => {
                let tried = self.try_code(&user, otp, None, attempts, asking).await?;
                return Ok(LoginStep::Done(user, Some(tried.0), tried.1));
            }
            (Needed::Code, None) | (Needed::Enrolment, _) => PasswordResult::Pending,
        };
        self.record_attempts(attempts, result).await?;
        let missing = match needed {
            Needed::Nothing => return Ok(LoginStep::Done(user, None, Vec::new())),
            Needed::Code => Missing::Factor,
            Needed::Enrolment => Missing::Enrolment,
        };
        let continuation = self.continue_from(&user, &name, needed, asking);
        Ok(LoginStep::Half(Box::new(HalfLogin {
            continuation,
            missing,
        })))
    }

    /// Goes on with what stands for a password, and a code. It is used up, whatever the code is worth.
    ///
    /// # Errors
    /// [`LoginDenial`].
    pub(super) async fn redeem_continuation(
        &self,
        opened: OpenedContinuation,
        otp: &str,
        asking: &Asking,
    ) -> Result<LoginStep, LoginDenial> {
        let OpenedContinuation {
            continuation,
            key,
            until,
        } = opened;
        let attempts = self.admit_again(&continuation, asking).await?;
        let user = self.still(&continuation, key, until, asking).await;
        let user = match user {
            Ok(user) => user,
            Err(denial) => {
                give_back(attempts);
                return Err(denial);
            }
        };
        let secret = continuation.secret();
        match self.try_code(&user, otp, secret, attempts, asking).await {
            Ok((shown, codes)) => Ok(LoginStep::Done(user, Some(shown), codes)),
            Err(LoginDenial::WrongCode(begun)) => Ok(LoginStep::Half(Box::new(HalfLogin {
                continuation: continuation.again(),
                missing: Missing::RightCode(begun),
            }))),
            Err(denial) => Err(denial),
        }
    }

    /// What stands for a password, if it is this client's; what a browser has shown is verified by the name in it.
    pub(super) fn open_continuation(
        &self,
        text: &str,
        client: IpAddr,
        now: u64,
    ) -> Result<OpenedContinuation, LoginDenial> {
        Continuation::open(self.browsers.sealer(), text, client, now)
            .ok_or(LoginDenial::Continuation)
    }

    /// Admits another attempt of the names that the first was counted under.
    pub(super) async fn admit_again(
        &self,
        continuation: &Continuation,
        asking: &Asking,
    ) -> Result<Vec<AdmittedAttempt>, LoginDenial> {
        let mut names = vec![continuation.name.clone(), continuation.subject.clone()];
        if continuation.is_of_directory {
            names = names.iter().map(|name| fold(name)).collect();
        }
        names.dedup();
        let mut attempts = Vec::with_capacity(names.len());
        for name in names {
            let attempt = LoginAttempt::new(&name, asking.client, asking.device);
            match self.admit(attempt).await? {
                Ok(admitted) => attempts.push(admitted),
                Err(throttled) => {
                    give_back(attempts);
                    return Err(throttled.into());
                }
            }
        }
        Ok(attempts)
    }

    /// Who has shown the password, if that counts still, and is used for the first time.
    pub(super) async fn still(
        &self,
        continuation: &Continuation,
        key: OnceKey,
        until: u64,
        asking: &Asking,
    ) -> Result<SignedIn, LoginDenial> {
        if !self.sessions.use_once(key, until, asking.now).await? {
            return Err(LoginDenial::Continuation);
        }
        let subject = &*continuation.subject;
        if continuation.is_of_directory {
            return match self.look_up(subject).await {
                Ok(identity) => Ok(SignedIn::Directory(identity)),
                Err(LdapFailure::Refused) => Err(LoginDenial::Continuation),
                Err(LdapFailure::Busy) => Err(LoginDenial::Busy),
                Err(LdapFailure::Unavailable(_)) => Err(LoginDenial::DirectoryAway),
            };
        }
        let user = self.directory.find(subject);
        let user = user.filter(|user| {
            user.password.is_some() && user.admit(Some(continuation.shown_at)).is_ok()
        });
        user.map(|user| SignedIn::Listed(Arc::clone(user)))
            .ok_or(LoginDenial::Continuation)
    }

    /// What somebody has added. Of a user of the list, nothing that was added before the name was theirs.
    ///
    /// # Errors
    /// [`FactorError`]; then nobody is taken for somebody without a factor.
    pub(super) async fn factors_of(&self, subject: &str) -> Result<FactorRecord, FactorError> {
        let user = self.directory.find(subject);
        let since = user.and_then(|user| user.extras().created);
        let sealer = self.browsers.sealer();
        self.sessions.find_factors(subject, since, sealer).await
    }

    async fn needed(&self, user: &SignedIn) -> Result<Needed, LoginDenial> {
        let policy = self.settings.second_factor;
        if policy == SecondFactorPolicy::Off {
            return Ok(Needed::Nothing);
        }
        let record = self.factors_of(&user.identity().subject).await?;
        Ok(match policy {
            _ if user.totp().is_some() || record.has_factor() => Needed::Code,
            SecondFactorPolicy::Required => Needed::Enrolment,
            SecondFactorPolicy::Off | SecondFactorPolicy::Optional => Needed::Nothing,
        })
    }

    fn continue_from(
        &self,
        user: &SignedIn,
        name: &str,
        needed: Needed,
        asking: &Asking,
    ) -> Continuation {
        let subject = &user.identity().subject;
        let mut continuation = Continuation::new(name, subject, asking.client, asking.now);
        continuation.is_of_directory = matches!(user, SignedIn::Directory(_));
        // what is added has to be there after a restart
        if needed == Needed::Enrolment && self.sessions.is_durable() {
            let random = Zeroizing::new(ambient::random_bytes());
            return continuation.enrolling(&TotpSecret::fresh(&random));
        }
        continuation
    }

    /// Tries a code, and records how that ended. `added`: the secret of an app that is added with its first code, and recovery
    /// codes with it.
    ///
    /// # Errors
    /// [`LoginDenial::WrongCode`], or why nothing was tried.
    async fn try_code(
        &self,
        user: &SignedIn,
        otp: &str,
        added: Option<&TotpSecret>,
        attempts: Vec<AdmittedAttempt>,
        asking: &Asking,
    ) -> Result<(ShownFactor, FreshCodes), LoginDenial> {
        let shown = match OneTimeCode::parse(otp) {
            Some(code) => self.spend_code(user, &code, added, asking).await,
            // nothing that could be right: it takes nothing from the account
            None => Ok((Spent::Wrong, Vec::new())),
        };
        match shown {
            Ok((Spent::Fresh(shown), codes)) => {
                self.record_attempts(attempts, PasswordResult::Correct)
                    .await?;
                Ok((shown, codes))
            }
            // whoever sends it has had the app: a form that was sent twice is no guess
            Ok((Spent::Used, _)) => {
                let begun = self
                    .record_attempts(attempts, PasswordResult::Pending)
                    .await?;
                Err(LoginDenial::WrongCode(begun))
            }
            Ok((Spent::Wrong, _)) => {
                let begun = self
                    .record_attempts(attempts, PasswordResult::Incorrect)
                    .await?;
                Err(LoginDenial::WrongCode(begun))
            }
            Err(denial) => {
                give_back(attempts);
                Err(denial)
            }
        }
    }

    /// Looks at a code, and keeps what came of it, both in one step.
    async fn spend_code(
        &self,
        user: &SignedIn,
        code: &OneTimeCode,
        added: Option<&TotpSecret>,
        asking: &Asking,
    ) -> Result<(Spent, FreshCodes), LoginDenial> {
        let (subject, sealer) = (&user.identity().subject, self.browsers.sealer());
        for _ in 0..RACES {
            let mut record = self.factors_of(subject).await?;
            let held = misses(&mut record, asking).held_until(asking.now);
            if let Some(until) = held {
                return Err(LoginDenial::LockedOut(
                    until.saturating_sub(asking.now).max(1),
                ));
            }
            let has_factor = user.totp().is_some() || record.has_factor();
            // who has added a factor meanwhile shows that one
            let added = added.filter(|_| !has_factor);
            let spent = spend(&mut record, code, [user.totp(), added], asking.now);
            let mut codes = Vec::new();
            match spent {
                Spent::Fresh(_) => {
                    misses(&mut record, asking).clear();
                    if let Some(secret) = added {
                        record.totp = Some(TotpFactor {
                            secret: secret.clone(),
                            added_at: asking.now,
                        });
                        codes = first_codes(&mut record);
                    }
                }
                Spent::Used => return Ok((spent, codes)),
                Spent::Wrong => misses(&mut record, asking).add(asking.now),
            }
            let swapped = self.sessions.swap_factors(subject, &record, sealer);
            match swapped.await? {
                FactorSwap::Done => return Ok((spent, codes)),
                FactorSwap::Raced | FactorSwap::TakenKey => {}
            }
        }
        Err(LoginDenial::Busy)
    }

    /// Records how an attempt ended, under each of its names; says what began with the first.
    pub(super) async fn record_attempts(
        &self,
        attempts: Vec<AdmittedAttempt>,
        result: PasswordResult,
    ) -> Result<Begun, LoginDenial> {
        let mut begun = None;
        for admitted in attempts {
            let recorded = self.record_attempt(admitted, result).await?;
            begun.get_or_insert(recorded);
        }
        Ok(begun.unwrap_or_default())
    }
}

/// Nothing is known: nothing counts.
pub(super) fn give_back(attempts: Vec<AdmittedAttempt>) {
    attempts
        .into_iter()
        .for_each(AdmittedAttempt::was_not_checked);
}

/// The wrong codes that count for this client: who has the password alone keeps the owner out of no browser that is known.
fn misses<'r>(record: &'r mut FactorRecord, asking: &Asking) -> &'r mut Misses {
    match asking.device {
        Some(_) => &mut record.known_misses,
        None => &mut record.misses,
    }
}

/// Looks at a code, which is used then. `others` are secrets that are not in the record.
fn spend(
    record: &mut FactorRecord,
    code: &OneTimeCode,
    others: [Option<&TotpSecret>; 2],
    now: u64,
) -> Spent {
    match code {
        OneTimeCode::Totp(code) => {
            let own = record.totp.as_ref().map(|totp| &totp.secret);
            let secrets = others.into_iter().chain([own]).flatten();
            let found = secrets.fold(CodeMatch::Wrong, |found, secret| {
                match (secret.look_at(code, now, record.last_step), found) {
                    (fresh @ CodeMatch::Fresh(_), _) => fresh,
                    (CodeMatch::Used, CodeMatch::Wrong) => CodeMatch::Used,
                    (CodeMatch::Used | CodeMatch::Wrong, found) => found,
                }
            });
            match found {
                CodeMatch::Fresh(step) => {
                    record.last_step = Some(step);
                    Spent::Fresh(ShownFactor::Totp)
                }
                CodeMatch::Used => Spent::Used,
                CodeMatch::Wrong => Spent::Wrong,
            }
        }
        OneTimeCode::Recovery(code) => {
            let hash = code.hash(&record.user_handle);
            let before = record.recovery_codes.len();
            record.recovery_codes.retain(|known| *known != hash);
            if record.recovery_codes.len() < before {
                Spent::Fresh(ShownFactor::RecoveryCode)
            } else {
                Spent::Wrong
            }
        }
    }
}
