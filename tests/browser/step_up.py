"""Is asked to sign in again by a real Chromium, without JavaScript, on a desktop and a phone, by day and by night.

`/recent` of the gateway asks for a sign-in of the last five seconds. Prints as JSON what it found; with a folder as the last
argument it keeps pictures there.
"""

import itertools
import json
import sys

from playwright.sync_api import sync_playwright

gateway, chromium, user, password, *folder = sys.argv[1:]
SCREENS = {"desktop": {"width": 1280, "height": 800}, "phone": {"width": 320, "height": 568}}


def keep(page, name):
    if folder:
        page.screenshot(path=f"{folder[0]}/step-up-{name}.png")


def place(page):
    return page.url.removeprefix(gateway)


def sign_in(page):
    if page.locator("#username").input_value() == "":
        page.fill("#username", user)
    page.fill("#password", password)
    page.click("button")


def until_asked(page, path):
    """Opens it again until the sign-in is too old; nothing else ends the loop."""
    for _ in range(200):
        page.goto(f"{gateway}{path}")
        if "/auth/login" in page.url:
            return
        page.wait_for_timeout(100)


def visit(browser, screen, scheme):
    name = f"{screen}-{scheme}"
    context = browser.new_context(viewport=SCREENS[screen], color_scheme=scheme, java_script_enabled=False)
    page = context.new_page()
    found = {"name": name}

    page.goto(f"{gateway}/recent?tab=2")
    sign_in(page)
    found["first"] = [place(page), page.inner_text("body")]
    until_asked(page, "/recent?tab=2")
    found["asked"] = place(page)
    found["notice"] = page.inner_text(".notice")
    found["user"] = page.locator("#username").input_value()
    found["overflow"] = page.evaluate("document.documentElement.scrollWidth > innerWidth")
    keep(page, f"{name}-1-sign-in")
    sign_in(page)
    found["again"] = [place(page), page.inner_text("body")]

    page.goto(f"{gateway}/form")
    page.fill("input", "seven")
    # until the sign-in is too old
    for _ in range(200):
        page.click("button")
        if page.locator("h1").count():
            break
        page.go_back()
        page.wait_for_timeout(100)
    found["form"] = page.inner_text("main")
    found["form_overflow"] = page.evaluate("document.documentElement.scrollWidth > innerWidth")
    keep(page, f"{name}-2-form")
    page.click("a:has-text('Sign in again')")
    found["form_asked"] = place(page)
    sign_in(page)
    page.goto(f"{gateway}/form")
    page.fill("input", "seven")
    page.click("button")
    found["form_sent"] = page.inner_text("body")

    page.goto(f"{gateway}/vault")
    found["vault"] = [place(page), page.inner_text(".notice")]
    keep(page, f"{name}-3-second-factor")
    context.close()
    return found


with sync_playwright() as playwright:
    # a container's root has no sandbox
    browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
    visits = [visit(browser, *kind) for kind in itertools.product(SCREENS, ("light", "dark"))]
    browser.close()
print(json.dumps(visits))
