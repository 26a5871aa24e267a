"""The demo job, timed: first fragment, CPU-seconds per second of video, and what came back."""

import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from app.client.server import LocalServer
from app.client.talk import talk
from app.demo.run import demo_portrait, demo_speech
from app.media.probe import VideoFacts, probe_video

MAX_CPU_S_PER_VIDEO_S = 2.0
MAX_FIRST_FRAGMENT_S = 1.5
SETTLE_S = 1.0


@dataclass(frozen=True, slots=True)
class Run:
    """One request on a warm server.

    Attributes:
        video: facts of what came back.
        first_fragment_s: until the first complete `moof` and `mdat` had arrived.
        first_frames: how many frames of what had arrived by then can be decoded.
        total_s: until the last byte.
        cpu_s: of all processes of the server, Ray's own included, from request to last byte.
        cpu_s_per_video_s: the same per second of video.
    """

    video: VideoFacts
    first_fragment_s: float
    first_frames: int
    total_s: float
    cpu_s: float
    cpu_s_per_video_s: float


def measure(config: Path, requests: int) -> list[Run]:
    """Serve `config`, warm it up by one request, and time `requests` more of the demo job.

    CPU-seconds are those of all the server's processes, Ray's own included, from the request to a
    second after the last byte: nothing that a request leaves running is missed.
    """
    with LocalServer(config) as server:
        _request(server)
        return [_request(server) for _ in range(requests)]


def _request(server: LocalServer) -> Run:
    before_s = server.cpu_s()
    made = talk(server.url, demo_portrait(), demo_speech(), {"fps": "25", "size": "512"})
    time.sleep(SETTLE_S)
    cpu_s = server.cpu_s() - before_s
    video = probe_video(made.video)
    return Run(
        video=video,
        first_fragment_s=made.first_fragment_s,
        first_frames=probe_video(made.video[: made.first_fragment_bytes]).frames,
        total_s=made.total_s,
        cpu_s=cpu_s,
        cpu_s_per_video_s=cpu_s / float(video.picture.end_s),
    )


def write_json(runs: list[Run], file: Path) -> None:
    """Write the runs where other programs can read them."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps([asdict(run) for run in runs], indent=2, default=str))
