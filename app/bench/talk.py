"""The demo job, timed: first fragment, CPU-seconds per second of video, and what came back."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from app.client.server import LocalServer
from app.client.talk import talk
from app.demo.run import demo_portrait, demo_speech
from app.media.probe import VideoFacts, probe_video

MAX_CPU_S_PER_VIDEO_S = 2.0
MAX_FIRST_FRAGMENT_S = 1.5


@dataclass(frozen=True, slots=True)
class Run:
    """One request on a warm server.

    Attributes:
        first_fragment_s: until the first complete `moof` and `mdat` had arrived.
        total_s: until the last byte.
        cpu_s: of all processes of the server, Ray's own included, from request to last byte.
        cpu_s_per_video_s: the same per second of video.
    """

    first_fragment_s: float
    total_s: float
    cpu_s: float
    cpu_s_per_video_s: float


@dataclass(frozen=True, slots=True)
class Report:
    """All runs, and the facts of the last video."""

    runs: list[Run]
    video: VideoFacts

    @property
    def best_first_fragment_s(self) -> float:
        """The fastest first fragment of all runs."""
        return min(run.first_fragment_s for run in self.runs)

    @property
    def best_cpu_s_per_video_s(self) -> float:
        """The least CPU of all runs."""
        return min(run.cpu_s_per_video_s for run in self.runs)


def measure(config: Path, requests: int) -> Report:
    """Serve `config`, warm it up by one request, and time `requests` more of the demo job."""
    portrait, speech = demo_portrait(), demo_speech()
    options = {"fps": "25", "size": "512"}
    runs = []
    with LocalServer(config) as server:
        talk(server.url, portrait, speech, options)
        for _ in range(requests):
            before_s = server.cpu_s()
            made = talk(server.url, portrait, speech, options)
            cpu_s = server.cpu_s() - before_s
            video = probe_video(made.video)
            runs.append(
                Run(made.first_fragment_s, made.total_s, cpu_s, cpu_s / float(video.picture.end_s))
            )
    return Report(runs, video)


def write_json(report: Report, file: Path) -> None:
    """Write a report where other programs can read it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(asdict(report), indent=2, default=str))
