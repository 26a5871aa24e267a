"""What users see of a process that is killed while sessions run: no wrong frame, a clean end.

A server of its own, two replicas of every deployment, so that one of each is left. Sessions of
different faces run side by side; once all have begun, one process gets SIGKILL. What they had
received by then, and all that is asked until both replicas are back, is compared with the same
sessions made alone.
"""

import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import cv2
import httpx
import numpy as np
import yaml

from app.bench.exported import Export
from app.bench.memory import spoken
from app.bench.soak_samples import role_of
from app.bench.video_parts import whole_fragments, worst_psnr_db
from app.client.server import LocalServer
from app.client.talk import problem_of
from app.demo.run import demo_portrait
from app.errors import NotReady
from app.observability import metrics

Victim = Literal["lips", "portrait", "face", "ingress", "proxy"]
VICTIMS: tuple[Victim, ...] = ("lips", "portrait", "face", "ingress", "proxy")

REPLICAS = 2
REPLICA_CPUS = 0.1
"""What Ray counts for each, so that two of all fit on two cores; it limits nothing."""

SIZE = 256
PROBE_S = 0.4
PROBE_EVERY_S = 0.5
BACK_WITHIN_S = 30.0
GIVEN_UP_S = 90.0
REST_S = 3.0

MIN_PSNR_DB = 40.0
"""Between a frame and the same made alone, both decoded. Batches round differently, by 1 of 255
before H.264; another face is below 25 dB."""

EXPORT_SOON = {"RAY_metrics_report_interval_ms": "1000"}

CLEAN = {"not_ready", "over_capacity", "deadline"}
"""Codes of what is refused while a replica is missing."""

End = Literal["whole", "cut", "refused", "unclean"]


@dataclass(frozen=True, slots=True)
class Session:
    """What a client got.

    Attributes:
        end: `whole` video; `cut` connection after the first bytes, which is how an error looks
            then; `refused` by a problem or a closed door before; or something else, `unclean`.
        told: why it was not whole: a code, or the client's error.
        frames: that arrived in whole fragments.
        worst_db: PSNR of the frame that is least like the same made alone; None without frames.
    """

    end: End
    told: str
    frames: int
    worst_db: float | None


@dataclass(slots=True)
class Failure:
    """One process killed.

    Attributes:
        victim: which.
        sessions: those that ran.
        probes: those that began after the kill.
        back_s: seconds from the kill until as many replicas as before, and an answer; None if
            that was not within `GIVEN_UP_S`.
    """

    victim: Victim
    sessions: list[Session] = field(default_factory=list)
    probes: list[Session] = field(default_factory=list)
    back_s: float | None = None

    def ended(self, end: End) -> int:
        """Return how many of the sessions that ran ended so."""
        return sum(session.end == end for session in self.sessions)

    @property
    def worst_db(self) -> float:
        """Return the PSNR of the worst frame that anybody got."""
        everybody = [*self.sessions, *self.probes]
        return min((each.worst_db for each in everybody if each.worst_db is not None), default=0)

    def verdict(self) -> dict[str, bool]:
        """Return what was asked for, and whether it holds."""
        everybody = [*self.sessions, *self.probes]
        asked = {
            "no wrong frame": self.worst_db >= MIN_PSNR_DB,
            "clean errors": not any(session.end == "unclean" for session in everybody),
            f"back within {BACK_WITHIN_S:g} s": self.back_s is not None
            and self.back_s <= BACK_WITHIN_S,
        }
        # All sessions go through the one proxy; any may have a call at a model's replica.
        return asked | (
            {"others go on": bool(self.ended("whole"))} if self.victim != "proxy" else {}
        )


@dataclass(frozen=True, slots=True)
class Wanted:
    """A request and its answer, made alone."""

    portrait: bytes
    audio: bytes
    video: bytes = b""


class Failures:
    """Kills processes of a server, one after the other.

    Args:
        server: with `REPLICAS` of every deployment.
        sessions: side by side.
        seconds: of speech in each.
    """

    def __init__(self, server: LocalServer, sessions: int, seconds: float) -> None:
        self._server = server
        self._long = self._alone(_portraits()[:sessions], spoken(seconds))
        self._short = self._alone(_portraits()[:1], spoken(PROBE_S))[0]

    def kill(self, victim: Victim) -> Failure:
        """Return what became of sessions while a process is killed.

        Raises:
            NotReady: the sessions do not all begin, or there is no such process.
        """
        found, begun = Failure(victim), threading.Semaphore(0)
        before = self._replicas(victim)
        with ThreadPoolExecutor(len(self._long)) as pool:
            running = [pool.submit(self._session, wanted, begun.release) for wanted in self._long]
            for _ in running:
                if not begun.acquire(timeout=GIVEN_UP_S):
                    raise NotReady("The sessions do not all begin.", "See the server's log.")
            self._kill(victim)
            killed_s = time.monotonic()
            while found.back_s is None and time.monotonic() - killed_s < GIVEN_UP_S:
                probe = self._session(self._short)
                found.probes.append(probe)
                if probe.end == "whole" and self._is_back(victim, before):
                    found.back_s = time.monotonic() - killed_s
                time.sleep(PROBE_EVERY_S)
            found.sessions = [session.result() for session in running]
        time.sleep(REST_S)
        return found

    def _kill(self, victim: Victim) -> None:
        """End a process at once, the first that Ray named after its role."""
        processes = [each for each in self._server.processes() if each.is_running()]
        named = [each for each in processes if role_of(each.cmdline()) == victim]
        if not named:
            raise NotReady(f"There is no process of the role {victim}.", "See the server's log.")
        named[0].kill()

    def _is_back(self, victim: Victim, before: set[str]) -> bool:
        """Return whether a new replica serves beside those that are left."""
        if victim == "proxy":  # there is an answer
            return True
        now = self._replicas(victim)
        return len(now) >= len(before) and bool(now - before)

    def _replicas(self, victim: Victim) -> set[str]:
        """Return the replicas of a role that can serve; models say so, others say that they are."""
        try:
            text = httpx.get(f"{self._server.url}/metrics", timeout=10, trust_env=False).text
        except httpx.HTTPError:
            return set()
        export = Export(text)
        if victim in ("ingress", "proxy"):
            samples = export.values(metrics.SESSIONS)
        else:
            samples = export.values(metrics.ENGINE, model=victim)
        return {dict(labels).get("replica", "") for labels in samples}

    def _alone(self, portraits: Sequence[bytes], audio: bytes) -> list[Wanted]:
        made = []
        for portrait in portraits:
            answer = self._post(portrait, audio)
            if answer.status_code != 200:
                raise NotReady("The server is no good before the first kill.", answer.text)
            made.append(Wanted(portrait, audio, answer.content))
        return made

    def _post(self, portrait: bytes, audio: bytes) -> httpx.Response:
        files = {"portrait": portrait, "audio": audio}
        url, fields = f"{self._server.url}/v1/talk", {"size": f"{SIZE}"}
        return httpx.post(url, files=files, data=fields, timeout=GIVEN_UP_S, trust_env=False)

    def _session(self, wanted: Wanted, begun: Callable[[], object] = lambda: None) -> Session:
        """Make a request, and compare what came with the same made alone."""
        received, told, status = bytearray(), "", 0
        files = {"portrait": wanted.portrait, "audio": wanted.audio}
        try:
            with httpx.stream(
                "POST",
                f"{self._server.url}/v1/talk",
                files=files,
                data={"size": f"{SIZE}"},
                timeout=GIVEN_UP_S,
                trust_env=False,
            ) as answer:
                status = answer.status_code
                if status != 200:
                    answer.read()
                    told = str(problem_of(answer)["code"])
                else:
                    for data in answer.iter_raw():
                        if not received:
                            begun()
                        received += data
        except httpx.HTTPError as error:
            told = type(error).__name__
        return _judged(bytes(received), status, told, wanted)


def _judged(received: bytes, status: int, told: str, wanted: Wanted) -> Session:
    whole, frames = whole_fragments(received)
    worst_db = worst_psnr_db(whole, wanted.video) if frames else None
    if status == 200 and not told:
        # An answer that ends as if it were whole must be.
        is_whole = frames == whole_fragments(wanted.video)[1]
        return Session("whole" if is_whole else "unclean", "", frames, worst_db)
    if status == 200:
        return Session("cut", told, frames, worst_db)
    # Without a status the door was closed: that is the proxy, or its way to a replica.
    clean = told in CLEAN or not status
    return Session("refused" if clean else "unclean", told, frames, worst_db)


def _portraits() -> list[bytes]:
    """Return photos of one person, cut and mirrored: the face is somewhere else in each."""
    photo = cv2.imdecode(np.frombuffer(demo_portrait(), np.uint8), cv2.IMREAD_COLOR)
    assert photo is not None
    cuts = [photo, photo[:448, 30:414], photo[:, 60:420], photo[:448, 65:385]]
    views = [view for cut in cuts for view in (cut, cut[:, ::-1])]
    return [cv2.imencode(".png", np.ascontiguousarray(view))[1].tobytes() for view in views]


MOST_SESSIONS = 8


@contextmanager
def doubled(config: Path) -> Iterator[Path]:
    """Yield a copy of a Serve configuration with `REPLICAS` of every deployment."""
    document = yaml.safe_load(config.read_text())
    (application,) = document["applications"]
    for deployment in application["deployments"]:
        deployment["num_replicas"] = REPLICAS
        deployment["ray_actor_options"]["num_cpus"] = REPLICA_CPUS
    with tempfile.TemporaryDirectory(prefix="dh-bench-") as folder:
        path = Path(folder) / config.name
        path.write_text(yaml.safe_dump(document))
        yield path


Tell = Callable[[str], None]


def measure_failures(
    config: Path, victims: Sequence[Victim], sessions: int, seconds: float, tell: Tell
) -> list[Failure]:
    """Serve `config` with two of every replica, and kill one process after the other.

    Args:
        config: a Serve configuration.
        victims: which, in order.
        sessions: side by side, at most `MOST_SESSIONS`.
        seconds: of speech in each.
        tell: what is about to be done.

    Raises:
        NotReady: the server is no good even before.
    """
    with doubled(config) as path, LocalServer(path, environment=EXPORT_SOON) as server:
        tell("making the sessions alone")
        failures = Failures(server, sessions, seconds)
        found = []
        for victim in victims:
            tell(f"killing: {victim}")
            found.append(failures.kill(victim))
        return found
