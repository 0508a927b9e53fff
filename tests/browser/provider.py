"""Signs in with an OpenID provider, npm's `oidc-provider`, with a real Chromium without JavaScript.

Prints as JSON what it found; with a folder as the last argument it keeps pictures there. What is done is the third argument:
`whole` (a gateway with passwords beside the provider), `alone` (with the provider only, where signing out ends the session there),
`renewal` (sessions that are to be confirmed soon), `front` (behind another proxy), `step_up` (`/recent` asks for a sign-in of the last
five seconds) or `replicas` (two gateways with one store, whose addresses are the first argument with a comma between them).
"""

import itertools
import json
import sys
import time
from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import sync_playwright

addresses, chromium, part, *folder = sys.argv[1:]
gateways = addresses.split(",")
gateway = gateways[0]
SCREENS = {"desktop": {"width": 1280, "height": 800}, "phone": {"width": 320, "height": 568}}
CORP = "Corporate account"


def keep(page, name):
    if folder:
        page.screenshot(path=f"{folder[0]}/provider-{name}.png")


def here(page):
    return next((page.url.removeprefix(own) for own in gateways if is_at(page.url, own)), page.url)


def is_at(url, own):
    return url.startswith(f"{own}/")


def is_back(url):
    return any(is_at(url, own) for own in gateways)


def give(page, name):
    """Signs in at the provider, which asks for consent the first time."""
    page.fill("input[name=login]", name)
    page.fill("input[name=password]", "any")
    page.click("button[type=submit]")
    agree(page)


def agree(page):
    """Whatever the provider still asks: consent, and whether the account before is to be left."""
    for _ in range(4):
        if is_back(page.url):
            break
        page.locator("button[type=submit], noscript button, form button").first.click()
    page.wait_for_url(is_back)


def cookies(context, name):
    return [cookie for cookie in context.cookies() if cookie["name"].startswith(name)]


def ended(page, at=gateway):
    """Where a page leads once the session has ended."""
    end = time.monotonic() + 30
    while time.monotonic() < end:
        page.goto(f"{at}/jobs")
        if "/auth/login" in page.url:
            break
        page.wait_for_timeout(200)
    return here(page)


def look(browser, screen, scheme):
    context = browser.new_context(viewport=SCREENS[screen], color_scheme=scheme, java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{gateway}/jobs")
    keep(page, f"{screen}-{scheme}-sign-in")
    found = {
        "overflow": page.evaluate("document.documentElement.scrollWidth > innerWidth"),
        "tall": page.get_by_role("link", name=CORP).bounding_box()["height"],
        "text": page.inner_text("main"),
    }
    page.get_by_role("link", name=CORP).click()
    page.get_by_role("link", name="Cancel").click()
    keep(page, f"{screen}-{scheme}-cancelled")
    context.close()
    return found


def whole(browser):
    found = {"looks": [look(browser, *kind) for kind in itertools.product(SCREENS, ("light", "dark"))]}
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    callbacks = []
    page.on("request", lambda request: callbacks.append(request.url) if "/auth/callback/" in request.url else None)

    # no consent
    page.goto(f"{gateway}/jobs?page=2")
    found["sent_to"] = here(page)
    page.get_by_role("link", name=CORP).click()
    found["pending"] = [[one["httpOnly"], one["sameSite"]] for one in cookies(context, "gatelatch-oidc-")]
    page.get_by_role("link", name="Cancel").click()
    found["refused"] = [here(page).split("?")[0], page.get_by_role("alert").inner_text(), len(cookies(context, "gatelatch-oidc-"))]

    # two tabs, the second first
    other = context.new_page()
    page.get_by_role("link", name=CORP).click()
    other.goto(f"{gateway}/jobs?page=3")
    other.get_by_role("link", name=CORP).click()
    give(other, "ann+staff")
    found["second"] = [here(other), other.inner_text("body")]
    page.reload()
    give(page, "ann+staff")
    found["first"] = [here(page), page.inner_text("body")]
    session = cookies(context, "gatelatch")
    found["cookies"] = sorted(one["name"] for one in session)

    # an answer once more: signed in already, then not any more
    page.goto(callbacks[-1])
    found["replayed"] = here(page)
    context.clear_cookies(name="gatelatch")
    page.goto(callbacks[-1])
    found["anew"] = here(page)
    page.goto(f"{gateway}/auth/account")
    found["account"] = page.inner_text("main")
    keep(page, "account")

    # who may not open a page signs in as somebody else, and the provider asks
    page.goto(f"{gateway}/admin/users")
    page.get_by_role("link", name="Sign in as somebody else").click()
    page.get_by_role("link", name=CORP).click()
    give(page, "bea+admin")
    found["switched"] = [here(page), page.inner_text("body")]

    # signing out here alone: the provider still recognizes the person
    page.goto(f"{gateway}/auth/logout")
    page.get_by_role("button", name="Sign out").click()
    found["out"] = [here(page), page.get_by_role("status").inner_text()]
    keep(page, "signed-out")
    page.get_by_role("link", name=CORP).click()
    page.wait_for_url(f"{gateway}/**")
    found["in_again"] = here(page)

    # signing out at the provider: it tells the gateway (OpenID Connect Back-Channel Logout 1.0)
    page.goto(f"{parse_qs(urlsplit(callbacks[-1]).query)['iss'][0]}/session/end")
    page.get_by_role("button", name="Yes, sign me out").click()
    found["ended"] = ended(page)

    # who may not sign in at all
    context.clear_cookies()
    page.goto(f"{gateway}/jobs")
    page.get_by_role("link", name=CORP).click()
    give(page, "eve+guests")
    found["not_allowed"] = page.get_by_role("alert").inner_text()
    keep(page, "not-allowed")
    return found


def alone(browser):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{gateway}/jobs?page=2")
    found = {"straight_on": not page.url.startswith(gateway)}
    give(page, "ann+staff")
    found["landed"] = [here(page), page.inner_text("body")]
    page.goto(f"{gateway}/auth/logout")
    page.get_by_role("button", name="Sign out").click()
    # the page passes on by itself, without a script
    page.get_by_role("button", name="Yes, sign me out").click()
    page.wait_for_url(f"{gateway}/**")
    found["out"] = [here(page), page.get_by_role("status").inner_text()]
    page.get_by_role("link", name=CORP).click()
    found["asked_again"] = page.locator("input[name=login]").count()
    page.goto(f"{gateway}/auth/login?local")
    found["local"] = page.locator("input[type=password]").count()
    return found


def renewal(browser):
    """Nobody is asked anything, whether the browser passes the provider or not."""
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    callbacks = []
    page.on("request", lambda request: callbacks.append(request.url) if "/auth/callback/" in request.url else None)
    page.goto(f"{gateway}/jobs?page=2")
    page.get_by_role("link", name=CORP).click()
    give(page, "ann+staff")
    first = cookies(context, "gatelatch")[0]["value"]
    end = time.monotonic() + 30
    found = {"renewed": False, "places": []}
    while time.monotonic() < end and not found["renewed"]:
        page.goto(f"{gateway}/jobs?page=2")
        found["renewed"] = [one["value"] for one in context.cookies() if one["name"] == "gatelatch"] != [first]
        found["places"] = sorted({*found["places"], here(page)})
        page.wait_for_timeout(200)
    found["told"] = page.inner_text("body")
    found["callbacks"] = len(callbacks)
    return found


def step_up(browser):
    """Whoever is signed in at the provider signs in there once more."""
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{gateway}/form")
    page.get_by_role("link", name=CORP).click()
    give(page, "ann+staff")
    # it does not say when that was unless it is asked
    page.goto(f"{gateway}/recent?tab=2")
    found = {"unknown": here(page)}
    page.get_by_role("link", name=CORP).click()
    found["asked"] = page.locator("input[name=login]").count()
    give(page, "ann+staff")
    found["landed"] = [here(page), page.inner_text("body")]
    end = time.monotonic() + 30
    while time.monotonic() < end and "/auth/login" not in page.url:
        page.goto(f"{gateway}/recent?tab=2")
        page.wait_for_timeout(200)
    found["old"] = [here(page), page.get_by_role("status").inner_text()]
    page.get_by_role("link", name=CORP).click()
    found["asked_again"] = page.locator("input[name=login]").count()
    give(page, "ann+staff")
    found["again"] = [here(page), page.inner_text("body")]
    return found


def front(browser):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{gateway}/jobs?page=2")
    page.get_by_role("link", name=CORP).click()
    give(page, "ann+staff")
    found = {"landed": [here(page), page.inner_text("body")]}
    page.goto(f"{gateway}/auth/logout")
    page.get_by_role("button", name="Sign out").click()
    found["out"] = page.get_by_role("status").inner_text()
    page.goto(f"{gateway}/jobs?page=2")
    found["asked"] = page.locator("input[type=password]").count()
    return found


def replicas(browser):
    """Cookies are those of a host, whatever the port: both replicas get them."""
    one, other = gateways
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    issuers = set()
    page.on("request", lambda request: issuers.update(parse_qs(urlsplit(request.url).query).get("iss", [])))

    def session():
        return next(one for one in context.cookies() if one["name"] == "gatelatch")

    def sign_in(at):
        page.goto(f"{at}/jobs?page=2")
        page.get_by_role("link", name=CORP).click()
        if not is_back(page.url):
            give(page, "ann+staff")
        return told(at)

    def told(at):
        page.goto(f"{at}/jobs?page=3")
        return [at == one, here(page), page.inner_text("body")]

    def refused(at, cookie):
        """Where somebody is led who has kept the cookie of a session that has ended."""
        context.add_cookies([cookie])
        led = ended(page, at)
        context.clear_cookies(name="gatelatch")
        return led

    def sign_out(at):
        cookie = session()
        page.goto(f"{at}/auth/logout")
        page.get_by_role("button", name="Sign out").click()
        page.get_by_role("button", name="Yes, sign me out").click()
        page.wait_for_url(is_back)
        return cookie, [here(page), page.get_by_role("status").inner_text()]

    # in by the one, seen by the other, and renewed by whichever
    found = {"in": [sign_in(one), told(other)], "renewals": []}
    for at in (other, one, other):
        before, end, renewed = session()["value"], time.monotonic() + 30, False
        while time.monotonic() < end and not renewed:
            led = told(at)
            renewed = session()["value"] != before
            page.wait_for_timeout(200)
        found["renewals"].append([renewed, led, told(one if at == other else other)])

    # out by either, there too, and at the other
    cookie, out = sign_out(other)
    found["out_at_other"] = [out, refused(one, cookie)]
    found["in_again"] = [sign_in(other), told(one)]
    cookie, out = sign_out(one)
    found["out_at_one"] = [out, refused(other, cookie)]

    # the provider tells the one
    found["in_once_more"] = [sign_in(one), told(other)]
    cookie = session()
    page.goto(f"{issuers.pop()}/session/end")
    page.get_by_role("button", name="Yes, sign me out").click()
    found["out_at_provider"] = [refused(other, cookie), refused(one, cookie)]
    return found


with sync_playwright() as playwright:
    # a container's root has no sandbox
    args = ["--no-sandbox", "--host-resolver-rules=MAP app.test 127.0.0.1"]
    browser = playwright.chromium.launch(executable_path=chromium, args=args)
    parts = {"whole": whole, "alone": alone, "renewal": renewal, "front": front, "step_up": step_up, "replicas": replicas}
    print(json.dumps(parts[part](browser)))
    browser.close()
