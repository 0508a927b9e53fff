"""Adds an authenticator app on the account's page with a real Chromium, without JavaScript, on a desktop and a phone, by day and
by night.

Prints as JSON what it found; with a folder as the last argument it keeps pictures there.
"""

import base64
import hashlib
import hmac
import itertools
import json
import struct
import sys
import time

from playwright.sync_api import sync_playwright

from screens import SCREENS, measure

gateway, chromium, _, password, *rest = sys.argv[1:]
users, folder = rest[:4], rest[4:]


def keep(page, name):
    if folder:
        page.screenshot(path=f"{folder[0]}/account-{name}.png", full_page=True)


def look(page, found, name):
    measure(page, found)
    keep(page, name)


def code(secret):
    """What an app shows now (RFC 6238)."""
    key = base64.b32decode(secret + "=" * (-len(secret) % 8))
    digest = hmac.digest(key, struct.pack(">Q", int(time.time()) // 30), hashlib.sha1)
    at = digest[-1] & 15
    number = int.from_bytes(digest[at : at + 4], "big") & 0x7FFFFFFF
    return f"{number % 1_000_000:06}"


def visit(browser, user, screen, scheme):
    name = f"{screen}-{scheme}"
    context = browser.new_context(viewport=SCREENS[screen], color_scheme=scheme, java_script_enabled=False)
    page = context.new_page()
    complaints = []
    page.on("console", lambda message: complaints.append(message.text))
    found = {}
    page.goto(f"{gateway}/auth/account")
    page.fill("#username", user)
    page.fill("#password", password)
    page.click("button")
    page.wait_for_url(f"{gateway}/auth/account")
    look(page, found, f"{name}-5-none")
    page.get_by_role("button", name="Add an authenticator app").click()
    secret = page.inner_text(".secret").replace(" ", "")
    box = page.locator(".qr svg").bounding_box()
    found["picture"] = [round(box["width"]), round(box["height"])]
    look(page, found, f"{name}-6-enrol")
    wrong = str((int(code(secret)) + 1) % 1_000_000).zfill(6)
    page.fill("#otp", wrong)
    page.click("button")
    found["wrong"] = page.get_by_role("alert").inner_text()
    look(page, found, f"{name}-7-wrong-code")
    page.fill("#otp", code(secret))
    page.click("button")
    found["codes"] = page.locator(".codes li").count()
    look(page, found, f"{name}-8-codes")
    page.emulate_media(media="print")
    found["printed"] = [page.locator(".button").is_visible(), page.locator(".codes li").first.is_visible()]
    keep(page, f"{name}-9-print")
    page.emulate_media(media="screen")
    page.get_by_role("link", name="I have kept them").click()
    found["after"] = page.inner_text("main")
    look(page, found, f"{name}-9-after")
    context.close()
    found["complaints"] = [text for text in complaints if "status of" not in text]
    return found


with sync_playwright() as playwright:
    # a container's root has no sandbox
    browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
    kinds = itertools.product(SCREENS, ("light", "dark"))
    visits = [visit(browser, user, *kind) for user, kind in zip(users, kinds)]
    browser.close()
print(json.dumps(visits))
