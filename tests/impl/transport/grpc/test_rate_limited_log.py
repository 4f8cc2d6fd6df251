"""Refusals are counted, and logged once."""

from __future__ import annotations

import logging

import pytest

from impl.transport.grpc.rate_limited_log import RateLimitedLog, summary


def test_the_first_of_a_kind_is_logged_and_the_others_are_only_counted(caplog: pytest.LogCaptureFixture) -> None:
    counted = RateLimitedLog(logging.getLogger("ondemand.test"))
    for what in ("no port", "no port", "no name", "no port"):
        counted.count(what, f"h1: {what}")
    assert counted == {"no port": 3, "no name": 1}
    assert summary(counted) == "no name: 1, no port: 3"
    said = "h1: {} (logged once; further ones are only counted)"
    assert caplog.messages == [said.format("no port"), said.format("no name")]
