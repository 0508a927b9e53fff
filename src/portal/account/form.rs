//! What a form of the account's page asks for.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use crate::portal::body_format::BodyFormat;
use crate::portal::fields::readable_pairs;
use crate::token::SessionId;
use crate::users::Password;

/// A change that is asked for.
pub(super) enum AccountForm {
    EndSession(SessionId),
    EndOthers,
    Password(PasswordForm),
    /// The secret of an app that is to be added is to be shown.
    BeginApp,
    /// The first code of it.
    AddApp(AppForm),
    RemoveApp,
    /// A passkey or a security key of this id.
    RemoveKey(Vec<u8>),
    RenewCodes,
    /// Codes that were made with a key are to be shown, sealed.
    ShowCodes(Zeroizing<String>),
}

/// The form with the first code of an app.
pub(super) struct AppForm {
    /// The secret, as the page had it.
    pub(super) sealed: Zeroizing<String>,
    pub(super) otp: Zeroizing<String>,
}

/// The form for another password.
pub(super) struct PasswordForm {
    pub(super) current: Password,
    pub(super) new: Password,
    /// Whether the new one was typed twice.
    pub(super) is_repeated: bool,
}

impl AccountForm {
    /// Reads a whole body; `None` where it is no form of the page. Of several values of a field the first counts.
    pub(super) fn read(format: &BodyFormat, body: &[u8]) -> Option<Self> {
        let pairs = readable_pairs(format, body);
        let value = |name: &str| {
            let found = pairs.iter().find(|(field, _)| **field == name);
            found.map(|(_, value)| value)
        };
        match value("change")?.as_str() {
            "end_session" => SessionId::parse(value("session")?).map(Self::EndSession),
            "end_others" => Some(Self::EndOthers),
            "password" => {
                let (new, again) = (value("new")?, value("again")?);
                Some(Self::Password(PasswordForm {
                    current: value("current")?.clone().into(),
                    new: new.clone().into(),
                    is_repeated: new == again,
                }))
            }
            "begin_app" => Some(Self::BeginApp),
            "add_app" => Some(Self::AddApp(AppForm {
                sealed: value("sealed")?.clone(),
                otp: value("otp")?.clone(),
            })),
            "remove_app" => Some(Self::RemoveApp),
            "remove_key" => URL_SAFE_NO_PAD
                .decode(value("id")?.as_bytes())
                .ok()
                .map(Self::RemoveKey),
            "renew_codes" => Some(Self::RenewCodes),
            "show_codes" => Some(Self::ShowCodes(value("sealed")?.clone())),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> Option<AccountForm> {
        AccountForm::read(&BodyFormat::Form, body.as_bytes())
    }

    #[test]
    fn each_form_is_read_and_nothing_else() {
        let id = SessionId::from_bytes([7; 16]);
        let found = read(&format!("change=end_session&session={id}"));
        assert!(matches!(found, Some(AccountForm::EndSession(found)) if found == id));
        assert!(matches!(
            read("change=end_others"),
            Some(AccountForm::EndOthers)
        ));
        for (again, expected) in [("b+c", true), ("b%20c", true), ("bc", false), ("", false)] {
            let form = read(&format!("change=password&current=a&new=b+c&again={again}"));
            let Some(AccountForm::Password(form)) = form else {
                panic!("it is a form");
            };
            assert_eq!(form.is_repeated, expected, "{again}");
        }
        let key = read("change=remove_key&id=-_8");
        assert!(matches!(key, Some(AccountForm::RemoveKey(id)) if id == [0xfb, 0xff]));
        for (body, expected) in [
            ("change=begin_app", true),
            ("change=add_app&sealed=a&otp=1", true),
            ("change=add_app&sealed=a", false),
            ("change=remove_app", true),
            ("change=remove_key", false),
            ("change=remove_key&id=%2B/8", false),
            ("change=renew_codes", true),
            ("change=show_codes&sealed=a", true),
            ("change=show_codes", false),
        ] {
            assert_eq!(read(body).is_some(), expected, "{body}");
        }
        for broken in [
            "",
            "change=",
            "change=other",
            "session=x",
            "change=end_session",
            "change=end_session&session=x",
            "change=password&current=a&new=b",
            "change=%zz",
        ] {
            assert!(read(broken).is_none(), "{broken}");
        }
    }
}
