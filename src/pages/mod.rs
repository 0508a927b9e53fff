//! The pages that people see: templates, their values, and the policy under which a browser shows them.
//!
//! minijinja fills them in and escapes every value. What it leaves to its user is decided here: `source` accepts only
//! statements that keep escaping on and places where an escaped value is safe, and `theme` shows the built-in page where
//! an own one cannot be rendered. `values` declares the values of each page once. `script` adds the one script there is to pages that offer passkeys.

mod duration;
mod error;
mod kind;
mod markup;
mod script;
mod source;
#[cfg(test)]
mod tests;
mod theme;
mod values;

pub use duration::DurationInWords;
pub use error::TemplateError;
pub use kind::PageKind;
pub use script::{PasskeyScript, PasskeyStep};
pub use theme::{RenderedPage, Theme};
pub use values::{
    AccountPage, CookieMissing, EnrolPage, PageItem, PageValues, PassingPage, RecoveryPage,
    RefusedPage, SecondFactorPage, SettingsPage, SignInPage,
};
