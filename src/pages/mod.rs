//! The pages that people see: templates, their values, and the policy under which a browser shows them.
//!
//! minijinja fills them in and escapes every value. What it leaves to its user is decided here: `source` accepts only
//! statements that keep escaping on and places where an escaped value is safe, and `theme` shows the built-in page where
//! an own one cannot be rendered. `script` adds the one script there is to pages that offer passkeys.

mod account_values;
mod duration;
mod error;
mod kind;
mod markup;
mod script;
mod source;
#[cfg(test)]
mod tests;
mod theme;

pub use account_values::{EnrolPage, PageItem, RecoveryPage, SettingsPage};
pub use duration::DurationInWords;
pub use error::TemplateError;
pub use kind::{
    AccountPage, CookieMissing, PageKind, PassingPage, ProviderLink, RefusedPage, SecondFactorPage,
    SignInPage,
};
pub use script::{PasskeyScript, PasskeyStep};
pub use theme::{RenderedPage, Theme};
