"""The load of people who sign in with the provider: begun at one replica, ended at another, renewed in between."""

import asyncio
import json
import time
from urllib.parse import urlsplit

from .load import NONCES, PATHS, REPLICA, SERVICE, STORE, Client
from .truth import PEOPLE, Session
from .wire import Answer, Connection, Cut

PROVIDER = STORE | {"provider"}
NAVIGATION = {"accept": "text/html", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document", "sec-fetch-site": "same-origin"}


class Browser:
    """A client with a jar of cookies."""

    def __init__(self, client: Client):
        self.client, self.truth, self.jar = client, client.truth, {}
        self.sid = f"sid{next(NONCES)}"

    def cookies(self) -> dict[str, str]:
        """As a field."""
        return {"cookie": "; ".join(f"{name}={value}" for name, value in self.jar.items())} if self.jar else {}

    def take(self, answer: Answer) -> None:
        """What an answer sets or takes away."""
        for line in answer.fields.get("set-cookie", []):
            name, _, value = line.split(";")[0].partition("=")
            if value and "max-age=0" not in line.lower():
                self.jar[name] = value
            else:
                self.jar.pop(name, None)

    async def go(self, replica: int, target: str, since: float) -> Answer | None:
        """Opens a page, on a new connection: what is good once must not be sent twice. `None` where the replica is away."""
        self.client.drop(replica)
        try:
            answer = await self.client.ask(replica, "GET", target, NAVIGATION | self.cookies())
        except Cut as error:
            self.truth.count("cut")
            self.client.check_cut(replica, since, str(error))
            return None
        self.take(answer)
        return answer

    async def at_provider(self, target: str, since: float) -> Answer | None:
        """Asks the provider; `None` where a fault keeps it from answering."""
        connection = None
        try:
            connection = await Connection.open(self.client.cluster.provider_port)
            return await connection.request("GET", target, {})
        except Cut as error:
            if not self.truth.excused({"provider"}, None, since):
                self.truth.violation(f"the provider is away: {error}")
            return None
        finally:
            if connection:
                connection.close()

    async def sign_in(self, begins: int, ends: int, who: str) -> Session | None:
        """There and back; `None` where a fault keeps the person from it."""
        since, check = time.monotonic(), self.client.check_unavailable
        answer = await self.go(begins, "/auth/login/corp?next=/app/page", since)
        if answer is None or check(answer, PROVIDER, begins, since, "the way to the provider"):
            return None
        to = urlsplit(answer.field("location") or "")
        if answer.status != 303 or to.port != self.client.cluster.provider_port:
            self.truth.violation(f"the way to the provider at {begins}: {answer.status} {answer.fields}")
            return None
        answer = await self.at_provider(f"{to.path}?{to.query}&who={who}&sid={self.sid}", since)
        if answer is None:
            return None
        back = urlsplit(answer.field("location"))
        answer = await self.go(ends, f"{back.path}?{back.query}", since)
        if answer is None or check(answer, PROVIDER, ends, since, f"sign-in of {who}"):
            return None
        is_there = {"gatelatch", "__Host-gatelatch"} & set(self.jar)
        if answer.status != 303 or answer.field("location") != "/app/page" or not is_there:
            self.truth.violation(f"sign-in of {who} at {ends}: {answer.status} {answer.fields} {answer.body[:200]!r}")
            return None
        self.truth.count("sign-ins with the provider")
        return Session(who, "", "", cookie=self.cookies()["cookie"])


async def people(client: Client, replica: int) -> None:
    """Sign in with the provider, ask at both replicas for a while, and end in one of the ways that there are."""
    browser, began = Browser(client), time.monotonic()
    session = await browser.sign_in(replica, client.random.randrange(2), client.random.choice(list(PEOPLE)))
    if session is None:
        return
    for _ in range(client.random.randrange(3, 30)):
        at, since = client.random.randrange(2), time.monotonic()
        if client.cluster.store and client.truth.excused({"redis"}, None, began):
            # a failover may have lost the refresh token: the person is asked to sign in again
            return
        try:
            path = client.random.choice([*PATHS, f"/u/{session.who}/a"])
            answer = await client.proxied(at, session.who, path, session.credential())
            if "set-cookie" in answer.fields:
                client.truth.count("sessions renewed by the provider")
                browser.take(answer)
                session.cookie = browser.cookies()["cookie"]
        except Cut as error:
            client.drop(at)
            client.check_cut(at, since, str(error))
        await asyncio.sleep(client.random.uniform(0, 0.6))
    end = client.random.choice([sign_out, end_by_provider, end_by_refusal])
    await end(client, browser, session, replica)


async def sign_out(client: Client, browser: Browser, session: Session, replica: int) -> None:
    """The form of the page."""
    scheme, since = "https" if client.cluster.certificate else "http", time.monotonic()
    fields = {"origin": f"{scheme}://gateway.test", "content-type": "application/x-www-form-urlencoded", **NAVIGATION}
    answer = await client.ask(replica, "POST", "/auth/logout", fields | session.credential(), b"")
    if client.check_unavailable(answer, STORE, replica, since, f"sign-out of {session.who}"):
        return
    if answer.status == 303:
        client.truth.bury(session, replica)


async def end_by_provider(client: Client, browser: Browser, session: Session, replica: int) -> None:
    """A logout token of the provider (OpenID Connect Back-Channel Logout 1.0)."""
    since = time.monotonic()
    answer = await browser.at_provider(f"/end?sid={browser.sid}", since)
    if answer is None:
        return
    token = json.loads(answer.body)["logout_token"]
    fields = {"content-type": "application/x-www-form-urlencoded"}
    answer = await client.ask(replica, "POST", "/auth/backchannel/corp", fields, f"logout_token={token}".encode())
    if client.check_unavailable(answer, PROVIDER, replica, since, "a logout token"):
        return
    if answer.status == 200:
        client.truth.count("logout tokens taken")
        client.truth.bury(session, replica)
    elif not client.truth.excused(PROVIDER - REPLICA, None, since) and not client.truth.excused(REPLICA, str(replica), since):
        # OpenID Connect Back-Channel Logout 1.0, 2.8: a logout that failed is a 400, whatever it failed on
        client.truth.violation(f"a logout token at {replica}: {answer.status} {answer.body[:120]!r}")


async def end_by_refusal(client: Client, browser: Browser, session: Session, _: int) -> None:
    """The provider renews the session no more: it ends everywhere when it is due, if nothing is in the way."""
    since, refused = time.monotonic(), set()
    if await browser.at_provider(f"/end?sid={browser.sid}", since) is None:
        return
    # `refresh` is 6 s
    while len(refused) < 2 and time.monotonic() < since + 20:
        for at in {0, 1} - refused:
            asked = time.monotonic()
            try:
                answer = await client.ask(at, "GET", "/app/refused", session.credential())
                if not client.check_unavailable(answer, SERVICE, at, asked, "a refused session") and answer.status == 401:
                    refused.add(at)
            except Cut as error:
                client.drop(at)
                client.check_cut(at, asked, str(error))
        await asyncio.sleep(0.5)
    if len(refused) == 2:
        client.truth.count("sessions that the provider refused")
    elif not client.truth.excused(REPLICA | {"redis", "provider", "clock"}, None, since):
        client.truth.violation(f"a session of {session.who} that the provider refuses is good after 20 s, but at {refused}")
