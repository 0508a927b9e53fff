"""WebSockets of a real Chromium, from a page of the gateway.

Prints as JSON what each could do: with the token, with the token beside a protocol of the service's, and without.
"""

import json
import sys

from playwright.sync_api import sync_playwright

page_address, chromium, url, token = sys.argv[1:]

TALK = """([url, protocols]) => new Promise((done) => {
    const socket = new WebSocket(url, protocols);
    const said = [];
    socket.onerror = () => done("failed");
    socket.onopen = () => socket.send("echo");
    socket.onmessage = (message) => {
        said.push(message.data);
        if (said.length == 2) { done([socket.protocol, ...said]); socket.close(); }
    };
})"""

with sync_playwright() as playwright:
    browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
    page = browser.new_context(bypass_csp=True).new_page()
    page.goto(page_address)
    offers = [["bearer", token], ["chat", "bearer", token], []]
    found = [page.evaluate(TALK, [url, protocols]) for protocols in offers]
    browser.close()
print(json.dumps(found))
