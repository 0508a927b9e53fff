//! The gateway as clients, upstreams and operators meet it: the real binary, real sockets, real files.
#![allow(
    clippy::too_many_lines,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    unreachable_pub,
    missing_docs,
    reason = "a test ends where something is missing"
)]

mod support;

mod access;
mod admin;
mod admin_api;
mod algorithms;
mod answers;
mod api_keys;
mod attempts;
mod audit;
mod audit_stream;
mod audit_waits;
mod backchannel;
mod balance;
mod black_hole;
mod bodies;
mod browser_sessions;
mod check;
mod chromium;
mod client_addresses;
mod clock;
mod commands;
mod compose;
mod connections;
mod cookies;
mod curl;
mod dashboard;
mod demo;
mod diff;
mod docs;
mod drain;
mod early_answers;
mod explain;
mod ext_authz;
mod failing_servers;
mod failover;
mod fastapi;
mod floods;
mod former_cookies;
mod framing;
mod grpc;
mod h2_downstream;
mod h2_endings;
mod health;
mod help;
mod identity_headers;
mod image;
mod instructions;
mod key_rotation;
mod kubernetes;
mod ldap;
mod limits;
mod limits_of_memory;
mod listeners;
mod login_page;
mod logins;
mod logout;
mod logs;
mod malformed;
mod oauth_clients;
mod observability;
mod one_policy;
mod own_bearer;
mod own_cors;
mod parked;
mod policy_tests;
mod provider_endpoints;
mod provider_sign_in;
mod providers;
mod proxy;
mod proxy_protocol;
mod rates;
mod refresh;
mod refusal_pages;
mod refusals;
mod reload;
mod relying_party;
mod renewals;
mod report;
mod resting;
mod routes;
mod sbom;
mod schema;
mod service_manager;
mod session_commands;
mod session_endings;
mod session_store;
mod session_tunnels;
mod shared_caches;
mod state_file;
mod state_redis;
mod systemd;
mod tls;
mod tls_proxies;
mod tokens;
mod traces;
mod trusted_issuers;
mod upgrades;
mod upstream_failures;
mod upstream_h2;
mod upstream_tls;
mod upstream_unix;
mod user_commands;
mod verify;
mod watch;
mod webdav;
mod withdrawn_trust;
