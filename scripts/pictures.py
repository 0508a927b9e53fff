#!/usr/bin/env python3
"""The pictures of README.md, from the demo and a real Chromium: scripts/pictures.py BINARY CHROMIUM.

Needs Playwright, which scripts/test.sh installs: target/test-venv/bin/python scripts/pictures.py target/debug/gatelatch chromium
"""

import json
import re
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

from playwright.sync_api import sync_playwright

FOLDER = Path(__file__).parent.parent / "docs/pictures"
SCREEN = {"width": 880, "height": 560}


def ask(url: str, token: str = "", data: bytes | None = None) -> bytes:
    """The body of an answer, whatever its status."""
    fields = {"authorization": f"Bearer {token}"} if token else {}
    try:
        return urllib.request.urlopen(urllib.request.Request(url, data, fields)).read()
    except urllib.error.HTTPError as error:
        return error.read()


def some_requests(gateway: str) -> None:
    """So that the dashboard has something to show."""
    login = ask(f"{gateway}/auth/login", data=b"username=rita&password=demo-password")
    token = json.loads(login)["access_token"]
    for number in range(60):
        ask(f"{gateway}/jobs", token)
        ask(f"{gateway}/public/hello")
        if number % 6 == 0:
            ask(f"{gateway}/jobs")
            ask(f"{gateway}/auth/login", data=b"username=carl&password=wrong")


def main() -> None:
    """Takes both."""
    binary, chromium = sys.argv[1:]
    FOLDER.mkdir(parents=True, exist_ok=True)
    demo = subprocess.Popen([binary, "demo", "--listen", "127.0.0.1:0"], stdout=subprocess.PIPE, text=True)
    try:
        said = ""
        while "Ctrl-C ends the demo." not in said:
            said += demo.stdout.readline()
        gateway = re.search(r"stands at (http://\S+)", said)[1]
        dashboard = re.search(r"Dashboard: (http://\S+)", said)[1]
        some_requests(gateway)
        with sync_playwright() as playwright:
            options = ["--no-sandbox"]
            browser = playwright.chromium.launch(executable_path=chromium, args=options)
            page = browser.new_page(viewport=SCREEN)
            page.goto(f"{gateway}/jobs")
            page.wait_for_selector("#password")
            page.screenshot(path=FOLDER / "sign-in.png")
            page.goto(dashboard)
            # a plot needs two samples, which are taken every 2 s
            page.wait_for_timeout(6000)
            page.screenshot(path=FOLDER / "dashboard.png")
            browser.close()
    finally:
        demo.terminate()
        demo.wait(30)


if __name__ == "__main__":
    main()
