//! Whether people are asked for a second factor.

/// `auth.login.second_factor`: what comes after a right password of the user list or of a directory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SecondFactorPolicy {
    /// Nothing, whatever somebody has.
    Off,
    /// Who has a second factor is asked for it. The default.
    #[default]
    Optional,
    /// Everybody is asked, and who has none adds one before anything else.
    Required,
}
