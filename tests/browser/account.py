"""Uses the account's page with a real Chromium, without JavaScript, on a desktop and a phone, by day and by night.

Prints as JSON what it found; with a folder as the last argument it keeps pictures there.
"""

import itertools
import json
import sys

from playwright.sync_api import sync_playwright

from screens import SCREENS, measure

gateway, chromium, user, password, old, *folder = sys.argv[1:]
IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/18.0 Mobile/15E148 Safari/604.1"
)


def keep(page, name):
    if folder:
        page.screenshot(path=f"{folder[0]}/account-{name}.png", full_page=True)


def look(page, found, name):
    measure(page, found)
    keep(page, name)


def sign_in(page, secret):
    page.fill("#username", user)
    page.fill("#password", secret)
    page.click("button")


def change(page, current, new):
    page.fill("#current", current)
    page.fill("#new", new)
    page.fill("#again", new)
    page.get_by_role("button", name="Change the password").click()


def visit(browser, screen, scheme, secret):
    name = f"{screen}-{scheme}"
    looks = {"viewport": SCREENS[screen], "color_scheme": scheme, "java_script_enabled": False}
    context, other = browser.new_context(**looks), browser.new_context(user_agent=IPHONE)
    page, phone = context.new_page(), other.new_page()
    complaints = []
    page.on("console", lambda message: complaints.append(message.text))
    for one in (page, phone):
        one.goto(f"{gateway}/auth/account")
        sign_in(one, secret)
        one.wait_for_url(f"{gateway}/auth/account")
    page.reload()
    found = {"shown": page.inner_text("main")}
    look(page, found, f"{name}-1-sessions")
    page.get_by_role("button", name="End the session: Safari on iPhone").click()
    found["ended"] = [page.url.removeprefix(gateway), page.get_by_role("status").inner_text()]
    look(page, found, f"{name}-2-ended")
    phone.goto(f"{gateway}/auth/account")
    found["phone"] = phone.url.removeprefix(gateway)
    change(page, "wrong", "another password")
    found["wrong"] = page.get_by_role("alert").inner_text()
    look(page, found, f"{name}-3-wrong")
    change(page, secret, secret[::-1])
    found["changed"] = [page.url.removeprefix(gateway), page.get_by_role("status").inner_text()]
    look(page, found, f"{name}-4-changed")

    other.close()
    context.close()
    found["complaints"] = [text for text in complaints if "status of" not in text]
    return found


def confirm(browser, screen, scheme):
    """A session that began some time ago."""
    context = browser.new_context(viewport=SCREENS[screen], color_scheme=scheme, java_script_enabled=False)
    context.add_cookies([{"name": "gatelatch", "value": old, "url": gateway}])
    page = context.new_page()
    page.goto(f"{gateway}/auth/account")
    found = {"shown": page.inner_text("main")}
    look(page, found, f"{screen}-{scheme}-0-stale")
    page.get_by_role("link", name="Confirm that it is you").click()
    found["sent_to"] = page.url.removeprefix(gateway)
    context.close()
    return found


with sync_playwright() as playwright:
    # a container's root has no sandbox
    browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
    kinds = list(itertools.product(SCREENS, ("light", "dark")))
    stale = [confirm(browser, *kind) for kind in kinds]
    visits = []
    for kind in kinds:
        visits.append(visit(browser, *kind, password))
        password = password[::-1]
    browser.close()
print(json.dumps({"stale": stale, "visits": visits}))
