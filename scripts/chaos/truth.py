"""What must hold: which rules are in force, which faults excuse what, and what did not hold."""

import time
from dataclasses import dataclass, field

USERS = [f"user{number}" for number in range(8)]
ADMINS = {"user0", "user1"}
SWAPPED = "swapped"
"""A user who comes and goes."""
PROMOTED = "promoted"
"""A user who is an admin now and then."""
PEOPLE = {"ann": ["staff"], "ben": ["staff"], "cleo": ["admin", "staff"]}
"""People of the provider, and their groups there, which are their roles."""
RECOVERY = {"upstream": 3.5, "redis": 1.5, "replica": 1.0, "descriptors": 1.5, "disk": 1.5, "clock": 1.5, "spoiled": 1.0, "provider": 2.0,
            "stall": 5.0}
"""Seconds behind a fault in which its traces are excused: two rounds of health checks, two tries of a store, a restart."""


@dataclass(frozen=True)
class Version:
    """What the files say that changes."""

    number: int
    has_swapped: bool
    is_promoted: bool
    is_flipped: bool

    def users(self) -> dict[str, list[str]]:
        """The roles of all users of the list."""
        users = {name: ["staff", "admin"] if name in ADMINS else ["staff"] for name in USERS}
        users[PROMOTED] = ["staff", "admin"] if self.is_promoted else ["staff"]
        if self.has_swapped:
            users[SWAPPED] = ["staff"]
        return users

    def everybody(self) -> dict[str, list[str]]:
        """The roles of all users of the list and of the provider."""
        return self.users() | PEOPLE

    def outcome(self, who: str | None, path: str) -> int:
        """The status of a request of this user, or of nobody, with a valid credential."""
        users = self.everybody()
        roles = users.get(who or "", [])
        known = who in users
        area = path.split("/")[1]
        if area == "public" or (area == "flip" and self.is_flipped):
            return 200
        if area not in ("app", "admin", "u", "flip"):
            return 403
        if not known:
            return 401
        if area == "app" or (area == "u" and path.split("/")[2] == who):
            return 200
        return 200 if area in ("admin", "flip") and "admin" in roles else 403


@dataclass
class Fault:
    """Something that was done, to what, and since and until when."""

    kind: str
    target: str
    began: float
    ended: float | None = None


@dataclass
class Session:
    """A sign-in, and what is known of its end."""

    who: str
    access: str
    refresh: str
    cookie: str | None = None
    """What a browser has in place of both."""
    ended: float | None = None
    at: int | None = None
    uncertain: bool = False
    shown_at: float | None = None
    """When a refresh began of which nobody knows whether it was made."""

    def credential(self) -> dict[str, str]:
        """What shows it."""
        return {"cookie": self.cookie} if self.cookie else {"authorization": f"Bearer {self.access}"}


@dataclass
class Truth:
    """What is known, and what did not hold."""

    versions: list[set[Version]]
    faults: list[Fault] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    graves: list[Session] = field(default_factory=list)
    lag: float = 0.0
    """The longest that this program itself was late by lately, in seconds."""

    def count(self, what: str) -> None:
        """Counts something that was seen."""
        self.counts[what] = self.counts.get(what, 0) + 1

    def violation(self, text: str) -> None:
        """Something did not hold."""
        under = [f"{fault.kind}:{fault.target}" for fault in self.faults[-3:]]
        line = f"{time.strftime('%H:%M:%S')} {text} (latest faults: {', '.join(under)})"
        self.violations.append(line)
        print(f"VIOLATION {line}", flush=True)

    def begin(self, kind: str, target: str) -> Fault:
        """A fault begins."""
        fault = Fault(kind, target, time.monotonic())
        self.faults.append(fault)
        return fault

    def stall(self, seconds: float) -> None:
        """This program was not run for so long: all others were not either, and nobody is to blame for what that did."""
        now = time.monotonic()
        self.faults.append(Fault("stall", "machine", now - seconds, now))
        self.counts["seconds without a processor"] = round(self.counts.get("seconds without a processor", 0) + seconds)

    def excused(self, kinds: set[str], target: str | None, since: float) -> bool:
        """Whether such a fault, of this target, overlaps the time from `since` to now, its recovery included."""
        return any(
            (fault.kind == "stall" or fault.kind in kinds and (target is None or fault.target == target))
            and (fault.ended is None or fault.ended + RECOVERY[fault.kind] + 2 * self.lag > since)
            for fault in self.faults
        )

    def is_calm(self) -> bool:
        """Whether nothing at all could be excused now."""
        return not self.excused(set(RECOVERY), None, time.monotonic())

    def clear_since(self, kinds: set[str], target: str | None) -> float | None:
        """Since when there is no such fault; `None` where there is one."""
        faults = [f for f in self.faults if f.kind == "stall" or f.kind in kinds and (target is None or f.target == target)]
        ends = [fault.ended for fault in faults]
        return None if None in ends else max(ends, default=0.0)

    def bury(self, session: Session, replica: int) -> None:
        """The end of a session was answered by this replica."""
        session.ended, session.at = time.monotonic(), replica
        self.graves = [*self.graves[-200:], session]

    def must_hold(self, session: Session, replica: int) -> bool:
        """Whether an answered logout must be known at this replica by now."""
        if session.ended is None:
            return False
        if session.at == replica:
            return True
        redis = self.clear_since({"redis"}, None)
        own = self.clear_since({"replica", "descriptors"}, str(replica))
        if redis is None or own is None:
            return False
        # one second, and what the machine was late by
        return time.monotonic() > max(session.ended, redis, own) + 1.0 + 2 * self.lag
