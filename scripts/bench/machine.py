"""Processes, ports and what the kernel says about them."""

import glob
import os
import platform
import resource
import socket
import subprocess
import time

CORES = sorted(os.sched_getaffinity(0))


class Failed(Exception):
    """What could not be measured, and why."""


def pin(role):
    """The gateway under test has a core of its own where there are two; load and service share the next one."""
    if len(CORES) < 2:
        return None
    core = CORES[0] if role == "gateway" else CORES[1]
    return lambda: os.sched_setaffinity(0, {core})


def free_ports(count):
    """Ports that nobody listens on now."""
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def raise_open_files(wanted=40_000):
    """As many open files as are wanted, or as many as are allowed. Children inherit the limit."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
    return limit


class Process:
    """A program that this one has started, and all its children. It ends with `stop`."""

    def __init__(self, command, role, log):
        self.log = log
        self.out = open(log, "ab")
        self.child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self.out, stderr=subprocess.STDOUT,
                                      preexec_fn=pin(role))

    def pids(self):
        return family(self.child.pid)

    def cpu(self):
        """Seconds on a core so far, all threads together."""
        return sum(cpu_of(pid) for pid in self.pids())

    def memory(self):
        """Bytes resident, shared pages by their share."""
        return sum(memory_of(pid) for pid in self.pids())

    def forget_log(self):
        """Keeps the scratch folder small: an access log grows by megabytes a second."""
        os.truncate(self.log, 0)

    def wait_for(self, port, seconds=180):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.child.poll() is not None:
                break
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                return
            except OSError:
                time.sleep(0.02)
        raise Failed(f"{self.child.args[0]} does not listen; it printed:\n{self.printed()}")

    def printed(self):
        with open(self.log, errors="replace") as file:
            return file.read()[-4000:]

    def stop(self, signal="TERM"):
        if self.child.poll() is None:
            self.child.send_signal(getattr(__import__("signal"), f"SIG{signal}"))
            try:
                self.child.wait(15)
            except subprocess.TimeoutExpired:
                for pid in reversed(self.pids()):
                    os.kill(pid, 9)
                self.child.wait()
        self.out.close()


def family(pid):
    found = [pid]
    for path in glob.glob(f"/proc/{pid}/task/*/children"):
        try:
            with open(path) as file:
                for child in file.read().split():
                    found += family(int(child))
        except OSError:
            pass
    return found


def cpu_of(pid):
    """To the nanosecond where the kernel keeps scheduler statistics, else to the tick."""
    total = 0
    for path in glob.glob(f"/proc/{pid}/task/*/schedstat"):
        try:
            with open(path) as file:
                total += int(file.read().split()[0])
        except OSError:
            pass
    if total:
        return total / 1e9
    try:
        with open(f"/proc/{pid}/stat") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    except OSError:
        return 0


def memory_of(pid):
    try:
        with open(f"/proc/{pid}/smaps_rollup") as file:
            lines = [line.split() for line in file if line.startswith("Pss:")]
        return int(lines[0][1]) * 1024
    except (OSError, IndexError):
        return 0


def peak_of(pid):
    with open(f"/proc/{pid}/status") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmHWM:"))


def first_line(*command):
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20)
        return (done.stdout or done.stderr).strip().splitlines()[0]
    except (OSError, IndexError, subprocess.TimeoutExpired):
        return "unknown"


def describe(binary):
    """What was measured, and on what."""
    model = "unknown"
    with open("/proc/cpuinfo") as file:
        for line in file:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    with open("/proc/meminfo") as file:
        memory = int(file.readline().split()[1]) // 1024 ** 2
    return {
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "processor": model,
        "cores": len(CORES),
        "memory_gib": memory,
        "kernel": platform.release(),
        "load_at_start": round(os.getloadavg()[0], 2),
        "gatelatch": first_line(binary, "--version"),
        "haproxy": first_line("haproxy", "-v"),
        "nginx": first_line("nginx", "-v"),
    }
