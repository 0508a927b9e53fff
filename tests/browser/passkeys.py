"""Registers keys and signs in with them, with a real Chromium whose authenticators are virtual (WebAuthn over CDP).

Prints as JSON what it found; with a folder as the last argument it keeps pictures there.
"""

import itertools
import json
import sys

from playwright.sync_api import sync_playwright

gateway, chromium, user, password, other, *folder = sys.argv[1:]
SCREENS = {"desktop": {"width": 1280, "height": 800}, "phone": {"width": 320, "height": 568}}

# what keys can do: a phone or laptop; a security key with a PIN that was not set; one of U2F
DEVICE = {"protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True, "isUserVerified": True}
NO_PIN = {"protocol": "ctap2", "transport": "usb", "hasResidentKey": True, "hasUserVerification": False}
U2F = {"protocol": "u2f", "transport": "usb"}


def keep(page, name):
    if folder:
        page.screenshot(path=f"{folder[0]}/passkey-{name}.png", full_page=True)


class Visitor:
    """Somebody with a browser and a key."""

    def __init__(self, browser, key, **options):
        self.context = browser.new_context(**options)
        self.page = self.context.new_page()
        self.complaints = []
        self.sent = []
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.sent.append((request.url, request.post_data)) if "/auth/passkey/" in request.url else None)
        # browsers offer in a field what is part of the device
        self.is_device = key is DEVICE
        self.devtools = self.context.new_cdp_session(self.page)
        self.devtools.send("WebAuthn.enable", {"enableUI": False})
        self.key = self.plug_in(key)

    def plug_in(self, key):
        options = {"automaticPresenceSimulation": True, **key}
        return self.devtools.send("WebAuthn.addVirtualAuthenticator", {"options": options})["authenticatorId"]

    def touches(self, does):
        """Whether somebody touches the key: where they do, the browser uses it as soon as it may."""
        self.devtools.send("WebAuthn.setAutomaticPresenceSimulation", {"authenticatorId": self.key, "enabled": does})

    def credentials(self):
        return self.devtools.send("WebAuthn.getCredentials", {"authenticatorId": self.key})["credentials"]

    def here(self):
        return self.page.url.removeprefix(gateway)

    def press(self, name):
        self.page.get_by_role("button", name=name, exact=True).click()

    def alert(self):
        return self.page.get_by_role("alert").inner_text()

    def last_alert(self):
        """The same, before the key changes: the page goes on offering it in the field."""
        alert = self.alert()
        self.page.goto("about:blank")
        return alert

    def open_sign_in(self, next="/jobs"):
        """The form, without a key that is used by itself."""
        self.touches(False)
        self.page.goto(f"{gateway}/auth/login?next={next}")
        offers = "input[autocomplete~=webauthn]" if self.is_device else "button[type=button]"
        self.page.wait_for_selector(offers)
        self.touches(True)

    def give_password(self, name):
        self.open_sign_in()
        self.page.fill("#username", name)
        self.page.fill("#password", password)
        self.press("Sign in")

    def sign_out(self):
        self.page.goto(f"{gateway}/auth/logout")
        self.press("Sign out")

    def register(self, kind, name):
        self.page.goto(f"{gateway}/auth/account")
        self.page.fill("#key-name", name)
        self.press(kind)

    def keep_codes(self):
        """What the first key brings, shown once."""
        self.page.wait_for_selector("ol.codes")
        codes = self.page.locator("ol.codes li").all_inner_texts()
        keep(self.page, "codes")
        self.page.get_by_role("link", name="I have kept them").click()
        return codes

    def remove(self, name):
        self.page.get_by_role("button", name=f"Remove: {name}").click()
        self.page.get_by_role("status").wait_for()

    def done(self):
        """Without what Chromium says of every answer that is an error."""
        self.context.close()
        return [text for text in self.complaints if "status of" not in text]


def first_passkey(browser):
    ann = Visitor(browser, DEVICE)
    page = ann.page
    ann.give_password(user)
    page.wait_for_url(f"{gateway}/jobs")
    # a rule asks for a second factor, and is come back to
    page.goto(f"{gateway}/vault")
    page.get_by_role("link", name="Add a second factor").click()
    page.fill("#key-name", "My laptop")
    ann.press("Add a passkey")
    found = {"codes": ann.keep_codes()}
    # by way of the sign-in page, where the key is offered in the field for the name
    page.wait_for_url(f"{gateway}/vault")
    found["next"] = page.inner_text("body")
    page.goto(f"{gateway}/auth/account")
    found["account"] = page.inner_text("main")
    keep(page, "account")
    key = ann.credentials()[0]
    found["key"] = [key["isResidentCredential"], key["rpId"], key["userName"], key["userDisplayName"]]

    # after the password
    ann.sign_out()
    ann.give_password(user)
    page.get_by_role("button", name="Use a passkey").wait_for()
    found["asked"] = page.inner_text("main")
    keep(page, "second-factor")
    ann.press("Use a passkey")
    page.wait_for_url(f"{gateway}/jobs")
    page.goto(f"{gateway}/vault")
    found["second"] = [ann.here(), page.inner_text("body")]

    # without a name: by the button
    ann.sign_out()
    ann.open_sign_in("/vault")
    ann.press("Sign in with a passkey")
    page.wait_for_url(f"{gateway}/vault")
    found["alone"] = page.inner_text("body")
    page.goto(f"{gateway}/auth/account")
    found["with"] = page.inner_text("main")
    ann.register("Add a passkey", "Once more")
    found["again"] = ann.alert()

    # and in the field for the name, as soon as somebody touches the key
    ann.sign_out()
    page.goto(f"{gateway}/vault")
    page.wait_for_url(f"{gateway}/vault")
    found["offered"] = page.inner_text("body")

    # an answer is good once
    url, body = [one for one in ann.sent if one[0].endswith("sign-in/finish")][-1]
    replayed = page.evaluate(
        """async ([url, body]) => {
            const headers = { "Content-Type": "application/json" };
            const answer = await fetch(url, { method: "POST", headers, body });
            return [answer.status, (await answer.json()).detail];
        }""",
        [url, body],
    )
    found["replayed"] = replayed

    # nobody who verifies themselves
    ann.sign_out()
    ann.open_sign_in()
    ann.devtools.send("WebAuthn.setUserVerified", {"authenticatorId": ann.key, "isUserVerified": False})
    ann.press("Sign in with a passkey")
    found["unverified"] = ann.last_alert()
    ann.devtools.send("WebAuthn.setUserVerified", {"authenticatorId": ann.key, "isUserVerified": True})

    # a copy that is behind
    copy = ann.credentials()[0]
    ann.devtools.send("WebAuthn.clearCredentials", {"authenticatorId": ann.key})
    ann.devtools.send("WebAuthn.addCredential", {"authenticatorId": ann.key, "credential": {**copy, "signCount": 1}})
    ann.open_sign_in()
    ann.press("Sign in with a passkey")
    page.get_by_role("alert").wait_for()
    keep(page, "copy")
    found["copy"] = ann.last_alert()
    ann.devtools.send("WebAuthn.clearCredentials", {"authenticatorId": ann.key})
    ann.devtools.send("WebAuthn.addCredential", {"authenticatorId": ann.key, "credential": {**copy, "signCount": 99}})
    ann.open_sign_in()
    ann.press("Sign in with a passkey")
    page.wait_for_url(f"{gateway}/jobs")
    found["original"] = page.inner_text("body")

    # the key is removed
    page.goto(f"{gateway}/auth/account")
    ann.remove("My laptop")
    found["removed"] = page.inner_text("main")
    ann.sign_out()
    ann.open_sign_in()
    ann.press("Sign in with a passkey")
    found["unknown"] = ann.alert()
    found["complaints"] = ann.done()
    return found


def second_factors_only(browser, key):
    """A key that verifies nobody."""
    bea = Visitor(browser, key)
    page = bea.page
    bea.give_password(other)
    page.wait_for_url(f"{gateway}/jobs")
    bea.register("Add a passkey", "Stick")
    found = {"as_passkey": bea.alert()}
    bea.register("Add a security key without a PIN", "Stick")
    found["codes"] = bea.keep_codes()
    page.get_by_text("Stick").wait_for()
    bea.sign_out()
    bea.open_sign_in()
    bea.press("Sign in with a passkey")
    found["alone"] = bea.alert()
    bea.give_password(other)
    page.get_by_role("button", name="Use a security key").wait_for()
    found["asked"] = page.get_by_role("button").all_inner_texts()
    bea.press("Use a security key")
    page.wait_for_url(f"{gateway}/jobs")
    page.goto(f"{gateway}/vault")
    found["vault"] = page.inner_text("body")
    page.goto(f"{gateway}/auth/account")
    bea.remove("Stick")
    found["complaints"] = bea.done()
    return found


def look(browser, screen, scheme):
    """The pages without a key, and without a script."""
    name = f"{screen}-{scheme}"
    visitor = Visitor(browser, DEVICE, viewport=SCREENS[screen], color_scheme=scheme)
    page = visitor.page
    visitor.open_sign_in()
    found = {"name": name, "buttons": page.get_by_role("button").all_inner_texts()}
    found["overflow"] = page.evaluate("document.documentElement.scrollWidth > innerWidth")
    found["tall"] = page.get_by_role("button", name="Sign in with a passkey").bounding_box()["height"]
    keep(page, f"{name}-sign-in")
    visitor.press("Sign in with a passkey")
    found["alert"] = visitor.alert()
    keep(page, f"{name}-no-key")
    found["complaints"] = visitor.done()

    context = browser.new_context(viewport=SCREENS[screen], color_scheme=scheme, java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{gateway}/auth/login?next=/jobs")
    found["without_script"] = page.get_by_role("button").all_inner_texts()
    page.fill("#username", user)
    page.fill("#password", password)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{gateway}/jobs")
    context.close()
    return found


with sync_playwright() as playwright:
    # a container's root has no sandbox
    browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
    found = {
        "looks": [look(browser, *kind) for kind in itertools.product(SCREENS, ("light", "dark"))],
        "passkey": first_passkey(browser),
        "u2f": second_factors_only(browser, U2F),
        "no_pin": second_factors_only(browser, NO_PIN),
    }
    browser.close()
print(json.dumps(found))
