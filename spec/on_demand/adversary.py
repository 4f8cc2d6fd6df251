"""The actions of a Byzantine agent: it can send any message on its own channel at any time.

The transport identifies the host by its channel, whatever the payload claims, so a Byzantine agent cannot speak for another host.
Its local state is not modeled: every promise about what it receives holds whatever it knows.
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
    """It requests a pod on behalf of any source."""
    return Step(
        when=[~correct(host), epoch > NEVER],
        then=[request.send(host, epoch, asked_by, source, destination), asked.add(host, epoch, destination)],
    )


@action(by=ADVERSARY)
def forge_applied(host: Host, epoch: Epoch, pod: Pod, version: Version) -> Step:
    """It confirms any version."""
    return Step(
        when=[~correct(host), epoch > NEVER, Version.of(0) < version], then=[applied.send(host, epoch, pod, version)]
    )
