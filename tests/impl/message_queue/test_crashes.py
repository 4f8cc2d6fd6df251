"""DPM crashes before and after every request to the broker's administration, and completes its work after a restart."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from conformance.logs.system import running
from impl.broker.deployment import Deployment
from impl.broker.topics import ADMINISTRATOR, dead_letters
from impl.messages import Administrative, CloseTopic, EndSubscription, Kind, OpenTopic, Permit, Published, Push
from impl.transport.interface import Letter
from impl.wire.codec import MESSAGE_BYTES_MAX
from tests.impl.message_queue.system import WAIT, Counting, Scene, scene


class Crash(Exception):
    """Ends DPM's thread without any cleanup."""


class Crashing(Counting):
    """Crashes before executing the first request of a kind, and after executing the second."""

    def perform(self, work: Administrative) -> None:
        """See `impl.broker.vpc_topics.Administration`."""
        times = self.asked.count(work)
        if times == 0:
            self.asked.append(work)
            raise Crash(f"before {work}")
        super().perform(work)
        if times == 1:
            raise Crash(f"after {work}")


class Reborn(Scene):
    """A scene that restarts DPM whenever it has crashed."""

    make_administration = Crashing

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.crashes: list[str] = []
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        while not self._ending.is_set():
            try:
                self.dpm.run()
            except Crash as crash:
                self.crashes.append(str(crash))
                self.dpm = self.new_dpm()

    def start(self, *hosts: str) -> None:
        """Starts DPM and these agents."""
        self._thread.start()
        for host in hosts:
            self.start_agent(host)

    def end(self) -> None:
        """Stops DPM."""
        self._ending.set()
        while self._thread.is_alive():
            self.dpm.stop()
            self._thread.join(0.1)

    def insist(self, command: Callable[[], Any]) -> Any:
        """Submits a command until a DPM has executed it, this one or its successor. A DPM that has stopped did not execute it."""
        end = time.monotonic() + WAIT
        while True:
            try:
                return command()
            except RuntimeError:
                if time.monotonic() > end:
                    raise

    def come_to(self, channel: str, data: bytes) -> None:
        """Waits until `red` is on this channel, and all hosts have confirmed something new."""
        revision = self.insist(lambda: self.revise("red", data))
        self.until(
            lambda: self.insist(lambda: self.seen("outcome", ("red", revision))) == "done", f"{revision} to be done"
        )
        self.until(lambda: self.insist(lambda: self.seen("channel", "red")) == channel, f"red to be on {channel}")


@contextmanager
def reborn(deployment: Deployment, *hosts: str) -> Iterator[Reborn]:
    """Such a scene for the duration of a block."""
    with running(deployment) as system:
        made = Reborn(system, *hosts)
        made.start(*hosts)
        try:
            yield made
        finally:
            made.end()
            system.stop()
            made.administration.close()


def test_whatever_dpm_was_at_when_it_crashed_is_completed(deployment: Deployment) -> None:
    with reborn(deployment, "h1", "h2") as on:
        on.until(lambda: on.insist(lambda: on.seen("met", "h1") and on.seen("met", "h2")), "both agents to be met")
        on.insist(lambda: on.place("red", h1=1))
        on.insist(lambda: on.place("red", h2=1))
        on.come_to("grpc", b"one")
        for _ in range(3):
            on.insist(lambda: on.place("red", h1=1))
        on.come_to("mq", b"two")
        for _ in range(3):
            on.insist(lambda: on.remove("red", h1=1))
        on.come_to("grpc", b"three")
        work: list[Administrative] = [OpenTopic("red"), CloseTopic("red")]
        work += [item(host, "red") for item in (Permit, EndSubscription) for host in ("h1", "h2")]
        assert sorted(on.crashes) == sorted(f"{when} {item}" for item in work for when in ("before", "after"))
        assert on.at_broker("red") == ([], set())
        for agent in on.agents.values():
            assert [item[1:] for item in agent.applied] == [
                (revision, Kind.GROUP_RULES, data) for revision, data in ((1, b"one"), (2, b"two"), (3, b"three"))
            ]


def test_what_is_malformed_is_set_aside_by_dpm_and_by_an_agent(deployment: Deployment) -> None:
    with scene(deployment, "h1") as on:
        on.start("h1")
        on.place("red", h1=5)
        on.until_channel("red", "mq")
        agent, dpm = on.system.agent(on.files["h1"])(), on.system.role("dpm")()
        agent.publish([Letter("notices-h1", bad) for bad in BAD])
        dpm.publish([Letter("inbox-h1", bad) for bad in BAD] + [Letter("multicast-red", bad) for bad in BAD])
        on.until_done("red", on.revise("red", b"one"))
        administrator = on.system.role("admin")()
        aside = [dead_letters("dpm"), dead_letters("h1")]
        session = administrator.open_session(ADMINISTRATOR, aside)
        found = [session.receive(WAIT) for _ in range(3 * len(BAD))]
        assert Counter(item.tag.split(":")[0] for item in found if item) == dict.fromkeys(
            ("notices-h1", "inbox-h1", "multicast-red"), len(BAD)
        )
        assert not [one for _, one in on.agents["h1"].got if isinstance(one, Push)]
        assert on.agents["h1"].revisions(Published) == [1]
        for connection in (agent, dpm, administrator):
            connection.close()


BAD = [b"\xff\xff", b"", bytes(MESSAGE_BYTES_MAX + 1)]
