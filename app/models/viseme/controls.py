"""From a window of log-mel to the mouth controls, by fixed rules on the spectrum.

B frames, M mel bins (80), S mel steps of a window (16, 12.5 ms each), R frequency bands.
"""

import math

import torch
from torch import nn

MEL_BINS = 80
STEPS = 16
CONTROLS = ("jaw", "close", "pucker", "funnel", "stretch", "upper", "lower", "tongue")
"""What moves a mouth, each in [0, 1]; zeros are a mouth at rest, closed.

- jaw: open (a).
- close: lips pressed shut (p, b, m), whatever the jaw does.
- pucker: lips forward and narrow (u, w).
- funnel: lips forward, round and open (o, sh).
- stretch: corners apart (i, e, s).
- upper: upper lip raised.
- lower: lower lip dropped.
- tongue: up and visible (l, th, n, d, t).
"""

_LOW_HZ, _HIGH_HZ = 55.0, 7600.0
_SLANEY_MEL_OF_1KHZ = 15.0

# Hz. The first formant wanders between CLOSED_F1 (i, u) and OPEN_F1 (a), the second between
# BACK_F2 (u, o) and FRONT_F2 (i, e); nasals murmur below 400 Hz and hardly sound above.
_BANDS_HZ = {
    "voice": (150.0, 1000.0),
    "closed_f1": (200.0, 430.0),
    "open_f1": (520.0, 1100.0),
    "back_f2": (600.0, 1300.0),
    "front_f2": (1700.0, 2900.0),
    "above_murmur": (520.0, 3000.0),
    "hiss": (3600.0, 7600.0),
    "speech": (150.0, 5000.0),
}

# Lips lead the sound: the window starts at the frame's time, and what comes 30 ms later counts
# most. One weight per step, in steps: centre and standard deviation of a Gaussian.
_LEAD = (2.2, 2.0)
_LEAD_OF_CLOSE = (1.8, 1.3)


class Controls(nn.Module):
    """Maps log-mel windows to how far the mouth opens, widens, rounds and presses shut.

    Every step of the window is judged by itself, then the steps are averaged; a frame knows
    nothing of the one before. The rules, with levels in dB (speech at -20 dBFS RMS has vowels at
    about -5 here, and noise below -30 is silence):

    - open: how far sound lies above silence, times the energy around an open vowel's first
      formant against a closed one's; hissing consonants (s, f, t) keep a narrow slit.
    - wide: energy at a front vowel's second formant against a back one's; hiss adds a little.
    - round: the same, the other way round.
    - close: a murmur without upper formants (m, n), clearly weaker than what follows.

    Silence gives zeros: the mouth at rest.
    """

    bands: torch.Tensor
    lead: torch.Tensor
    lead_of_close: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("bands", _band_matrix(), persistent=False)
        self.register_buffer("lead", _step_weights(*_LEAD), persistent=False)
        self.register_buffer("lead_of_close", _step_weights(*_LEAD_OF_CLOSE), persistent=False)

    def forward(self, mel_BMS: torch.Tensor) -> torch.Tensor:
        """Return (B, 8) float32 in [0, 1], in the order of CONTROLS.

        The rules speak of four: the jaw opens, the corners stretch, lips pucker and press shut.

        Args:
            mel_BMS: (B, 80, 16) float32 in [-4, 4], Wav2Lip's log-mel, starting at the frame.
        """
        # [-4, 4] spans 100 dB, and upstream's reference level is 20 dB.
        power_BMS = torch.pow(10.0, mel_BMS * 1.25 - 3.0)
        energy_BRS = torch.einsum("rm,bms->brs", self.bands, power_BMS)
        level_BRS = 10 * torch.log10(energy_BRS + 1e-7)
        level = dict(zip(_BANDS_HZ, level_BRS.unbind(dim=1), strict=True))

        sounding = _ramp(level["speech"], -32.0, -14.0)
        voiced = _ramp(level["voice"], -34.0, -18.0)
        hiss = _ramp(level["hiss"] - level["voice"], -4.0, 6.0)
        murmur = _ramp(level["closed_f1"] - level["above_murmur"], 4.0, 12.0)
        weaker = level["speech"].amax(dim=1, keepdim=True) - level["speech"]
        height = _ramp(level["open_f1"] - level["closed_f1"], -9.0, 15.0)
        front = level["front_f2"] - level["back_f2"]

        close = voiced * murmur * _ramp(weaker, 2.0, 7.0) * (1 - hiss)
        loud = 0.65 + 0.35 * _ramp(level["speech"], -18.0, 0.0)
        vowel = (0.22 + 0.78 * height) * loud
        opening = sounding * (vowel * (1 - hiss) + 0.16 * hiss)
        spread = sounding * (_ramp(front, -4.0, 8.0) * (1 - hiss) + 0.35 * hiss)
        rounding = sounding * voiced * _ramp(-front, 10.0, 20.0) * (1 - hiss) * (1 - murmur)

        pressed_B = (close * self.lead_of_close).sum(dim=1)
        kept_B = 1 - pressed_B
        heard = {
            "jaw": (opening * self.lead).sum(dim=1) * kept_B,
            "stretch": (spread * self.lead).sum(dim=1),
            "pucker": (rounding * self.lead).sum(dim=1),
            "close": pressed_B,
        }
        still_B = torch.zeros_like(pressed_B)
        return torch.stack([heard.get(name, still_B) for name in CONTROLS], 1).clamp(0.0, 1.0)


def mel_centres_hz() -> torch.Tensor:
    """Return (80,) float64, the centres of Wav2Lip's mel filters (Slaney's scale, 55-7600 Hz)."""
    mels = torch.linspace(_hz_to_mel(_LOW_HZ), _hz_to_mel(_HIGH_HZ), MEL_BINS + 2).double()[1:-1]
    above = 1000 * torch.exp((mels - _SLANEY_MEL_OF_1KHZ) * (math.log(6.4) / 27))
    return torch.where(mels < _SLANEY_MEL_OF_1KHZ, mels * (200 / 3), above)


def _hz_to_mel(hz: float) -> float:
    if hz < 1000:
        return hz * 3 / 200
    return _SLANEY_MEL_OF_1KHZ + math.log(hz / 1000) * 27 / math.log(6.4)


def _band_matrix() -> torch.Tensor:
    """Return (R, 80) float32, which mel bins each band sums."""
    centres = mel_centres_hz()
    rows = [(centres >= low) & (centres < high) for low, high in _BANDS_HZ.values()]
    return torch.stack(rows).float()


def _step_weights(centre: float, deviation: float) -> torch.Tensor:
    """Return (16,) float32 that sum to 1, a Gaussian over the window's steps."""
    weights = torch.exp(-0.5 * ((torch.arange(STEPS) - centre) / deviation) ** 2)
    return weights / weights.sum()


def _ramp(value: torch.Tensor, low: float, high: float) -> torch.Tensor:
    """Return 0 below `low`, 1 above `high`, and a smooth rise between."""
    share = ((value - low) / (high - low)).clamp(0.0, 1.0)
    return share * share * (3 - 2 * share)
