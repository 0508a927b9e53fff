"""Signs in and out with a real Chromium, without JavaScript, on a desktop and a phone, by day and by night.

Prints as JSON what it found; with a folder as the last argument it keeps pictures there.
"""

import itertools
import json
import sys

from playwright.sync_api import sync_playwright

gateway, chromium, user, password, *folder = sys.argv[1:]
SCREENS = {"desktop": {"width": 1280, "height": 800}, "phone": {"width": 320, "height": 568}}


def keep(page, name):
    if folder:
        page.screenshot(path=f"{folder[0]}/{name}.png")


def contrast(page, selector, ground):
    """The ratio of WCAG 2 between a text and what it stands on."""
    return page.locator(selector).first.evaluate(
        """(element, ground) => {
            const light = (color) => {
                const [r, g, b] = color.match(/[\\d.]+/g).map(Number).map((part) => {
                    const share = part / 255;
                    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
                });
                return 0.2126 * r + 0.7152 * g + 0.0722 * b;
            };
            const text = light(getComputedStyle(element).color);
            const page = light(getComputedStyle(document.querySelector(ground)).backgroundColor);
            return (Math.max(text, page) + 0.05) / (Math.min(text, page) + 0.05);
        }""",
        ground,
    )


def focused(page):
    """What has the focus, once anything has: it comes with the first picture of a page, not with its text."""
    return page.wait_for_selector("input:focus").get_attribute("id")


def visit(browser, screen, scheme):
    name = f"{screen}-{scheme}"
    context = browser.new_context(viewport=SCREENS[screen], color_scheme=scheme, java_script_enabled=False)
    page = context.new_page()
    complaints = []
    page.on("console", lambda message: complaints.append(message.text))
    found = {"name": name}

    page.goto(f"{gateway}/jobs?page=2")
    found["sent_to"] = page.url.removeprefix(gateway)
    found["focus"] = [focused(page)]
    found["overflow"] = page.evaluate("document.documentElement.scrollWidth > innerWidth")
    found["contrast"] = [contrast(page, "h1", "main"), contrast(page, "label", "main"), contrast(page, "button", "button")]
    found["tall"] = [page.locator(part).bounding_box()["height"] for part in ("#username", "#password", "button")]
    keep(page, f"{name}-1-sign-in")

    page.fill("#username", user)
    page.fill("#password", "wrong")
    page.click("button")
    found["alert"] = page.get_by_role("alert").inner_text()
    found["contrast"].append(contrast(page, ".error", ".error"))
    found["kept"] = [page.input_value("#username"), page.input_value("#password")]
    found["focus"].append(focused(page))
    keep(page, f"{name}-2-wrong")

    page.fill("#password", password)
    page.keyboard.press("Enter")
    page.wait_for_url(f"{gateway}/jobs?page=2")
    found["came_to"] = page.url.removeprefix(gateway)
    found["told"] = page.inner_text("body")
    cookie = next(cookie for cookie in context.cookies() if cookie["name"] == "gatelatch")
    found["cookie"] = [cookie["httpOnly"], cookie["sameSite"], cookie["path"], cookie["secure"]]

    page.goto(f"{gateway}/auth/login?next=/jobs")
    found["account"] = page.inner_text("main")
    keep(page, f"{name}-3-account")

    # a page that is refused says who asks, and lets somebody else sign in
    page.goto(f"{gateway}/admin/users?a=1")
    found["refused"] = page.inner_text("main")
    found["contrast"] += [contrast(page, ".dim", "main"), contrast(page, ".foot", "main")]
    found["tall"].append(page.locator("a.button").bounding_box()["height"])
    found["overflow"] = found["overflow"] or page.evaluate("document.documentElement.scrollWidth > innerWidth")
    keep(page, f"{name}-6-refused")
    page.get_by_role("link", name="Sign in as somebody else").click()
    found["switch"] = [page.url.removeprefix(gateway), page.get_by_role("status").inner_text()]
    keep(page, f"{name}-7-switch")

    # the link of a service
    page.goto(f"{gateway}/auth/logout?next=/jobs")
    found["leaving"] = page.inner_text("main")
    found["contrast"] += [contrast(page, "dt", "main"), contrast(page, "dd", "main")]
    found["overflow"] = found["overflow"] or page.evaluate("document.documentElement.scrollWidth > innerWidth")
    keep(page, f"{name}-8-sign-out")
    page.get_by_role("button", name="Sign out").click()
    found["status"] = page.get_by_role("status").inner_text()
    found["cookies_left"] = [cookie["name"] for cookie in context.cookies()]
    keep(page, f"{name}-4-signed-out")

    # without a way back: to what this user may see
    page.fill("#username", user)
    page.fill("#password", password)
    page.click("button")
    page.wait_for_url(f"{gateway}/auth/account")
    found["landed"] = page.inner_text("main")
    page.goto(f"{gateway}/auth/logout")
    page.get_by_role("button", name="Sign out").click()

    # a browser that refuses the session and keeps the rest
    for _ in range(2):
        page.fill("#username", user)
        page.fill("#password", password)
        page.click("button")
        context.clear_cookies(name="gatelatch")
        page.goto(f"{gateway}/jobs")
    page.fill("#username", user)
    page.fill("#password", password)
    page.click("button")
    context.clear_cookies(name="gatelatch")
    page.goto(f"{gateway}/jobs")
    found["lost"] = page.inner_text("main")
    keep(page, f"{name}-5-lost")

    found["complaints"] = [text for text in complaints if "status of" not in text]
    context.close()
    return found


with sync_playwright() as playwright:
    # a container's root has no sandbox
    browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
    visits = [visit(browser, *kind) for kind in itertools.product(SCREENS, ("light", "dark"))]
    browser.close()
print(json.dumps(visits))
