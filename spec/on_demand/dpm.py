"""What DPM does: it issues versions, and hears what became of them."""

from __future__ import annotations

from model.language import Step, action
from spec.on_demand.definitions import change_state, placed
from spec.on_demand.vocabulary import DPM, Change, Host, Pod, Point, Version, at, config, latest, outcome, report


@action(by=DPM)
def place(pod: Pod, host: Host) -> Step:
    """The pod is created at the host, or moves there: a new version says so."""
    version = latest(pod) + 1
    return Step(
        when=[~at(pod, latest(pod), host)],
        then=[
            latest.assign(pod, to=version),
            at.add(pod, version, host),
            outcome.assign(pod, version, to=Change.pending),
            config.send(pod, version),
        ],
        moves=[change_state.move(pod, version, source=[Change.none], to=[Change.pending])],
    )


@action(by=DPM)
def remove(pod: Pod) -> Step:
    """The pod is gone: a new version says so, and names no host."""
    version = latest(pod) + 1
    return Step(
        when=[placed(pod, latest(pod))],
        then=[
            latest.assign(pod, to=version),
            outcome.assign(pod, version, to=Change.pending),
            config.send(pod, version),
        ],
        moves=[change_state.move(pod, version, source=[Change.none], to=[Change.pending])],
    )


@action(by=DPM, fair=True)
def resend(pod: Pod, version: Version) -> Step:
    """DPM has not heard what became of the version, and sends it again."""
    return Step(when=[outcome(pod, version) == Change.pending], then=[config.send(pod, version)])


@action(by=DPM, fair=True)
def complete(pod: Pod, version: Version, result: Change) -> Step:
    """DPM hears what became of the version. What it hears first stays."""
    return Step(
        takes=[report(pod, version, result)],
        when=[outcome(pod, version) == Change.pending],
        then=[outcome.assign(pod, version, to=result)],
        moves=[
            change_state.move(pod, version, source=[Change.pending], to=[Change.done, Change.superseded, Change.failed])
        ],
    )


@action(by=DPM)
def restart_dpm(after: Point) -> Step:
    """DPM crashes and starts anew from its store. Nothing is lost: what was not published is published now, or again."""
    return Step()
