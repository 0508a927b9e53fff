//! The pages as browsers get them.

use super::*;

const FORM: SignInPage<'_> = SignInPage {
    action: "/auth/login",
    next: "/a?b&c",
    user: "r\"",
    error: "",
    notice: "",
    providers: &[],
    password: "yes",
    account: "",
};

const ACCOUNT: AccountPage<'_> = AccountPage {
    action: "/out",
    next: "/",
    user: "rita",
    name: "",
    method: "a password",
    since: "",
    until: "",
    roles: "",
    switch: "/switch",
    settings: "/account",
    leaving: "",
};

const REFUSED: RefusedPage<'_> = RefusedPage {
    heading: "No",
    text: "Not so.",
    detail: "",
    retry: "",
    user: "",
    name: "",
    again: "",
    sign_in: "",
    status: "403",
    request_id: "17",
};

const COOKIE: CookieMissing<'_> = CookieMissing {
    action: "/auth/login",
    cookie: "__Host-gatelatch",
    reason: "why",
};

fn provider(title: &str, address: &str) -> PageItem {
    PageItem::new([("title", title.to_owned()), ("address", address.to_owned())])
}

fn own(kind: PageKind, text: &str) -> Result<Theme, String> {
    let mut theme = Theme::builtin("T");
    let replaced = theme.replace(kind, text);
    replaced.map(|()| theme).map_err(|error| error.to_string())
}

/// An own page that begins like this, and goes on with what it must have.
fn account(beginning: &str) -> Result<Theme, String> {
    own(
        PageKind::Account,
        &format!("{beginning}{{{{ action }}}}{{{{ user }}}}"),
    )
}

/// They are tried here, and not at each start.
#[test]
fn the_built_in_pages_pass_for_own_ones() {
    for kind in PageKind::ALL {
        let text = kind.spec().built_in_text();
        let tried = Theme::builtin("T").replace(kind, &text);
        assert!(tried.is_ok(), "{kind:?}: {tried:?}");
    }
}

#[test]
fn the_built_in_pages_are_whole() {
    let theme = Theme::builtin("<Sign in>");
    let page = theme.show(&FORM);
    for expected in [
        "<title>&lt;Sign in&gt;</title>",
        "action=\"&#x2f;auth&#x2f;login\"",
        "&#x2f;a?b&amp;c",
        "value=\"r&quot;\"",
    ] {
        assert!(page.html.contains(expected), "{expected}: {}", page.html);
    }
    for absent in [
        "http:",
        "https:",
        "<script",
        " style=",
        "role=\"alert\"",
        "{{",
        "{%",
    ] {
        assert!(!page.html.contains(absent), "{absent}");
    }
    assert!(page.html.ends_with("</html>\n"));
    let account = theme.show(&ACCOUNT);
    assert!(account.html.contains("Signed in as rita</p>"));
    assert!(account.html.contains("action=\"&#x2f;out\""));
    let named = theme.show(&AccountPage {
        name: "Rita",
        ..ACCOUNT
    });
    assert!(named.html.contains("Signed in as Rita (rita)</p>"));
    let missing = theme.show(&COOKIE);
    assert!(missing.html.contains("__Host-gatelatch") && missing.html.contains("why"));
    let refused = theme.show(&REFUSED);
    assert!(refused.html.contains("<h1>No</h1>") && refused.html.contains("<code>17</code>"));
    assert!(!refused.html.contains("href") && !refused.html.contains("Signed in"));
    let refused = theme.show(&RefusedPage {
        user: "rita",
        sign_in: "/in",
        ..REFUSED
    });
    let switch = ">Sign in as somebody else</a>";
    assert!(refused.html.contains(switch), "{}", refused.html);
    for page in [page, account, missing, refused] {
        let policy = page.policy.to_str().unwrap();
        assert!(policy.contains("style-src 'sha256-"), "{policy}");
    }
}

#[test]
fn the_sign_in_page_shows_the_ways_in_that_there_are() {
    let theme = Theme::builtin("T");
    let providers = [
        provider("Corporate account", "/auth/login/corp?next=/a"),
        provider("Partner", "/auth/login/partner"),
    ];
    for (providers, password, expected) in [
        (&providers[..0], "yes", (0, true, false)),
        (&providers[..1], "", (1, false, false)),
        (&providers[..1], "yes", (1, true, true)),
        (&providers[..], "yes", (2, true, true)),
    ] {
        let page = theme.show(&SignInPage {
            providers,
            password,
            ..FORM
        });
        let html = &page.html;
        let found = (
            html.matches("class=\"button provider").count(),
            html.contains("<form"),
            html.contains("or with a password"),
        );
        assert_eq!(found, expected, "{html}");
    }
    let page = theme.show(&SignInPage {
        providers: &providers,
        ..FORM
    });
    let link = "href=\"&#x2f;auth&#x2f;login&#x2f;corp?next=&#x2f;a\">Corporate account</a>";
    assert!(page.html.contains(link), "{}", page.html);
    let passing = theme.show(&PassingPage {
        heading: "Signed in",
        text: "",
        address: "/jobs?a&b",
    });
    assert!(passing.html.contains("href=\"&#x2f;jobs?a&amp;b\""));
}

#[test]
fn an_own_sign_in_page_may_show_the_providers() {
    let must = "{{ action }}{{ next }}{{ error }}";
    let shown = |text: &str| {
        let theme = own(PageKind::SignIn, &format!("{text}{must}"))?;
        let page = theme.show(&SignInPage {
            providers: &[provider("Corp", "/corp"), provider("Other", "/other")],
            ..FORM
        });
        Ok(page.html)
    };
    let list = "{% for p in providers %}<a href=\"{{ p.address }}\">{{ p.title }}</a>{% endfor %}";
    let html: Result<String, String> = shown(list);
    let expected = "<a href=\"&#x2f;corp\">Corp</a><a href=\"&#x2f;other\">Other</a>";
    assert!(html.unwrap().starts_with(expected));
    assert!(shown("").is_ok(), "one that was written without them");
    let wrong = shown("{% for p in providers %}{{ p.name.first }}{% endfor %}");
    assert!(wrong.unwrap_err().contains("has no parts"));
}

#[test]
fn every_value_of_every_page_is_escaped() {
    const MARKUP: &str = "\"><script>'&{{ title }}";
    let mut theme = Theme::builtin(MARKUP);
    for _ in 0..2 {
        let sign_in = theme.show(&SignInPage {
            action: MARKUP,
            next: MARKUP,
            user: MARKUP,
            error: MARKUP,
            notice: MARKUP,
            providers: &[provider(MARKUP, MARKUP)],
            account: "",
            password: MARKUP,
        });
        let account = theme.show(&AccountPage {
            action: MARKUP,
            next: MARKUP,
            user: MARKUP,
            name: MARKUP,
            method: MARKUP,
            since: MARKUP,
            until: MARKUP,
            roles: MARKUP,
            switch: MARKUP,
            settings: MARKUP,
            leaving: MARKUP,
        });
        let refused = theme.show(&RefusedPage {
            heading: MARKUP,
            text: MARKUP,
            detail: MARKUP,
            retry: MARKUP,
            user: MARKUP,
            name: MARKUP,
            again: MARKUP,
            sign_in: MARKUP,
            status: MARKUP,
            request_id: MARKUP,
        });
        let missing = theme.show(&CookieMissing {
            action: MARKUP,
            cookie: MARKUP,
            reason: MARKUP,
        });
        let escaped = "&quot;&gt;&lt;script&gt;&#x27;&amp;{{ title }}";
        for page in [sign_in, account, missing, refused] {
            assert!(!page.html.contains("<script"), "{}", page.html);
            let (wrong, right) = ("{{ title }}", escaped);
            let shown = page.html.matches(right).count();
            assert!(shown > 0 && shown == page.html.matches(wrong).count());
        }
        for (kind, text) in [
            (
                PageKind::SignIn,
                "{{ title }}<p a='{{ action }}' b=\"{{ next }}\">{{ user }}{% for x in [error, notice] %}{{ x }}{% endfor %}",
            ),
            (
                PageKind::Account,
                "{% set x = name %}{{ x }}{{ action }}{{ next }}{{ 'as ' ~ user }}",
            ),
            (
                PageKind::Refused,
                "{{ heading }}{{ detail }}<p title='{{ request_id }}'>{{ user or name }}",
            ),
            (
                PageKind::CookieMissing,
                "{{ cookie }}{{ reason if action else '' }}",
            ),
        ] {
            theme.replace(kind, text).unwrap();
        }
    }
}

#[test]
fn own_pages_take_the_place_of_built_in_ones() {
    let text = "{{ title }} {{ user }} {{ action }}\r\n{% if name %}x{% endif %}\n";
    let theme = own(PageKind::Account, text).unwrap();
    assert_eq!(theme.show(&ACCOUNT).html, "T rita &#x2f;out\n\n");
    assert_eq!(theme.show(&FORM), Theme::builtin("T").show(&FORM));
}

#[test]
fn a_page_that_could_not_be_shown_is_refused() {
    for (text, expected) in [
        (
            "\n{% if name %}{{ naem }}{% endif %}",
            "line 2: `{{ naem }}` means nothing here; known are `title`, `action`, `next`, `user`, `name`, `method`, `since`, `until`, `roles`, `switch`, `settings`, `leaving`",
        ),
        (
            "{{ reason }}",
            "line 1: `{{ reason }}` means nothing here; known are `title`, `action`, `next`, `user`, `name`, `method`, `since`, `until`, `roles`, `switch`, `settings`, `leaving`",
        ),
        (
            "{{ range(9) }}",
            "line 1: `{{ range }}` means nothing here; known are `title`, `action`, `next`, `user`, `name`, `method`, `since`, `until`, `roles`, `switch`, `settings`, `leaving`",
        ),
        (
            "x\n{% if name %}",
            "line 2: syntax error: unexpected end of input, expected end of block",
        ),
        (
            "\n\n{{ 1 + }}",
            "line 3: syntax error: unexpected end of variable block",
        ),
        (
            "{% if not name %}\n{{ user.first }}{% endif %}",
            "line 2: undefined value: a value is a text, and has no parts",
        ),
        (
            "{% if name is odd %}{% endif %}",
            "line 1: unknown test: test odd is unknown",
        ),
        (
            "{{ user.upper() }}",
            "line 1: unknown method: string has no method named upper",
        ),
        (
            "{{ '0123456789abcdef' * 1000000 }}",
            "line 1: engine ran out of fuel",
        ),
    ] {
        let error = account(text).map(drop);
        assert_eq!(error, Err(expected.to_owned()), "{text}");
    }
    for text in [
        "{{ user }}",
        "{{ user }}{% if action %}{% endif %}",
        "{{ user }}{# {{ action }} #}",
        "{{ user }}{% if user == 'rita' %}{{ action }}{% endif %}",
    ] {
        let expected = "the page does without `{{ action }}`, and cannot work";
        let refused = own(PageKind::Account, text).map(drop);
        assert_eq!(refused, Err(expected.to_owned()), "{text}");
    }
    // shown by some of the samples
    own(
        PageKind::Account,
        "{% if name %}{{ user }}{% else %}{{ action }}{% endif %}",
    )
    .unwrap();
}

#[test]
fn the_built_in_page_is_shown_where_an_own_one_fails() {
    // no sample value takes this branch
    let theme = account("own {% if user == 'rita' %}{{ user.first.last }}{% endif %}").unwrap();
    let rita = theme.show(&ACCOUNT);
    assert_eq!(rita, Theme::builtin("T").show(&ACCOUNT));
    let other = AccountPage {
        user: "bob",
        ..ACCOUNT
    };
    assert!(theme.show(&other).html.starts_with("own "));
}

#[test]
fn a_page_ends_when_its_fuel_does() {
    let rows = "{% for a in user_list %}".replace("user_list", "[1,2,3,4,5,6,7,8,9,0]");
    let nested = format!(
        "{{% if user == 'rita' %}}{}x{}{{% endif %}}",
        rows.repeat(9),
        "{% endfor %}".repeat(9)
    );
    let theme = account(&nested).unwrap();
    assert_eq!(theme.show(&ACCOUNT), Theme::builtin("T").show(&ACCOUNT));
}

#[test]
fn the_policy_names_the_styles() {
    let policy = |text: &str| {
        let theme = account(text).unwrap();
        let page = theme.show(&ACCOUNT);
        page.policy.to_str().unwrap().to_owned()
    };
    let rest = "; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";
    assert_eq!(
        policy("x"),
        format!("default-src 'none'; style-src 'none'{rest}")
    );
    // printf 'p{}' | openssl dgst -sha256 -binary | base64
    let digest = "'sha256-gG2yISYereRMiG2lMXrbiUgi0Ubw9p7QCeWcroOvy9Y='";
    assert_eq!(
        policy("<style media=\"all\">p{}</STYLE><p>"),
        format!("default-src 'none'; style-src {digest}{rest}")
    );
}

#[test]
fn the_second_step_asks_for_what_the_person_has() {
    let theme = Theme::builtin("Sign in");
    let page = |app, keys| {
        let page = theme.show(&SecondFactorPage {
            user: "rita",
            app,
            keys,
            ..SecondFactorPage::default()
        });
        page.html
    };
    for (app, keys, words, label) in [
        (
            "",
            "passkey",
            "Use your passkey or security key, or type a recovery code.",
            "Recovery code for rita",
        ),
        (
            "app",
            "",
            "Type the code that your authenticator app shows, or a recovery code.",
            ">Code for rita",
        ),
        (
            "app",
            "passkey",
            "Use your passkey or security key, or type the code",
            ">Code for rita",
        ),
        ("", "", "Type a recovery code.", "Recovery code for rita"),
    ] {
        let html = page(app, keys);
        assert!(html.contains(words) && html.contains(label), "{html}");
        assert!(html.contains("<title>Second factor</title>"), "{html}");
        assert_eq!(
            html.contains("<div data-passkeys>"),
            app.is_empty() && !keys.is_empty()
        );
        assert_eq!(html.contains("Keys need JavaScript"), !keys.is_empty());
    }
}
