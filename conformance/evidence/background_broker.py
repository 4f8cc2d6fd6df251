"""A broker that starts while everything that needs none runs."""

from __future__ import annotations

import threading

from rich.console import Console

from impl.broker.deployment import Deployment
from impl.broker.launcher import open_deployment


class BrokerInBackground:
    """Starts the broker while other things run; a failure is raised when the broker is needed."""

    def __init__(self) -> None:
        self._wanted = threading.Event()
        self._done = threading.Event()
        self._deployment: Deployment | None = None
        self._problem: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="broker", daemon=True)

    def __enter__(self) -> BrokerInBackground:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stops the broker. One that is still starting is not waited for; it stops when this program ends at the latest."""
        self._done.set()
        if self._wanted.is_set():
            self._thread.join()

    def _run(self) -> None:
        try:
            with open_deployment(console=Console(quiet=True)) as deployment:
                self._deployment = deployment
                self._wanted.set()
                self._done.wait()
        except BaseException as problem:
            self._problem = problem
            self._wanted.set()

    def get(self) -> Deployment:
        """Waits for the broker and returns its deployment."""
        self._wanted.wait()
        if self._problem is not None:
            raise self._problem
        assert self._deployment is not None
        return self._deployment
