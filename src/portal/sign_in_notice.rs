//! What the sign-in page says to somebody who is signed in already, and where they go on whom the form does not help.

use super::me::PortalCaller;
use super::page::{PageQuery, SignInReason};
use super::{Portal, PortalContext};
use crate::access::Identity;
use crate::token::LDAP;

/// What stands above the form.
#[derive(Default)]
pub(super) struct SignInNotice {
    pub(super) text: String,
    /// Who is to sign in; empty where anybody may.
    pub(super) user: String,
    /// The page where the second factor is added that is missing; empty where none is missing or none can be added.
    pub(super) account: String,
}

/// What somebody has who is asked for a second factor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FactorStanding {
    /// A factor, or a provider that knows of it; also where what they have cannot be read.
    Has,
    /// None, and may add one.
    MayAdd,
    /// None, and cannot add one here.
    HasNone,
}

impl Portal {
    pub(super) async fn sign_in_notice(
        &self,
        query: &PageQuery,
        context: &PortalContext<'_>,
    ) -> SignInNotice {
        let PortalCaller::Known { identity, .. } = context.caller else {
            let signed_out = query.signed_out.then(|| "You are signed out.".to_owned());
            return SignInNotice {
                text: signed_out.unwrap_or_default(),
                ..SignInNotice::default()
            };
        };
        let name = identity.name.as_deref().unwrap_or(&identity.subject);
        let signed_in = format!("You are signed in as {name}.");
        let demand = match query.reason {
            SignInReason::StepUp(demand) => demand,
            SignInReason::Ordinary(_) | SignInReason::Switch => {
                return SignInNotice {
                    text: format!("{signed_in} That ends when you sign in as somebody else."),
                    ..SignInNotice::default()
                };
            }
        };
        if !demand.second_factor {
            let text = format!(
                "{signed_in} What you want to do asks for a sign-in that is not long ago: please confirm that it is you."
            );
            return SignInNotice::for_user(identity, text);
        }
        let asked = format!("{signed_in} What you want to do asks for a second factor");
        match self.factor_standing(identity).await {
            FactorStanding::Has => {
                SignInNotice::for_user(identity, format!("{asked}: please sign in with yours."))
            }
            FactorStanding::MayAdd => SignInNotice {
                text: format!(
                    "{asked}. You have none yet: add one to your account, then come back."
                ),
                account: self.account_at(query.next.as_ref()),
                ..SignInNotice::default()
            },
            FactorStanding::HasNone => {
                let text =
                    format!("{asked}. You have none yet: ask the operator of this site for one.");
                SignInNotice::for_user(identity, text)
            }
        }
    }

    async fn factor_standing(&self, identity: &Identity) -> FactorStanding {
        if self.has_listed_app(identity) {
            return FactorStanding::Has;
        }
        let found = self.factors_of(&identity.subject).await;
        if found.map_or(true, |record| record.has_factor()) {
            return FactorStanding::Has;
        }
        let is_of_provider = identity
            .provider
            .as_deref()
            .is_some_and(|name| name != LDAP);
        match self.offers_factors(identity) {
            true => FactorStanding::MayAdd,
            // what counts as a second factor there, its settings say
            false if is_of_provider => FactorStanding::Has,
            false => FactorStanding::HasNone,
        }
    }
}

impl SignInNotice {
    /// For somebody who is to sign in once more.
    fn for_user(identity: &Identity, text: String) -> Self {
        Self {
            text,
            user: identity.subject.to_string(),
            account: String::new(),
        }
    }
}
