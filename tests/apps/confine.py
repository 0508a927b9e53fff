"""Shuts itself in as a systemd unit says, as far as that goes without systemd, and becomes the program that it is for.

confine.py UNIT -- PROGRAM ARGUMENT...

Started as root in a mount namespace of its own (`unshare --mount`). What it enforces: ProtectSystem=strict, User= (as 65532),
CapabilityBoundingSet=, NoNewPrivileges=, SystemCallFilter=, SystemCallErrorNumber=EPERM, RestrictAddressFamilies=,
RestrictNamespaces=, MemoryDenyWriteExecute=.
"""

import ctypes
import errno
import os
import socket
import subprocess
import sys

ALLOW = 0x7FFF0000
MASKED_EQUAL, EQUAL = 7, 4
PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS = 24, 38
WRITE, EXECUTE = 2, 4
CLONE_NEW_ANYTHING = 0x7E020000
NOBODY = 65532


class Comparison(ctypes.Structure):
    _fields_ = [("arg", ctypes.c_uint), ("op", ctypes.c_int), ("a", ctypes.c_uint64), ("b", ctypes.c_uint64)]


seccomp = ctypes.CDLL("libseccomp.so.2", use_errno=True)
seccomp.seccomp_init.restype = ctypes.c_void_p
libc = ctypes.CDLL(None, use_errno=True)


def refuse(number):
    return 0x00050000 | number


def settings(unit):
    """Every value of every key, in its order."""
    found = {}
    for line in open(unit):
        key, equals, value = line.strip().partition("=")
        if equals and not key.startswith("#"):
            found.setdefault(key, []).append(value)
    return found


def calls_of(group):
    """The system calls that a group of systemd's stands for."""
    if not group.startswith("@"):
        return {group}
    listed = subprocess.run(["systemd-analyze", "syscall-filter", group], capture_output=True, text=True, check=True)
    names = [line.strip() for line in listed.stdout.splitlines()[1:]]
    return set().union(*(calls_of(name) for name in names if name and not name.startswith("#")))


def allowed_calls(filters):
    allowed = set()
    for line in filters:
        calls = set().union(*(calls_of(name) for name in line.lstrip("~").split()))
        allowed = allowed - calls if line.startswith("~") else allowed | calls
    return allowed


class Filter:
    def __init__(self):
        self.context = ctypes.c_void_p(seccomp.seccomp_init(refuse(errno.EPERM)))

    def rule(self, action, name, *comparisons):
        number = seccomp.seccomp_syscall_resolve_name(name.encode())
        # not a call of this machine
        if number < 0:
            return
        array = (Comparison * len(comparisons))(*comparisons)
        failed = seccomp.seccomp_rule_add_array(self.context, action, number, len(comparisons), array)
        assert failed == 0, f"{name}: {os.strerror(-failed)}"

    def load(self):
        failed = seccomp.seccomp_load(self.context)
        assert failed == 0, os.strerror(-failed)


def build(unit):
    made = Filter()
    special = {"clone", "clone3", "unshare", "setns", "mmap", "mprotect", "pkey_mprotect", "socket"}
    for name in sorted(allowed_calls(unit["SystemCallFilter"]) - special):
        made.rule(ALLOW, name)
    assert unit["RestrictNamespaces"] == ["yes"] and unit["MemoryDenyWriteExecute"] == ["yes"]
    made.rule(ALLOW, "clone", Comparison(0, MASKED_EQUAL, CLONE_NEW_ANYTHING, 0))
    # its flags are behind a pointer; the C library then takes `clone`
    made.rule(refuse(errno.ENOSYS), "clone3")
    for protection in (0, WRITE, EXECUTE):
        made.rule(ALLOW, "mmap", Comparison(2, MASKED_EQUAL, WRITE | EXECUTE, protection))
    for name in ("mprotect", "pkey_mprotect"):
        made.rule(ALLOW, name, Comparison(2, MASKED_EQUAL, EXECUTE, 0))
    for family in unit["RestrictAddressFamilies"][0].split():
        made.rule(ALLOW, "socket", Comparison(0, EQUAL, getattr(socket, family), 0))
    return made


def control(operation, value):
    failed = libc.prctl(operation, ctypes.c_ulong(value), 0, 0, 0)
    assert failed == 0, os.strerror(ctypes.get_errno())


def main():
    unit, program = settings(sys.argv[1]), sys.argv[3:]
    assert sys.argv[2] == "--"
    made = build(unit)
    # by its descriptor: the way to it may be closed to the user that it runs as
    executable = os.open(program[0], os.O_RDONLY)
    os.set_inheritable(executable, True)
    assert unit["ProtectSystem"] == ["strict"] and unit["CapabilityBoundingSet"] == [""]
    subprocess.run(["mount", "--options", "remount,bind,ro", "/"], check=True)
    for capability in range(int(open("/proc/sys/kernel/cap_last_cap").read()) + 1):
        control(PR_CAPBSET_DROP, capability)
    os.setgroups([])
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)
    assert unit["NoNewPrivileges"] == ["yes"]
    control(PR_SET_NO_NEW_PRIVS, 1)
    made.load()
    os.execve(executable, program, os.environ)


main()
