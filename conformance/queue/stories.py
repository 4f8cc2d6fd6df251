"""Beginnings of vectors that chance finds too rarely, as in `conformance.stories`."""

from __future__ import annotations

from typing import Final

ON_THE_TOPIC: Final = """
    add_port h1 red; add_port h2 red; open_topic red; restart h1; restart h2; greet h1 1; greet h2 1; ask h1 red; ask h2 red
    accept h1 1 red 1; accept h2 1 red 1; hear_acceptance h1 1 red 1; hear_acceptance h2 1 red 1; finish_opening red
"""

STORIES: Final = (
    ("a-network", ON_THE_TOPIC),
    (
        "a-network",
        f"{ON_THE_TOPIC}; change_rules red; publish red; receive h1 red 1; consume h1 red 1; acknowledge h1 1 red 1",
    ),
    (
        "a-network",
        f"""
        {ON_THE_TOPIC}
        change_rules red; publish red; remove_port h2 red 0 1; end_subscription h2 red; close_topic red; leave h1 red
        end_subscription h1 red; finish_closing red
        """,
    ),
    (
        "a-pretender",
        """
        add_port h1 red; add_port h2 red; open_topic red; forge_hello h2 1; greet h2 1; ask h2 red; attach_unasked h2 red
        change_rules red; publish red; discard h2 red 1; forge_acceptance h2 1 red 1; hear_acceptance h2 1 red 1
        """,
    ),
)

KEPT: Final[tuple[tuple[str, str, str], ...]] = ()
