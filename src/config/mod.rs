//! The configuration: from two YAML files to types that cannot be wrong.
//!
//! The files are read once into a tree that knows the place of every value (`yaml`); a typed `reader` over that tree
//! and `lower` turn it into a [`Config`], and every [`Problem`] on the way is collected. There is no second mechanism:
//! a key that nothing asked for is unknown, and whatever is asked for is checked where it is read. Of the users file
//! only one user at a time is a tree: it may be long.

mod admin_hosts;
mod admin_token;
mod blocks;
mod cases;
mod code;
pub mod edit;
mod excerpt;
mod files;
mod finding;
mod lint;
mod load;
mod lower;
mod partial;
mod places;
mod problem;
mod proxy_protocol;
mod reader;
mod render;
mod replace;
mod scalar;
mod secrecy;
mod section;
mod server_tls;
mod sessions;
mod settings;
mod shown;
mod slip;
mod span;
mod syntax;
mod user_list;
mod user_list_file;
mod value;
mod variables;
mod yaml;

pub use admin_hosts::AdminHosts;
pub use admin_token::AdminToken;
pub use blocks::{gateway_schema, users_schema};
pub use cases::{TestReport, TestResult};
pub use code::Code;
pub use files::are_unchanged;
pub use finding::did_you_mean;
pub use lint::LINTS;
pub use load::{LoadRequest, Loaded, Rehearsal, examine, load, rehearse, with_line};
pub use partial::{AdminAccess, find_admin, find_admin_access};
pub use problem::{Excerpt, Note, Place, Problem, Problems, Severity};
pub use proxy_protocol::{ProxiedTls, ProxyMode, ProxyProtocol};
pub use render::{Style, render, to_json};
pub use replace::{ReplaceError, create_like, replace};
pub use server_tls::{ClientCa, ServerTls};
pub use settings::{
    Auth, ChangePassword, Config, Issuer, KeyLife, KeySource, Listen, Log, LogFormat, Origin,
    Server, ServerLimits, ServerTimeouts, Service, ServiceView, Session, Token,
};
pub use user_list::{UsersPlace, find_users, read_users};
pub use user_list_file::{FormerList, UserListError, UserListFile};
pub use value::{
    SERVICE_NAME_FORM, duration, is_service_name, listen_address, moment, show_duration,
};
