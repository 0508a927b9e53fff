"""The load: clients of every kind, each of which knows what it must be told."""

import asyncio
import base64
import hashlib
import itertools
import json
import os
import random
import time
from urllib.parse import quote

from .processes import PASSWORD, Cluster
from .truth import PROMOTED, SWAPPED, USERS, Session, Truth, Version
from .wire import Answer, Connection, Cut, Malformed

try:
    from .wire2 import Http2
except ImportError:
    Http2 = None

NONCES = itertools.count()
REPLICA = {"replica", "descriptors"}
SERVICE = REPLICA | {"upstream"}
STORE = REPLICA | {"redis"}

PATHS = ["/public/a", "/app/a", "/admin/a", "/flip/a", "/never/a", "/other", "/u/user0/a", "/u/user3/a"]


def password(who: str) -> str:
    """The password of a user."""
    return f"{PASSWORD} {who}"


async def probe_version(cluster: Cluster, index: int, version: Version) -> bool:
    """Whether a replica answers by this version: by its rule that flips, and by two passwords."""
    try:
        connection = await cluster.connect(index)
    except Cut:
        return False
    try:
        seen = []
        for who, path in [(None, "/flip/probe"), (PROMOTED, "/flip/probe"), (PROMOTED, "/admin/probe"), (SWAPPED, "/app/probe")]:
            answer = await connection.request("GET", path, basic(who) if who else {})
            expected = version.outcome(who, path)
            # an upstream that is away has been allowed to
            seen.append(answer.status == expected or (expected == 200 and answer.status in (502, 503, 504)))
            if not connection.usable:
                connection.close()
                connection = await cluster.connect(index)
        return all(seen)
    except (Cut, Malformed):
        return False
    finally:
        connection.close()


def basic(who: str) -> dict[str, str]:
    """Credentials in each request."""
    return {"authorization": "Basic " + base64.b64encode(f"{who}:{password(who)}".encode()).decode()}


class Client:
    """What all clients have in common."""

    def __init__(self, cluster: Cluster, truth: Truth, number: int, calm: bool):
        self.cluster, self.truth, self.calm = cluster, truth, calm
        self.random = random.Random(number)
        self.who = self.random.choice([*USERS, SWAPPED, PROMOTED])
        self.connections: dict[int, Connection] = {}
        self.times: list[float] = []

    async def run(self, kind, until: float, pause: float) -> None:
        """Repeats one kind of load until then."""
        while time.monotonic() < until:
            replica, began = self.random.randrange(2), time.monotonic()
            try:
                await kind(self, replica)
            except Cut as error:
                self.truth.count("cut")
                self.drop(replica)
                self.check_cut(replica, began, str(error))
            except Malformed as error:
                self.drop(replica)
                self.truth.violation(f"{kind.__name__} at {replica}: not HTTP: {error}")
            await asyncio.sleep(self.random.uniform(0, 2 * pause))
        for replica in range(2):
            self.drop(replica)

    def drop(self, replica: int) -> None:
        """Forgets the connection to a replica."""
        if connection := self.connections.pop(replica, None):
            connection.close()

    def check_cut(self, replica: int, since: float, text: str) -> None:
        """A connection ends only where something has ended it since then."""
        own = self.truth.excused(REPLICA, str(replica), since)
        if not own and not self.truth.excused({"upstream"}, None, since):
            self.truth.violation(f"cut at {replica}: {text}")

    async def ask(self, replica: int, method: str, target: str, fields: dict[str, str], body: bytes | None = None) -> Answer:
        """A request on the connection that is there, or a new one. One that rests may have ended: it is tried once more."""
        for attempt in range(2):
            connection = self.connections.get(replica)
            is_new = connection is None or not connection.usable or connection.has_ended()
            if is_new:
                self.drop(replica)
                connection = self.connections[replica] = await self.cluster.connect(replica)
            began = time.monotonic()
            try:
                answer = await connection.request(method, target, fields, body)
            except Cut:
                self.drop(replica)
                if is_new or attempt or method != "GET":
                    raise
                continue
            self.times.append(time.monotonic() - began)
            self.truth.count(f"{answer.status}")
            if self.truth.is_calm():
                self.truth.count("answers that nothing excuses")
            return answer
        raise Cut("unreachable")

    def check_unavailable(self, answer: Answer, kinds: set[str], replica: int, since: float, what: str) -> bool:
        """Whether an answer is an error of the gateway's; one that no fault excuses is a violation."""
        if answer.status < 500 and answer.status != 429:
            return False
        own = self.truth.excused(kinds & REPLICA, str(replica), since)
        if not own and not self.truth.excused(kinds - REPLICA, None, since):
            self.truth.violation(f"{what} at {replica}: {answer.status} {answer.body[:120]!r}")
        return True

    async def proxied(self, replica: int, who: str | None, path: str, fields: dict[str, str], kinds: set[str] = SERVICE,
                      method: str = "GET", body: bytes | None = None) -> Answer:
        """A request to the service, with everything that can be checked about its answer."""
        since, possible = time.monotonic(), set(self.truth.versions[replica])
        nonce = f"n={next(NONCES)}"
        spoofed = {"remote-user": "root", "Remote_Groups": "admin", "x-gatelatch-user": "root", "x-forwarded-user": "root"}
        answer = await self.ask(replica, method, f"{path}?{nonce}", {**fields, **spoofed}, body)
        possible |= self.truth.versions[replica]
        what = f"{method} {path} as {who}"
        if self.check_unavailable(answer, kinds, replica, since, what):
            return answer
        expected = {version.outcome(who, path) for version in possible}
        if answer.status not in expected:
            self.truth.violation(f"{what} at {replica}: {answer.status}, not {expected} {answer.body[:120]!r}")
        if answer.status == 200:
            self.check_said(answer, who, f"{path}?{nonce}", what, possible, self.nobody(path, since))
        return answer

    def check_said(self, answer: Answer, who: str | None, target: str, what: str, possible: set[Version],
                   nobody: set[None]) -> None:
        """What the service was told is what was asked, by whom it was."""
        said = json.loads(answer.body)
        if said["target"] != target:
            self.truth.violation(f"{what}: the answer of {said['target']}, not of {target}")
        named = {"".join(c for c in name if c.isalnum()): value for name, value in said["fields"]}
        users = {None} if who is None else {name if name in v.everybody() else None for v in possible for name in [who]}
        if named.get("remoteuser") not in users | nobody:
            self.truth.violation(f"{what}: identified as {named.get('remoteuser')}")
        roles = [",".join(sorted(v.everybody().get(who or "", []))) for v in possible]
        if nobody:
            roles.append("")
        if ",".join(sorted(filter(None, named.get("remotegroups", "").split(",")))) not in roles:
            self.truth.violation(f"{what}: with the roles {named.get('remotegroups')}")
        if "xgatelatchuser" in named or "xforwardeduser" in named or "authorization" in named:
            self.truth.violation(f"{what}: the service sees {sorted(named)}")

    def check_stream(self, answer: Answer | None, who: str | None, path: str, nonce: str, possible: set[Version],
                     replica: int, since: float) -> None:
        """What must hold of one answer of several on a connection."""
        what = f"HTTP/2 GET {path} as {who}"
        if answer is None:
            self.check_cut(replica, since, f"{what}: the stream was reset")
            return
        self.truth.count(f"{answer.status} over HTTP/2")
        if self.check_unavailable(answer, SERVICE | STORE, replica, since, what):
            return
        expected = {version.outcome(who, path) for version in possible}
        if answer.status not in expected:
            self.truth.violation(f"{what} at {replica}: {answer.status}, not {expected} {answer.body[:120]!r}")
        if answer.status == 200:
            self.check_said(answer, who, f"{path}?{nonce}", what, possible, self.nobody(path, since))

    def nobody(self, path: str, since: float) -> set[None]:
        """Who may pass for nobody: on a rule for anyone, whoever's password cannot be checked as the store is away."""
        is_open = path.startswith(("/public/", "/flip/"))
        return {None} if is_open and self.truth.excused({"redis"}, None, since) else set()

    async def sign_in(self, replica: int, who: str) -> Session | None:
        """Signs in; `None` where that is not possible now."""
        since, possible = time.monotonic(), set(self.truth.versions[replica])
        body = json.dumps({"username": who, "password": password(who)}).encode()
        answer = await self.ask(replica, "POST", "/auth/login", {"content-type": "application/json"}, body)
        possible |= self.truth.versions[replica]
        if self.check_unavailable(answer, STORE, replica, since, f"login of {who}"):
            return None
        expected = {200 if who in version.users() else 401 for version in possible}
        if answer.status not in expected:
            self.truth.violation(f"login of {who} at {replica}: {answer.status} {answer.body[:120]!r}")
        if answer.status != 200:
            return None
        said = json.loads(answer.body)
        return Session(who, said["access_token"], said["refresh_token"])

    async def refresh(self, replica: int, session: Session) -> None:
        """Exchanges the refresh token."""
        since, possible = time.monotonic(), set(self.truth.versions[replica])
        body = json.dumps({"refresh_token": session.refresh}).encode()
        was_uncertain, session.shown_at = session.shown_at, session.shown_at or since
        answer = await self.ask(replica, "POST", "/auth/refresh", {"content-type": "application/json"}, body)
        possible |= self.truth.versions[replica]
        if self.check_unavailable(answer, STORE, replica, since, f"refresh of {session.who}"):
            return
        if answer.status == 200:
            said = json.loads(answer.body)
            session.access, session.refresh, session.shown_at = said["access_token"], said["refresh_token"], None
            return
        # a token that an outage may have spent is good again for ten seconds, or a minute behind the outage
        is_late = was_uncertain is not None and since - was_uncertain > 9
        if all(session.who in version.users() for version in possible) and not is_late:
            self.truth.violation(f"refresh of {session.who} at {replica}: {answer.status} {answer.body[:120]!r}")
        session.uncertain = True

    async def log_out(self, replica: int, session: Session) -> None:
        """Signs out; what was answered must hold."""
        since = time.monotonic()
        session.uncertain = True
        fields = {"authorization": f"Bearer {session.access}", "content-type": "application/json"}
        body = json.dumps({"refresh_token": session.refresh}).encode()
        answer = await self.ask(replica, "POST", "/auth/logout", fields, body)
        if self.check_unavailable(answer, STORE, replica, since, f"logout of {session.who}"):
            return
        if answer.status == 204:
            self.truth.bury(session, replica)


async def programs(client: Client, replica: int) -> None:
    """Sign in, ask, refresh, ask at both, sign out, and be refused."""
    session = await client.sign_in(replica, client.who)
    if session is None:
        return
    for _ in range(client.random.randrange(2, 12)):
        at, since = client.random.randrange(2), time.monotonic()
        try:
            if client.random.random() < 0.2:
                await client.refresh(at, session)
            if session.uncertain:
                return
            path = client.random.choice([*PATHS, f"/u/{client.who}/a"])
            await client.proxied(at, client.who, path, {"authorization": f"Bearer {session.access}"})
        except Cut as error:
            client.drop(at)
            client.check_cut(at, since, str(error))
    await client.log_out(replica, session)


async def ended(client: Client, replica: int) -> None:
    """A session that has ended is refused."""
    if not client.truth.graves:
        return
    session = client.random.choice(client.truth.graves)
    must = client.truth.must_hold(session, replica)
    since = time.monotonic()
    answer = await client.ask(replica, "GET", "/app/ended", session.credential())
    if client.check_unavailable(answer, SERVICE, replica, since, "an ended session"):
        return
    client.truth.count("ended sessions tried" if must else "ended sessions tried early")
    # it is asked twice: a fault may have begun between the two looks
    if must and answer.status != 401 and client.truth.must_hold(session, replica):
        age = time.monotonic() - (session.ended or 0)
        client.truth.violation(f"a session that ended {age:.1f} s ago at {session.at} is good at {replica}: {answer.status}")


async def browsers(client: Client, replica: int) -> None:
    """The form, the cookie, a page, and the way out."""
    scheme = "https" if client.cluster.certificate else "http"
    origin = {"origin": f"{scheme}://gateway.test", "accept": "text/html", "sec-fetch-site": "same-origin"}
    form = {"content-type": "application/x-www-form-urlencoded", **origin}
    since, who = time.monotonic(), client.random.choice(USERS)
    body = f"username={who}&password={quote(password(who))}".encode()
    answer = await client.ask(replica, "POST", "/auth/login", form, body)
    if client.check_unavailable(answer, STORE, replica, since, "the form"):
        return
    cookies = [line.split(";")[0] for line in answer.fields.get("set-cookie", []) if line.startswith(("gatelatch=", "__Host-gatelatch="))]
    if answer.status != 303 or not cookies:
        client.truth.violation(f"the form at {replica}: {answer.status} {answer.fields}")
        return
    for at in (replica, 1 - replica):
        since = time.monotonic()
        try:
            await client.proxied(at, who, "/app/page", {"cookie": cookies[0]})
        except Cut as error:
            client.drop(at)
            client.check_cut(at, since, str(error))
    since = time.monotonic()
    answer = await client.ask(replica, "POST", "/auth/logout", {**form, "cookie": cookies[0]}, b"")
    if client.check_unavailable(answer, STORE, replica, since, "the way out"):
        return
    if answer.status == 303:
        answer = await client.ask(replica, "GET", "/app/page", {"cookie": cookies[0]})
        if not client.check_unavailable(answer, SERVICE, replica, since, "a page") and answer.status != 401:
            client.truth.violation(f"a cookie that was signed out at {replica}: {answer.status}")


async def anonymous(client: Client, replica: int) -> None:
    """Nobody in particular."""
    await client.proxied(replica, None, client.random.choice(PATHS), {})


async def by_password(client: Client, replica: int) -> None:
    """A name and a password in each request: the first one of a snapshot is checked with the store."""
    path = client.random.choice(PATHS)
    await client.proxied(replica, client.who, path, basic(client.who), SERVICE | STORE)


async def uploads(client: Client, replica: int) -> None:
    """A body arrives as it was sent."""
    body = os.urandom(client.random.randrange(1, 300_000))
    who = client.random.choice(USERS)
    answer = await client.proxied(replica, who, "/app/upload", basic(who), SERVICE | STORE, "POST", body)
    if answer.status == 200 and json.loads(answer.body)["sha256"] != hashlib.sha256(body).hexdigest():
        client.truth.violation("an upload arrived as something else")


async def forward_auth(client: Client, replica: int) -> None:
    """Another proxy asks."""
    who, path = client.random.choice([None, *USERS]), client.random.choice(PATHS)
    since, possible = time.monotonic(), set(client.truth.versions[replica])
    fields = {"x-forwarded-proto": "http", "x-forwarded-host": "gateway.test", "x-forwarded-method": "GET"}
    fields |= {"x-forwarded-uri": path, **(basic(who) if who else {})}
    answer = await client.ask(replica, "GET", "/auth/verify", fields)
    possible |= client.truth.versions[replica]
    if client.check_unavailable(answer, STORE, replica, since, "forward-auth"):
        return
    expected = {version.outcome(who, path) for version in possible}
    users = {who, "" if who is None else who, *client.nobody(path, since)}
    if answer.status not in expected or (answer.status == 200 and answer.field("remote-user") not in users):
        client.truth.violation(f"forward-auth of {path} for {who}: {answer.status}, not {expected}, {answer.fields}")


async def sockets(client: Client, replica: int) -> None:
    """A WebSocket lives as long as its session, and says who opened it."""
    who = client.random.choice(USERS)
    session = await client.sign_in(replica, who)
    if session is None:
        return
    connection = await client.cluster.connect(replica)
    since = time.monotonic()
    try:
        answer = await connection.upgrade("/app/socket", {"authorization": f"Bearer {session.access}"})
        if client.check_unavailable(answer, SERVICE, replica, since, "a WebSocket"):
            return
        if answer.status != 101:
            client.truth.violation(f"a WebSocket at {replica}: {answer.status}")
            return
        for _ in range(client.random.randrange(3, 15)):
            word = f"w{next(NONCES)}"
            if (said := await connection.say(word)) != f"{word} {who}":
                client.truth.violation(f"a WebSocket of {who} said {said} for {word}")
            await asyncio.sleep(0.2)
        client.truth.count("sockets")
        await client.log_out(replica, session)
        if session.ended is not None:
            await socket_ends(client, connection, replica)
    finally:
        connection.close()


async def socket_ends(client: Client, connection: Connection, replica: int) -> None:
    """The WebSocket of a session that has ended ends within a second."""
    until = time.monotonic() + 1.5 + 2 * client.truth.lag
    try:
        while time.monotonic() < until:
            await connection.say("still")
            await asyncio.sleep(0.1)
    except Cut:
        client.truth.count("sockets that ended with their session")
        return
    if not client.truth.excused(REPLICA, str(replica), until - 5):
        client.truth.violation(f"a WebSocket at {replica} outlives its session")


async def event_streams(client: Client, replica: int) -> None:
    """Events come in order, each one of this stream."""
    who, connection = client.random.choice(USERS), await client.cluster.connect(replica)
    target = f"/app/events?n={next(NONCES)}"
    since = time.monotonic()
    try:
        answer = await connection.request("GET", target, basic(who))
        if client.check_unavailable(answer, SERVICE | STORE, replica, since, "events"):
            return
        expected = "".join(f"data: {number} {target}\n\n" for number in range(20))
        if answer.status != 200 or answer.body.decode() != expected:
            client.truth.violation(f"events at {replica}: {answer.status} {answer.body[-200:]!r}")
        client.truth.count("event streams")
    finally:
        connection.close()


async def multiplexed(client: Client, replica: int) -> None:
    """Many requests on one connection of HTTP/2: each gets its own answer."""
    if Http2 is None:
        client.truth.count("no HTTP/2: the package h2 is missing")
        await asyncio.sleep(5)
        return
    since, connection = time.monotonic(), await client.cluster.connect(replica, "h2")
    scheme = "https" if client.cluster.certificate else "http"
    try:
        http2 = Http2(connection)
        for _ in range(3):
            since, possible = time.monotonic(), set(client.truth.versions[replica])
            asked = [(client.random.choice([None, *USERS]), client.random.choice(PATHS), f"n={next(NONCES)}") for _ in range(8)]
            heads = []
            for who, path, nonce in asked:
                head = [(":method", "GET"), (":scheme", scheme), (":authority", "gateway.test"), (":path", f"{path}?{nonce}")]
                heads.append([*head, ("remote-user", "root"), *(basic(who).items() if who else [])])
            answers = await http2.ask(heads)
            possible |= client.truth.versions[replica]
            for (who, path, nonce), answer in zip(asked, answers):
                client.check_stream(answer, who, path, nonce, possible, replica, since)
    finally:
        connection.close()


async def cutters(client: Client, replica: int) -> None:
    """A connection that ends in the middle of something."""
    connection = await client.cluster.connect(replica)
    try:
        head = b"POST /app/upload HTTP/1.1\r\nhost: gateway.test\r\ncontent-length: 100000\r\n"
        head += b"authorization: " + basic("user1")["authorization"].encode() + b"\r\n\r\n" + bytes(50_000)
        await connection.send(head[: client.random.randrange(1, len(head))])
        await asyncio.sleep(client.random.uniform(0, 0.2))
    except Cut:
        pass
    finally:
        connection.close()


KINDS = [
    (programs, 6, 0.05),
    (ended, 3, 0.1),
    (browsers, 2, 0.3),
    (anonymous, 3, 0.05),
    (by_password, 2, 0.1),
    (uploads, 2, 0.2),
    (forward_auth, 2, 0.1),
    (sockets, 3, 0.3),
    (event_streams, 2, 0.5),
    (multiplexed, 2, 0.2),
    (cutters, 1, 0.2),
]
"""Kinds of load, how many clients each has, and their mean pause in seconds."""
