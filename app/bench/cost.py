"""What was served, in money: from prices per hour that the user gives."""

from dataclasses import dataclass

HOUR_S = 3600


@dataclass(frozen=True, slots=True)
class Price:
    """What a server costs while it stands, in any currency.

    Attributes:
        machine: per hour, without the GPUs that `gpu` prices; None if nothing was said.
        gpu: per hour of one GPU; None if nothing was said.
        gpus: how many; None takes what the server's metrics show.
    """

    machine: float | None = None
    gpu: float | None = None
    gpus: int | None = None

    def per_hour(self, gpus_seen: int) -> float | None:
        """Return what an hour costs, None if no price was given."""
        if self.machine is None and self.gpu is None:
            return None
        count = gpus_seen if self.gpus is None else self.gpus
        return (self.machine or 0.0) + (self.gpu or 0.0) * count


@dataclass(frozen=True, slots=True)
class Cost:
    """What serving at one level costs; None where nothing was served, or no price was given.

    Attributes:
        per_hour: of the server.
        per_1000: of a thousand answered requests.
        per_video_minute: of a minute of finished video.
    """

    per_hour: float | None
    per_1000: float | None
    per_video_minute: float | None


def cost_of(per_hour: float | None, per_s: float, video_s_per_s: float) -> Cost:
    """Return what a level costs.

    Args:
        per_hour: of the server.
        per_s: answered requests per second.
        video_s_per_s: seconds of finished video per second.
    """
    if per_hour is None:
        return Cost(None, None, None)
    a_second = per_hour / HOUR_S
    return Cost(
        per_hour,
        1000 * a_second / per_s if per_s else None,
        60 * a_second / video_s_per_s if video_s_per_s else None,
    )
