//! The pages that people see: templates, their values, and the policy under which a browser shows them.

mod escape;
mod look;
mod markup;
mod template;

pub use look::{Account, Look, Lost, PageKind, SignIn};
pub use template::{Page, TemplateError};
