"""The actions of DPM: it issues versions and receives their outcomes."""

from __future__ import annotations

from model.language import Step, action
from spec.on_demand.definitions import change_state, placed
from spec.on_demand.vocabulary import DPM, Change, Host, Pod, Point, Version, at, config, latest, outcome, report


@action(by=DPM)
def place(pod: Pod, host: Host) -> Step:
    """DPM creates the pod at the host, or moves it there, by issuing a new version."""
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
    """DPM removes the pod by issuing a new version that names no host."""
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
    """DPM resends a version whose outcome it has not received."""
    return Step(when=[outcome(pod, version) == Change.pending], then=[config.send(pod, version)])


@action(by=DPM, fair=True)
def complete(pod: Pod, version: Version, result: Change) -> Step:
    """DPM receives the outcome of a version. The first outcome is final."""
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
    """DPM crashes and restarts from its store. It loses nothing: unpublished messages are published now, others possibly again."""
    return Step()
