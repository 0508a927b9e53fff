"""Presses Swagger UI's Authorize button in a real Chromium, and sends a request with the token that it got.

Prints as JSON what it found; with a folder as the last argument it keeps pictures there.
"""

import json
import sys

from playwright.sync_api import sync_playwright

gateway, chromium, user, password, *folder = sys.argv[1:]


def keep(page, name):
    if folder:
        page.screenshot(path=f"{folder[0]}/{name}.png")


def authorize(browser, name, address, operation, viewport):
    context = browser.new_context(viewport=viewport)
    page = context.new_page()
    complaints = []
    page.on("console", lambda message: message.type == "error" and complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(gateway + address)
    page.locator("button.authorize").first.click()
    page.fill("#oauth_username", user)
    page.fill("#oauth_password", password)
    keep(page, f"{name}-1-authorize")
    # each flow has a form of its own
    form = page.locator(".modal-ux .auth-container").filter(has=page.locator("#oauth_username"))
    form.locator("button.authorize").click()
    page.locator(".modal-ux").get_by_text("Authorized", exact=True).first.wait_for()
    page.locator(".modal-ux button.btn-done").first.click()
    part = page.locator(f"#{operation}")
    part.locator("button.opblock-summary-control").click()
    part.get_by_role("button", name="Try it out").click()
    # what is there by now; not every operation has one
    description = part.locator(".opblock-description").all_inner_texts()
    part.get_by_role("button", name="Execute").click()
    live = part.locator(".live-responses-table tr.response").first
    live.wait_for()
    keep(page, f"{name}-2-executed")
    found = {
        "status": live.locator(".response-col_status").first.inner_text().split()[0],
        "answer": live.locator("pre").first.inner_text(),
        "description": " ".join(description),
        "complaints": complaints,
    }
    context.close()
    return found


with sync_playwright() as playwright:
    # a container's root has no sandbox
    browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
    desktop, phone = {"width": 1280, "height": 1000}, {"width": 390, "height": 844}
    found = {
        "own": authorize(browser, "own", "/auth/docs", "operations-sessions-me", desktop),
        "phone": authorize(browser, "phone", "/auth/docs", "operations-sessions-me", phone),
        "service": authorize(browser, "service", "/docs", "operations-default-whoami", desktop),
    }
    browser.close()
print(json.dumps(found))
