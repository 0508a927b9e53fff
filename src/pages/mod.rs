//! The pages that people see: templates, their values, and the policy under which a browser shows them.

mod escape;
mod markup;
mod template;
mod theme;

pub use template::{Page, TemplateError};
pub use theme::{Account, CookieMissing, PageKind, SignIn, Theme};
