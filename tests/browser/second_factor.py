"""Signs in with a real Chromium and a code of an authenticator app, without JavaScript, on a desktop and a phone, by day and by night.

Arguments: the gateway, the browser, a user with a password and without an app, who must add one, and the programs `oathtool` and
`zbarimg`. Prints as JSON what it found; with a folder as the last argument it keeps pictures there.
"""

import itertools
import json
import subprocess
import sys
import tempfile
from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import sync_playwright

gateway, chromium, user, password, oathtool, zbarimg, *folder = sys.argv[1:]
SCREENS = {"desktop": {"width": 1280, "height": 800}, "phone": {"width": 320, "height": 568}}
# each window takes the code of another step: one is good once
used = set()


def keep(page, name):
    if folder:
        page.screenshot(path=f"{folder[0]}/{name}.png", full_page=True)


def code(secret):
    """A code that was not used yet, of this step or the next."""
    while True:
        for ahead in ("0", "29"):
            shown = subprocess.check_output([oathtool, "--totp", "--base32", "--now", f"{ahead} seconds", secret], text=True).strip()
            if shown not in used:
                used.add(shown)
                return shown


def scan(page):
    """What a phone reads from the screen."""
    with tempfile.NamedTemporaryFile(suffix=".png") as picture:
        page.locator(".qr svg").screenshot(path=picture.name)
        return subprocess.check_output([zbarimg, "-q", "--raw", picture.name], text=True).strip()


def measure(page):
    return {
        "overflow": page.evaluate("document.documentElement.scrollWidth > innerWidth"),
        "focus": page.wait_for_selector("input:focus").get_attribute("id"),
        "autocomplete": page.get_attribute("#otp", "autocomplete"),
        "tall": min(page.locator(part).first.bounding_box()["height"] for part in ("#otp", "button", "a.button")),
    }


def enter(page):
    page.goto(f"{gateway}/jobs?page=2")
    page.fill("#username", user)
    page.fill("#password", password)
    page.keyboard.press("Enter")
    page.wait_for_selector("#otp")


def visit(browser, screen, scheme, secret):
    name = f"second-factor-{screen}-{scheme}"
    context = browser.new_context(viewport=SCREENS[screen], color_scheme=scheme, java_script_enabled=False)
    page = context.new_page()
    complaints = []
    page.on("console", lambda message: complaints.append(message.text))
    found = {"name": name}
    enter(page)
    if secret is None:
        found["adds"] = page.inner_text("h1")
        found["adding"] = measure(page)
        uri = scan(page)
        keep(page, f"{name}-0-add")
        found["uri"] = uri.split("secret=")[0]
        secret = parse_qs(urlsplit(uri).query)["secret"][0]
        found["typed"] = page.inner_text(".secret").replace(" ", "") == secret
        page.fill("#otp", code(secret))
        page.keyboard.press("Enter")
        page.wait_for_selector("ol.codes")
        found["codes"] = page.locator("ol.codes li").count()
        keep(page, f"{name}-0-codes")
        page.get_by_role("link", name="I have kept them").click()
    else:
        found["asks"] = page.inner_text("main")
        found["asking"] = measure(page)
        keep(page, f"{name}-1-ask")
        page.fill("#otp", "000 000")
        page.keyboard.press("Enter")
        found["alert"] = page.get_by_role("alert").inner_text()
        found["describes"] = page.get_attribute("#otp", "aria-describedby")
        keep(page, f"{name}-2-wrong")
        page.fill("#otp", code(secret))
        page.keyboard.press("Enter")
    page.wait_for_url(f"{gateway}/jobs?page=2")
    found["told"] = page.inner_text("body")
    found["complaints"] = [text for text in complaints if "401" not in text]
    context.close()
    return found, secret


with sync_playwright() as playwright:
    browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
    first, secret = visit(browser, "phone", "light", None)
    second, _ = visit(browser, "desktop", "dark", secret)
    print(json.dumps([first, second]))
