"""A single-page application of another origin, in a real Chromium: it logs in at the gateway, refreshes, and asks who it is.

Prints as JSON what each of two pages could do: one whose origin the service allows, and one of a stranger.
"""

import json
import sys

from playwright.sync_api import sync_playwright

gateway, chromium, user, password, allowed, stranger = sys.argv[1:]

PAGE = """async ([gateway, user, password]) => {
    const json = { "content-type": "application/json" };
    const post = (path, body, more) => fetch(gateway + path, { method: "POST", body, ...more });
    const form = new URLSearchParams({ username: user, password });
    const login = await (await post("/token", form)).json();
    const again = await (await post("/auth/login", JSON.stringify({ username: user, password }), { headers: json })).json();
    const fresh = await (await post("/auth/refresh", JSON.stringify({ refresh_token: login.refresh_token }), { headers: json })).json();
    const headers = { authorization: "Bearer " + fresh.access_token };
    const me = await (await fetch(gateway + "/auth/me", { headers })).json();
    const ended = await post("/auth/logout", undefined, { headers });
    return [login.token_type, again.token_type, me.sub, ended.status];
}"""

COOKIES = """async (gateway) => {
    const credentials = "include";
    const me = await (await fetch(gateway + "/auth/me", { credentials })).json();
    const act = await fetch(gateway + "/whoami", { method: "POST", credentials, headers: { "x-own": "1" } });
    return [me.sub, act.status, await act.text()];
}"""


def attempt(page, script, argument):
    """What a script gives; a browser says no more of what it forbids."""
    try:
        return page.evaluate(script, argument)
    except Exception as error:
        return "Failed to fetch" if "Failed to fetch" in str(error) else str(error)


with sync_playwright() as playwright:
    browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{gateway}/auth/login")
    page.fill("#username", user)
    page.fill("#password", password)
    page.locator("button").first.click()
    page.wait_for_load_state()
    found = {}
    for name, origin in (("allowed", allowed), ("stranger", stranger)):
        page.goto(origin)
        found[name] = [attempt(page, PAGE, [gateway, user, password]), attempt(page, COOKIES, gateway)]
    browser.close()
print(json.dumps(found))
