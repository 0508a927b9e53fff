//! Asks providers again whether the sessions of browsers still hold, beside the requests that notice that it is time.
//!
//! A request leaves word through its worker's [`RenewalView`], and goes on. The service has a thread of its own. It renews each
//! session once at a time, over all replicas: who renews has a lease in the store. A refresh token that the provider has
//! exchanged is stored before anything else is done with the answer: shown a second time, the former one would count as stolen.
//! What came of it is read by requests from [`RenewalView::find`], without a lock, and by other replicas from the store.
//!
//! A session that the provider refuses ends everywhere. While the provider is away its sessions live on; it is tried again with
//! growing pauses, and by one session at a time, however many wait.

mod gate;
mod provider;
mod renewed;
mod request;
mod service;
mod task;

pub use provider::{IdentityProvider, ProviderFuture, RefreshedTokens, RenewalError};
pub use renewed::RenewedSession;
pub use request::RenewalRequest;
pub use service::{RenewalView, Renewals};

#[cfg(test)]
mod tests;
