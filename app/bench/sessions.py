"""What sharing costs: CPU per second of video with one session and with several at once."""

import statistics
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from app.client.server import LocalServer
from app.client.talk import Talk, talk
from app.demo.run import demo_portrait, demo_speech

COUNTS = (1, 2, 4, 8)
SECONDS = 10.0
MAX_OVERHEAD = 0.10


@dataclass(frozen=True, slots=True)
class Load:
    """Sessions under way at once.

    Attributes:
        sessions: how many.
        cpu_s_per_video_s: of all processes, the median of the rounds.
        overhead: relative to one session.
        real_time: seconds of video per second, all sessions together, the median of the rounds.
    """

    sessions: int
    cpu_s_per_video_s: float
    overhead: float
    real_time: float


def measure_sessions(config: Path, rounds: int) -> list[Load]:
    """Render the demo job with each count of sessions; the counts take turns, round by round."""
    costs: dict[int, list[float]] = {count: [] for count in COUNTS}
    speeds: dict[int, list[float]] = {count: [] for count in COUNTS}
    with LocalServer(config) as server:
        _request(server)
        for _ in range(rounds):
            for count in COUNTS:
                before_s = server.cpu_s()
                with ThreadPoolExecutor(count) as pool:
                    made = list(pool.map(lambda _: _request(server), range(count)))
                video_s = count * SECONDS
                costs[count].append((server.cpu_s() - before_s) / video_s)
                speeds[count].append(video_s / max(each.total_s for each in made))
    alone = statistics.median(costs[1])
    return [
        Load(
            sessions=count,
            cpu_s_per_video_s=statistics.median(costs[count]),
            overhead=statistics.median(costs[count]) / alone - 1,
            real_time=statistics.median(speeds[count]),
        )
        for count in COUNTS
    ]


def _request(server: LocalServer) -> Talk:
    return talk(server.url, demo_portrait(), demo_speech(), {"fps": "25", "size": "512"})
