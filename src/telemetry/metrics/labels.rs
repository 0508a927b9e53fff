//! The values of labels that the gateway itself chooses. Each set is closed, so no client can make a series.

/// A closed set of label values.
pub(super) trait Label: Copy + 'static {
    /// Every value, in the order of declaration.
    const ALL: &'static [Self];

    /// Its place in [`Self::ALL`].
    fn index(self) -> usize;

    /// How it is written.
    fn text(self) -> &'static str;
}

/// One count for each value of a label.
pub(super) type ByLabel<L> = Vec<(L, u64)>;

/// Every value of a label with its count.
pub(super) fn read_all<L: Label>(read: impl Fn(L) -> u64) -> ByLabel<L> {
    L::ALL.iter().map(|label| (*label, read(*label))).collect()
}

macro_rules! labels {
    ($($(#[$about:meta])* $set:ident { $($(#[$meaning:meta])* $value:ident => $text:literal,)+ })+) => {$(
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $set {
            $($(#[$meaning])* $value,)+
        }

        impl Label for $set {
            const ALL: &'static [Self] = &[$(Self::$value),+];

            fn index(self) -> usize {
                self as usize
            }

            fn text(self) -> &'static str {
                match self {
                    $(Self::$value => $text,)+
                }
            }
        }

        impl $set {
            /// How it is written in metrics and log lines.
            pub fn label(self) -> &'static str {
                self.text()
            }
        }
    )+};
}

labels! {
    /// What became of a request, the `decision` label.
    RequestOutcome {
        /// A rule allowed it, and it was sent to the upstream, with or without success.
        Allowed => "allowed",
        /// A rule would have refused it, but the service only reports; it was forwarded.
        Reported => "reported",
        /// It needed a (better) credential.
        Unauthenticated => "unauthenticated",
        /// The caller may not send it.
        Forbidden => "forbidden",
        /// It was ambiguous or malformed.
        BadRequest => "bad_request",
        /// No service serves this host and path.
        NotFound => "not_found",
        /// It was larger than a limit, or the gateway was full.
        Limited => "limited",
        /// The gateway answered by itself: one of its own endpoints, or a CORS preflight.
        Gateway => "gateway",
    }

    /// The first digit of a status code, the `status` label.
    StatusClass {
        /// 100 to 199: a switch of protocols.
        Informational => "1xx",
        /// 200 to 299.
        Success => "2xx",
        /// 300 to 399.
        Redirection => "3xx",
        /// 400 to 499.
        ClientError => "4xx",
        /// 500 to 599.
        ServerError => "5xx",
        /// The client went away before there was an answer.
        Unanswered => "none",
    }

    /// What went wrong between the gateway and an upstream.
    UpstreamErrorKind {
        /// No connection: refused, unreachable, or no such name.
        Connect => "connect",
        /// No connection within the time for it.
        ConnectTimeout => "connect_timeout",
        /// No head of an answer within the time for it.
        ResponseTimeout => "response_timeout",
        /// The connection broke before the answer was whole.
        Reset => "reset",
        /// The answer was not HTTP.
        Protocol => "protocol",
        /// There was no healthy server to ask.
        Unavailable => "unavailable",
    }

    /// How a login ended.
    LoginOutcome {
        /// Tokens were issued.
        Success => "success",
        /// The name or the password was wrong.
        Invalid => "invalid",
        /// The password was right, and a second factor is missing.
        SecondFactor => "second_factor_required",
        /// More logins than the gateway has time for.
        Busy => "busy",
        /// Too many attempts: the password was not looked at, or does not count.
        LockedOut => "locked_out",
        /// The state store could not be used.
        Unavailable => "unavailable",
        /// The request was not a login.
        Malformed => "malformed",
        /// The password was right, but no token could be made.
        Failed => "failed",
        /// The person said no at the provider, or may not sign in here.
        Denied => "denied",
    }

    /// A second factor that was shown after a password.
    SecondFactorUse {
        /// A code of an authenticator app, and right.
        Totp => "totp",
        /// A recovery code, and right.
        RecoveryCode => "recovery_code",
        /// A passkey; also one in place of the password.
        Passkey => "passkey",
        /// A security key without a PIN.
        SecurityKey => "security_key",
        /// Neither.
        Wrong => "wrong",
    }

    /// What came of a question to a provider of identities.
    ProviderResult {
        /// It was answered.
        Success => "success",
        /// The answer was no: a wrong password, somebody who is gone.
        Refused => "refused",
        /// There was no answer that says anything.
        Unavailable => "unavailable",
    }

    /// How a refresh ended.
    RefreshOutcome {
        /// Tokens were issued.
        Success => "success",
        /// The refresh token, or its user, is not good any more.
        Refused => "refused",
        /// The refresh token was spent before: its session was ended.
        Reused => "reused",
        /// The request was not a refresh.
        Malformed => "malformed",
        /// The state store could not be used.
        Unavailable => "unavailable",
        /// The refresh token was good, but no access token could be made.
        Failed => "failed",
    }

    /// How a reload of the configuration ended.
    ReloadOutcome {
        /// The new configuration is in force.
        Applied => "applied",
        /// The files are as before, and in force.
        Unchanged => "unchanged",
        /// The files have problems; the former configuration stays in force.
        Refused => "refused",
    }

    /// How a fetch of another issuer's keys ended.
    FetchOutcome {
        /// A key set arrived.
        Success => "success",
        /// It did not; the former keys stay in use.
        Failure => "failure",
    }

    /// Why a client connection was closed without an answer of a service.
    ConnectionRejection {
        /// As many connections as allowed were open.
        Limit => "limit",
        /// No complete request head within the time for it.
        Timeout => "timeout",
        /// The bytes were not HTTP.
        Malformed => "malformed",
        /// No TLS handshake, or none within the time for it.
        Handshake => "handshake",
        /// A trusted proxy did not say who its client is.
        ProxyProtocol => "proxy_protocol",
        /// More frames, resets or errors of HTTP/2 than honest clients make.
        Flood => "flood",
        /// The operating system could not accept it.
        Accept => "accept",
    }

    /// Why a token was refused.
    TokenRefusal {
        /// Not a token, or one with a claim missing or of the wrong type.
        Malformed => "malformed",
        /// Another algorithm, key, or signature.
        Signature => "signature",
        /// An API key that no user has.
        ApiKey => "api_key",
        /// A user name and a password that are not accepted.
        Password => "password",
        /// Its time is over.
        Expired => "expired",
        /// Its time has not come.
        Premature => "premature",
        /// Made by, or for, somebody else.
        Scope => "scope",
        /// Its session was ended, or it is older than its user allows.
        Revoked => "revoked",
        /// Its user is gone or disabled.
        User => "user",
    }

    /// What a connection to an upstream is doing.
    UpstreamConnection {
        /// Waiting for a request.
        Idle => "idle",
        /// Serving one.
        Active => "active",
    }
}

impl RequestOutcome {
    /// Whether a request was refused, or would have been: what is worth a look.
    pub fn is_denial(self) -> bool {
        match self {
            Self::Allowed | Self::Gateway => false,
            Self::Reported | Self::Unauthenticated | Self::Forbidden => true,
            Self::BadRequest | Self::NotFound | Self::Limited => true,
        }
    }
}

impl StatusClass {
    /// The class of a status code; anything outside 100 to 599 counts as unanswered.
    pub(super) fn of(status: u16) -> Self {
        match status / 100 {
            1 => Self::Informational,
            2 => Self::Success,
            3 => Self::Redirection,
            4 => Self::ClientError,
            5 => Self::ServerError,
            _ => Self::Unanswered,
        }
    }
}
