"""What DPM and agents of the message queue do spontaneously, and the questions by which a core says that it may."""

from __future__ import annotations

from typing import Final

from conformance.replay.enabledness import own

OF_A_VPC: Final = ("open_topic", "close_topic", "finish_opening", "finish_closing", "send_directly", "publish")
OF_A_MEMBER: Final = ("ask", "ask_again", "give_up", "leave", "end_subscription", "remind")
OF_A_REVISION: Final = ("report_done", "report_failed")
"""DPM's decisions, by what they are about."""

TIMED: Final = {
    **dict.fromkeys(OF_A_VPC, ("vpc",)),
    **dict.fromkeys(OF_A_MEMBER, ("host", "vpc")),
    **dict.fromkeys(OF_A_REVISION, ("vpc", "revision")),
    "decline": ("vpc",),  # where the broker is out of reach
}
"""All of them are taken by timers, most of which wait for nothing."""

WAITS: Final = ("ask_again", "give_up", "remind", "report_failed")
"""Those that time has to pass for; the others are due at once."""

AT_ONCE: Final = tuple(name for name in (*OF_A_VPC, *OF_A_MEMBER, *OF_A_REVISION) if name not in WAITS)

DUE: Final = tuple((name, f"due: {name}", (name,)) for name in AT_ONCE)
"""What DPM lists as due for a VPC: the name of its operation, the question, and what a role does of its own accord by it."""

SPONTANEOUS: Final = (
    *(own(name, "vpc") for name in OF_A_VPC),
    *(own(name, "host", "vpc") for name in (*OF_A_MEMBER, "remove_port")),
    *(own(name, "vpc", "revision") for name in OF_A_REVISION),
    own("regroup", "vpc", "largest"),
)
"""The spontaneous actions of roles, and the commands that the statement does not always permit."""

MAY: Final = tuple(
    (
        each_own,
        {"open_topic": "may_open", "close_topic": "may_close"}.get(each_own.name, f"may_{each_own.name}"),
        (each_own.name,),
    )
    for each_own in SPONTANEOUS
)
"""The question whether that may be done, with what it is about; not all of them can be asked."""
