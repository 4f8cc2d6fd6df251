"""What a Byzantine agent can do: send any message that its own channel lets it, at any time.

Its channel carries its host's name whatever the payload says, so it speaks for no other host. What it does with what it
receives is nobody's concern: all promises about its inbox hold whatever it knows.
"""

from __future__ import annotations

from model.language import Step, action
from spec.on_demand.vocabulary import (
    ADVERSARY,
    Epoch,
    Host,
    Pod,
    Request,
    Version,
    applied,
    asked,
    correct,
    hello,
    request,
)

NEVER = Epoch.of(0)


@action(by=ADVERSARY)
def forge_hello(host: Host, epoch: Epoch) -> Step:
    """It claims to have started."""
    return Step(when=[~correct(host), epoch > NEVER], then=[hello.send(host, epoch)])


@action(by=ADVERSARY)
def forge_request(host: Host, epoch: Epoch, asked_by: Request, source: Pod, destination: Pod) -> Step:
    """It asks for a pod, in the name of any source."""
    return Step(
        when=[~correct(host), epoch > NEVER],
        then=[request.send(host, epoch, asked_by, source, destination), asked.add(host, epoch, destination)],
    )


@action(by=ADVERSARY)
def forge_applied(host: Host, epoch: Epoch, pod: Pod, version: Version) -> Step:
    """It confirms what it likes."""
    return Step(
        when=[~correct(host), epoch > NEVER, Version.of(0) < version], then=[applied.send(host, epoch, pod, version)]
    )
