"""The schedule of faults: the same for the same seed."""

import asyncio
import os
import random
import signal
import time

from .processes import Cluster
from .truth import Truth, Version


class Faults:
    """One fault after the other, drawn from a seed. Each ends before the next one begins, but for those of the files."""

    def __init__(self, cluster: Cluster, truth: Truth, seed: int):
        self.cluster, self.truth, self.random = cluster, truth, random.Random(seed)
        self.number = 0

    async def run(self, until: float) -> None:
        """Goes on until then."""
        kinds = [
            self.change_files,
            self.change_files,
            self.spoil_files,
            self.kill_upstream,
            self.freeze_upstream,
            *([self.fail_over, self.fail_over] if self.cluster.store else [self.kill_redis, self.freeze_redis]),
            self.kill_provider,
            self.freeze_provider,
            self.kill_replica,
            self.freeze_replica,
            self.end_replica,
            self.take_descriptors,
            self.fill_disk,
            self.set_clock,
        ]
        while time.monotonic() < until:
            # close together, and far enough apart that nothing is excused for a while
            await asyncio.sleep(self.random.choice([0.2, 2.0, 6.0, 9.0]))
            kind = self.random.choice(kinds)
            index, seconds = self.random.randrange(2), self.random.uniform(0.5, 4.0)
            print(f"{time.strftime('%H:%M:%S')} {kind.__name__} {index} {seconds:.1f} s", flush=True)
            self.truth.count(f"fault {kind.__name__}")
            await kind(index, seconds)

    async def change_files(self, index: int, seconds: float) -> None:
        """Another good configuration and user list."""
        self.number += 1
        draw = self.random.random
        version = Version(self.number, draw() < 0.6, draw() < 0.5, draw() < 0.5)
        for possible in self.truth.versions:
            possible.add(version)
        self.cluster.write(version)
        await self.in_force(version)

    async def in_force(self, version: Version) -> None:
        """Waits until both replicas answer by this version and no other."""
        from .load import probe_version

        for index in range(2):
            end = time.monotonic() + 30
            while not await probe_version(self.cluster, index, version):
                if time.monotonic() > end:
                    self.truth.violation(f"replica {index} never applied version {version}")
                    break
                await asyncio.sleep(0.1)
            # the last request under the former files may be under way
            self.truth.versions[index] = {version}

    async def spoil_files(self, index: int, seconds: float) -> None:
        """A bad configuration, which must not be applied, and the good one again."""
        fault = self.truth.begin("spoiled", "files")
        self.cluster.spoil()
        await asyncio.sleep(max(seconds, 2.0))
        for replica in range(2):
            value = await self.cluster.metric(replica, "gatelatch_config_last_reload_successful")
            if value == 1 and not self.truth.excused({"replica"}, str(replica), time.monotonic()):
                self.truth.count("bad file not noticed yet")
        self.cluster.write(self.cluster.version)
        fault.ended = time.monotonic()

    async def kill_upstream(self, index: int, seconds: float) -> None:
        """A server of the service is killed and comes back."""
        fault = self.truth.begin("upstream", str(index))
        self.cluster.upstreams[index].stop()
        await asyncio.sleep(seconds)
        self.cluster.upstreams[index].start()
        fault.ended = time.monotonic()

    async def freeze_upstream(self, index: int, seconds: float) -> None:
        """A server of the service stands still."""
        fault = self.truth.begin("upstream", str(index))
        self.cluster.upstreams[index].send(signal.SIGSTOP)
        await asyncio.sleep(seconds)
        self.cluster.upstreams[index].send(signal.SIGCONT)
        fault.ended = time.monotonic()

    async def kill_provider(self, index: int, seconds: float) -> None:
        """The OpenID provider is killed, and comes back with another key."""
        fault = self.truth.begin("provider", "provider")
        self.cluster.provider.stop()
        await asyncio.sleep(seconds)
        self.cluster.provider.start()
        await self.cluster.listens(self.cluster.provider_port)
        fault.ended = time.monotonic()

    async def freeze_provider(self, index: int, seconds: float) -> None:
        """The OpenID provider stands still."""
        fault = self.truth.begin("provider", "provider")
        self.cluster.provider.send(signal.SIGSTOP)
        await asyncio.sleep(seconds)
        self.cluster.provider.send(signal.SIGCONT)
        fault.ended = time.monotonic()

    async def kill_redis(self, index: int, seconds: float) -> None:
        """Redis is killed and comes back with its data."""
        fault = self.truth.begin("redis", "redis")
        self.cluster.redis.stop()
        await asyncio.sleep(seconds)
        self.cluster.redis.start()
        fault.ended = await self.redis_is_back()

    async def freeze_redis(self, index: int, seconds: float) -> None:
        """Redis stands still."""
        fault = self.truth.begin("redis", "redis")
        self.cluster.redis.send(signal.SIGSTOP)
        await asyncio.sleep(seconds)
        self.cluster.redis.send(signal.SIGCONT)
        fault.ended = await self.redis_is_back()

    async def redis_is_back(self) -> float:
        """Since when it answers."""
        while True:
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", self.cluster.redis_port)
                writer.write(b"PING\r\n")
                answer = await asyncio.wait_for(reader.readline(), 1)
                writer.close()
                if answer == b"+PONG\r\n":
                    return time.monotonic()
            except (OSError, asyncio.TimeoutError):
                pass
            await asyncio.sleep(0.05)

    async def fail_over(self, index: int, seconds: float) -> None:
        """The primary is killed, another one is chosen, and the former comes back as its replica."""
        store = self.cluster.store
        former = await store.primary()
        if former is None:
            return
        fault = self.truth.begin("redis", "redis")
        # what the replica has not heard of yet is lost with the primary, which nobody can be blamed for
        await asyncio.sleep(0.3)
        store.servers[former].stop()
        end = time.monotonic() + 30
        while await store.primary() in (None, former) and time.monotonic() < end:
            await asyncio.sleep(0.1)
        store.servers[former].start()
        if time.monotonic() > end:
            self.truth.count("sentinels chose nobody within 30 s")
        # the gateway follows within the second that its sentinels are asked in
        await asyncio.sleep(1.5)
        fault.ended = time.monotonic()

    async def fill_disk(self, index: int, seconds: float) -> None:
        """There is no room for the audit stream; its records wait, and none is lost."""
        disk = self.cluster.disks[index]
        if disk is None:
            return
        fault, filler = self.truth.begin("disk", str(index)), disk / "filler"
        free = os.statvfs(disk)
        with open(filler, "wb") as file:
            try:
                os.posix_fallocate(file.fileno(), 0, free.f_bavail * free.f_frsize)
            except OSError:
                self.truth.count("the disk was filled by others first")
        await asyncio.sleep(seconds)
        filler.unlink()
        fault.ended = time.monotonic()

    async def set_clock(self, index: int, seconds: float) -> None:
        """The wall clock of a replica is set, by less than the leeway of tokens: nobody may notice."""
        if self.cluster.clock is None:
            return
        fault = self.truth.begin("clock", str(index))
        self.cluster.set_clock(index, self.random.choice([-20, -5, 5, 20]))
        await asyncio.sleep(seconds)
        self.cluster.set_clock(index, 0)
        fault.ended = time.monotonic()

    async def kill_replica(self, index: int, seconds: float) -> None:
        """A replica is killed and comes back."""
        fault = self.truth.begin("replica", str(index))
        self.cluster.gateways[index].stop()
        await asyncio.sleep(seconds)
        await self.restart(index)
        fault.ended = time.monotonic()

    async def end_replica(self, index: int, seconds: float) -> None:
        """A replica is asked to end, and comes back."""
        fault = self.truth.begin("replica", str(index))
        code = await asyncio.to_thread(self.cluster.gateways[index].stop, signal.SIGTERM)
        if code != 0:
            self.truth.violation(f"replica {index} ended with {code}")
        await self.restart(index)
        fault.ended = time.monotonic()

    async def restart(self, index: int) -> None:
        """Starts a replica; it must be ready while Redis is there."""
        self.cluster.gateways[index].start()
        if not await self.cluster.ready(index, 60):
            self.truth.violation(f"replica {index} is not ready a minute after its start")

    async def freeze_replica(self, index: int, seconds: float) -> None:
        """A replica stands still."""
        fault = self.truth.begin("replica", str(index))
        self.cluster.gateways[index].send(signal.SIGSTOP)
        await asyncio.sleep(seconds)
        self.cluster.gateways[index].send(signal.SIGCONT)
        fault.ended = time.monotonic()

    async def take_descriptors(self, index: int, seconds: float) -> None:
        """A replica may open hardly any further file."""
        fault = self.truth.begin("descriptors", str(index))
        gateway = self.cluster.gateways[index]
        gateway.limit_descriptors(self.random.randrange(0, 6))
        await asyncio.sleep(seconds)
        gateway.limit_descriptors(None)
        fault.ended = time.monotonic()
