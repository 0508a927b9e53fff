"""Looks at the dashboard with a real Chromium, on a desktop and a phone, by day and by night, and uses it.

Prints as JSON what it found; with a folder as the last argument it keeps pictures there.
"""

import itertools
import json
import os
import signal
import sys

from playwright.sync_api import sync_playwright

from screens import CONTRAST

admin, chromium, token, config, process, *folder = sys.argv[1:]
SCREENS = {"desktop": {"width": 1366, "height": 900}, "phone": {"width": 320, "height": 740}}
SECTIONS = ("services", "rules", "denials", "logins", "routes")
KINDS = ["h1", "h2", ".pill", ".quiet", "th", "td", "td small", ".tag.good", ".tag.warn", ".tag.bad", "dt", "nav a", "figcaption small"]

# the denials have six columns, the routes one a role: those tables scroll within their section
SIDEWAYS = """() => [...document.querySelectorAll("main section, main .scroll:not(:has(.matrix, #denials-table))")]
    .filter((one) => one.scrollWidth > one.clientWidth)
    .map((one) => (one.id || one.firstElementChild.id))"""
# how many stand in each row
TILES = """() => Object.values(Object.groupBy(document.querySelectorAll("#tiles > div"), (one) => one.offsetTop)).map((row) => row.length)"""

UNNAMED = """() => [...document.querySelectorAll("button, input, select, table, section")]
    .filter((one) => !(one.labels?.length || one.getAttribute("aria-label") || one.getAttribute("aria-labelledby") ||
        one.caption || (one.tagName === "BUTTON" && one.textContent.trim())))
    .map((one) => one.outerHTML.slice(0, 80))"""


def keep(page, name, **options):
    if folder:
        page.screenshot(path=f"{folder[0]}/dashboard-{name}.png", **options)


def listen(page):
    complaints = []
    page.on("console", lambda message: complaints.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.add_init_script("addEventListener('securitypolicyviolation', (event) => console.error('policy: ' + event.violatedDirective))")
    return complaints


def until(page, what, argument=None):
    """Waits until something holds. The page forbids to evaluate texts later on, so each look is one of its own."""
    for _ in range(600):
        if page.evaluate(what, argument):
            return
        page.wait_for_timeout(100)
    raise TimeoutError(what)


def enter(page):
    page.goto(admin)
    page.fill("#token-input", token)
    page.get_by_role("button", name="Continue").click()
    until(page, "document.querySelectorAll('#services-table td').length > 5")


def points(page, plot):
    return page.locator(f"#plot-{plot} svg .line[data-points]").evaluate_all(
        "(lines) => Math.max(0, ...lines.map((line) => Number(line.dataset.points)))"
    )


def see(page, section):
    page.locator(f"#{section}").scroll_into_view_if_needed()
    page.evaluate("(id) => document.getElementById(id).scrollIntoView()", section)
    until(page, "(id) => document.querySelectorAll(`#${id} tbody tr:not(.empty)`).length > 0", section)
    return page.locator(f"#{section}").inner_text()


def visit(browser, screen, scheme):
    context = browser.new_context(viewport=SCREENS[screen], color_scheme=scheme)
    page = context.new_page()
    complaints = listen(page)
    enter(page)
    found = {"name": f"{screen}-{scheme}"}
    until(page, "document.querySelectorAll('#plot-latency .line[data-points]').length === 3")
    until(page, "Number(document.querySelector('#plot-requests .line[data-points]')?.dataset.points) > 1")
    until(page, "Number(document.querySelector('#plot-latency .line[data-points]')?.dataset.points) > 1")
    keep(page, f"{found['name']}-1-top")
    found["text"] = {}
    for section in SECTIONS:
        found["text"][section] = see(page, section)
        keep(page, f"{found['name']}-{section}")
    see_configuration(page)
    keep(page, f"{found['name']}-configuration")
    found["configuration"] = page.locator("#configuration-facts code").inner_text()
    found["points"] = {plot: points(page, plot) for plot in ("requests", "refused", "latency", "logins")}
    found["state"] = page.inner_text("#state")
    found["overflow"] = page.evaluate("document.documentElement.scrollWidth > innerWidth")
    found["sideways"] = page.evaluate(SIDEWAYS) if screen == "phone" else []
    found["contrast"] = page.evaluate(CONTRAST, KINDS)
    found["unnamed"] = page.evaluate(UNNAMED)
    keep(page, f"{found['name']}-2-whole", full_page=True)
    # before there is a token the first answer is 401, which Chromium reports by itself
    found["complaints"] = [text for text in complaints if "status of 401" not in text]
    context.close()
    return found


def see_configuration(page):
    page.evaluate("document.getElementById('configuration').scrollIntoView()")
    page.wait_for_selector("#configuration-facts code")


PLACE = """(id) => {
    const line = (link) => getComputedStyle(link).borderBottomColor !== "rgba(0, 0, 0, 0)";
    return {
        top: Math.round(document.getElementById(id).getBoundingClientRect().top - document.querySelector("header").offsetHeight),
        lines: [...document.querySelectorAll("nav a")].filter(line).map((link) => link.hash.slice(1)),
    };
}"""


def settled(page, section):
    """Where a section is once all others are filled and nothing moves any more."""
    filled = "(ids) => ids.every((id) => document.querySelectorAll(`#${id} tbody tr`).length > 0)"
    before = None
    for _ in range(100):
        now = page.evaluate(PLACE, section)
        if now == before and page.evaluate(filled, ["services", section] if section != "configuration" else ["services"]):
            return now
        before = now
        page.wait_for_timeout(300)
    return before


def tabs(browser, screen):
    """The first click on each tab of a page that is still filling, and where it leads."""
    found = {}
    for section in ("rules", "configuration", "routes"):
        context = browser.new_context(viewport=SCREENS[screen])
        page = context.new_page()
        page.goto(admin)
        page.fill("#token-input", token)
        page.get_by_role("button", name="Continue").click()
        page.locator(f"nav a[href='#{section}']").click()
        found[section] = settled(page, section)
        keep(page, f"tab-{screen}-{section}")
        context.close()
    return found


def wrong_token(browser):
    page = browser.new_page()
    page.goto(admin)
    page.fill("#token-input", "another-token-of-some-length")
    page.get_by_role("button", name="Continue").click()
    until(page, "document.getElementById('token-wrong').textContent !== ''")
    keep(page, "token")
    said = page.inner_text("#token-wrong")
    page.close()
    return said


def story(browser):
    context = browser.new_context(viewport=SCREENS["desktop"])
    page = context.new_page()
    complaints = listen(page)
    found = {}
    enter(page)

    page.locator("#plot-requests > svg").hover(position={"x": 400, "y": 80})
    until(page, "document.querySelector('#plot-requests figcaption small:last-child').textContent !== ''")
    found["hover"] = page.inner_text("#plot-requests figcaption small:last-child")
    keep(page, "hover")

    see(page, "rules")
    page.locator("#rules-form input").fill("post recruiter")
    until(page, "document.querySelectorAll('#rules-table tbody tr').length === 1")
    found["found"] = [text.split(" · ")[-1] for text in page.locator("#rules-table td:first-child small").all_inner_texts()]
    page.locator("#rules-form input").fill("")
    page.select_option("#rules-form select[name=show]", "reported")
    until(page, "!document.getElementById('rules-table').textContent.includes('write jobs')")
    found["reported"] = page.locator("#rules-table td:last-child").all_inner_texts()

    see(page, "logins")
    keep(page, "lockouts")
    page.locator("#lockouts-table button").first.click()
    until(page, "document.getElementById('lockouts-said').textContent !== ''")
    found["lifted"] = page.inner_text("#lockouts-said")
    found["tiles"] = []
    for width in (320, 760, 850, 940, 1366):
        page.set_viewport_size({"width": width, "height": 900})
        found["tiles"].append(page.evaluate(TILES))
    page.set_viewport_size(SCREENS["desktop"])

    see_configuration(page)
    good = open(config).read()
    replace(good.replace("allow: anyone", "alow: anyone"))
    os.kill(int(process), signal.SIGHUP)
    page.wait_for_selector("#configuration-problems .error-item", timeout=60_000)
    found["refused"] = page.inner_text("#configuration-problems")
    page.evaluate("scrollTo(0, 0)")
    until(page, "document.getElementById('state').textContent.includes('the files have problems')")
    page.locator("#state a").click()
    found["pill"] = [settled(page, "configuration"), page.locator("#state a").get_attribute("href")]
    keep(page, "refused")
    replace(good)
    os.kill(int(process), signal.SIGHUP)

    # in a tab that nobody sees nothing is asked: one round may be under way
    page.evaluate("""() => {
        window.asked = 0;
        const fetch = window.fetch;
        window.fetch = (...all) => { window.asked += String(all[0]).includes("overview") ? 1 : 0; return fetch(...all); };
        Object.defineProperty(document, "hidden", { value: true, configurable: true });
        document.dispatchEvent(new Event("visibilitychange"));
    }""")
    page.wait_for_timeout(5000)
    found["asked_while_hidden"] = page.evaluate("window.asked")
    page.evaluate("""() => {
        Object.defineProperty(document, "hidden", { value: false, configurable: true });
        document.dispatchEvent(new Event("visibilitychange"));
    }""")
    until(page, "window.asked > 1")

    found["kept"] = page.evaluate("[localStorage.length, sessionStorage.length, document.cookie.length]")
    found["complaints"] = [text for text in complaints if "status of 401" not in text]
    page.route("**/api/**", lambda route: route.abort())
    page.wait_for_selector("#banner:not([hidden])")
    found["gone"] = page.inner_text("#banner")
    page.evaluate("scrollTo(0, 0)")
    keep(page, "gone")
    context.close()
    return found


def replace(text):
    with open(f"{config}.new", "w") as new:
        new.write(text)
    os.rename(f"{config}.new", config)


with sync_playwright() as playwright:
    # a container's root has no sandbox
    browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
    found = {"wrong_token": wrong_token(browser), "tabs": {screen: tabs(browser, screen) for screen in SCREENS}}
    found["visits"] = [visit(browser, *kind) for kind in itertools.product(SCREENS, ("light", "dark"))]
    found["story"] = story(browser)
    browser.close()
print(json.dumps(found))
