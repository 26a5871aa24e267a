"""The fit of the mouth-shape net to clips.

B clips of a batch, S steps, C controls (8).
"""

import time
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from app.models.viseme.coarticulation import gap
from app.models.viseme.controls import Controls
from app.models.viseme.phonemes import CONTROLS
from app.quality.alignment import PHONES
from app.training.batches import Batches
from app.training.clips import Clip
from app.training.schedule import Schedule
from app.training.variation import varied

_CLOSE = CONTROLS.index("close")
_WEIGHTS = {"jaw": 3.0, "close": 2.0, "tongue": 0.5}
"""Of a control's error, where it is not 1."""

_CLOSING, _MISSED = 0.4, 1.5
"""Weight of the closing's cross-entropy, and how much worse it is to miss one than to make one."""

_NAMING = 0.03
"""Weight of the second head's error."""


def fit(
    clips: Sequence[Clip],
    schedule: Schedule,
    seed: int,
    told: Callable[[str], None] = lambda said: None,
    device: str = "cpu",
) -> Controls:
    """Return a net that gives the clips' controls, on the CPU.

    While it learns, a second head names the sound of each step, which the net itself need not: that
    teaches its layers what speech is made of. The weights are a running mean of the last ones.
    """
    torch.manual_seed(seed)
    draw = np.random.default_rng(seed)
    net = Controls().train().to(device)
    names = nn.Conv1d(net.width, len(PHONES), 1).to(device)
    parameters = [*net.parameters(), *names.parameters()]
    optimiser = torch.optim.AdamW(parameters, schedule.rate, weight_decay=0.02)
    rate = schedule.rates(optimiser)
    mean = AveragedModel(net, multi_avg_fn=get_ema_multi_avg_fn(0.998))  # type: ignore[no-untyped-call]
    batches = Batches(clips, schedule, draw)
    total, start = torch.zeros((), device=device), time.perf_counter()
    for step in range(1, schedule.steps + 1):
        mel, wanted, phones = (each.to(device) for each in batches.next())
        heard = functional.dropout(net.hidden(varied(mel)), 0.1)
        naming = functional.cross_entropy(names(heard), phones)
        loss = _loss(net.head(heard), wanted) + _NAMING * naming
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        rate.step()
        mean.update_parameters(net)
        total += loss.detach()
        if step % 100 == 0:
            told(f"step {step}: loss {float(total) / 100:.4f}, {time.perf_counter() - start:.0f} s")
            total.zero_()
    fitted = mean.module
    assert isinstance(fitted, Controls)
    return fitted.cpu().eval()


def _loss(logits: Tensor, wanted: Tensor) -> Tensor:
    """Return how far controls, the opening and their speed are from what is wanted."""
    got = torch.sigmoid(logits)
    weights = logits.new_tensor([_WEIGHTS.get(name, 1.0) for name in CONTROLS])[None, :, None]
    error = ((got - wanted).square() * weights).mean()
    closing = functional.binary_cross_entropy_with_logits(
        logits[:, _CLOSE], wanted[:, _CLOSE], pos_weight=logits.new_tensor(_MISSED)
    )
    open_got, open_wanted = (gap(*controls.unbind(1)) for controls in (got, wanted))
    opening = (open_got - open_wanted).square().mean()
    speed = ((got.diff(dim=2) - wanted.diff(dim=2)).square() * weights).mean()
    loss: Tensor = error + _CLOSING * closing + 2 * opening + 4 * speed
    return loss
