//! Second factors as data: secrets of one-time codes (TOTP, RFC 6238), the codes, recovery codes, and how many wrong ones are too
//! many.
//!
//! Nothing here asks a clock, chance or a store: time and random bytes are arguments, and that a code is good once is seen to by who
//! keeps the last step that was used.

mod code;
mod enrol;
mod misses;
mod one_time;
mod policy;
mod recovery;
mod secret;

pub use code::{CodeMatch, STEP, TotpCode};
pub use enrol::TotpUri;
pub use misses::{MISSES, Misses, WINDOW};
pub use one_time::OneTimeCode;
pub use policy::SecondFactorPolicy;
pub use recovery::{RECOVERY_CODES, RecoveryCode, RecoveryHash};
pub use secret::{TotpSecret, TotpSecretError, secret_in_base32};
