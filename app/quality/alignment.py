"""When each sound of a known text is said in a recording: forced alignment.

A small net, trained on synthesised speech (`python -m app.training aligner`), says at each mel step
how likely each sound is; the best path through the text's sounds, pauses allowed between its words,
gives the times. Numpy only.

S mel steps (80 per second), M mel bins (80), P sounds, N states.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.media.mel import SILENCE as QUIET
from app.media.mel import STEPS_HZ
from app.models.viseme.coarticulation import Segment
from app.models.viseme.phonemes import PHONEMES, SILENCE, VOWELS
from app.weights.embedded import embedded_tensors

PHONES: Final = tuple(PHONEMES)
"""The sounds that the net tells apart, in the order of its outputs."""

CONTEXT_STEPS: Final = 14
"""Steps before and after a step that the net sees."""

DILATIONS: Final = (1, 2, 4, 1)
"""Of the net's convolutions."""

WEIGHTS: Final = "aligner.safetensors"

_LEAST_STEPS: Final = 2
_MOST_STEPS: Final = 56
_USUAL_VOWEL_STEPS: Final = 8.0
_USUAL_CONSONANT_STEPS: Final = 6.5
_SPREAD: Final = 0.5
_PRIOR_WEIGHT: Final = 3.0
_PRIOR_SHARE: Final = 0.7
_NEVER: Final = -1e9


def align(mel_MS: NDArray[np.float32], words: Sequence[Sequence[str]]) -> tuple[Segment, ...]:
    """Return when each sound is said, from 0 to the recording's end, without gaps.

    Args:
        mel_MS: (80, S) float32 in [-4, 4], of speech brought to -20 dBFS RMS.
        words: the sounds of each word, of `PHONES`.

    Raises:
        ValueError: the recording is too short for so many sounds.
    """
    phones = [SILENCE]
    for word in words:
        phones += [*word, SILENCE]
    ends = _best_ends(log_likelihoods(mel_MS), phones)
    segments, start = [], 0
    for phone, end in zip(phones, ends, strict=True):
        if end > start:
            segments.append(Segment(phone, start / STEPS_HZ, end / STEPS_HZ))
        start = end
    return tuple(segments)


def log_likelihoods(mel_MS: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return (S, P) float32, how well each sound explains each step, up to a constant per step."""
    tensors = embedded_tensors("app.quality", WEIGHTS)
    padded = np.pad(mel_MS, ((0, 0), (CONTEXT_STEPS, CONTEXT_STEPS)), constant_values=QUIET)
    value = padded * np.float32(0.25)
    for layer, dilation in enumerate(DILATIONS):
        value = _convolved(value, tensors[f"{layer}.weight"], dilation)
        value = np.maximum(0, value + tensors[f"{layer}.bias"][:, None])
    logits_PS = tensors["out.weight"] @ value + tensors["out.bias"][:, None]
    logits_PS -= logits_PS.max(axis=0)
    log_PS = logits_PS - np.log(np.exp(logits_PS).sum(axis=0))
    likely = np.maximum(log_PS, -12) - _PRIOR_SHARE * tensors["log_prior"][:, None]
    return np.asarray(likely.T, np.float32)


def _convolved(
    value_CS: NDArray[np.float32], weight_OCK: NDArray[np.float32], dilation: int
) -> NDArray[np.float32]:
    """Return a convolution over time without padding."""
    width = weight_OCK.shape[2]
    steps = value_CS.shape[1] - dilation * (width - 1)
    parts = [
        weight_OCK[:, :, k].astype(np.float32) @ value_CS[:, k * dilation : k * dilation + steps]
        for k in range(width)
    ]
    return np.asarray(sum(parts), np.float32)


def _best_ends(scores_SP: NDArray[np.float32], phones: Sequence[str]) -> list[int]:
    """Return the step at which each sound ends on the best path; silences may take no time.

    Durations of sounds have a prior, those of silences none.
    """
    steps = len(scores_SP)
    best = np.full(steps + 1, _NEVER)
    best[0] = 0
    taken = np.zeros((len(phones), steps + 1), np.intp)
    for index, phone in enumerate(phones):
        total = np.concatenate([[0], scores_SP[:, PHONES.index(phone)].cumsum()])
        if phone == SILENCE:
            best, taken[index] = _after_silence(best, total)
        else:
            best, taken[index] = _after_sound(best, total, _duration_prior(phone))
    if best[steps] < _NEVER / 2:
        raise ValueError("the recording is too short for its text")
    ends = [steps]
    for index in range(len(phones) - 1, 0, -1):
        ends.append(ends[-1] - int(taken[index, ends[-1]]))
    return ends[::-1]


def _after_silence(
    best: NDArray[np.float64], total: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Return the best score at each end of a silence, and how many steps the silence took."""
    gain = best - total
    source = np.zeros(len(best), np.intp)
    for end in range(1, len(best)):
        source[end] = end if gain[end] >= gain[source[end - 1]] else source[end - 1]
    return gain[source] + total, np.arange(len(best)) - source


def _after_sound(
    best: NDArray[np.float64], total: NDArray[np.float64], prior: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Return the best score at each end of a sound, and how many steps the sound took."""
    options = np.full((len(prior), len(best)), _NEVER)
    for steps in range(_LEAST_STEPS, len(prior)):
        options[steps, steps:] = best[:-steps] + total[steps:] - total[:-steps] + prior[steps]
    taken = options.argmax(axis=0)
    return options[taken, np.arange(len(best))], taken


def _duration_prior(phone: str) -> NDArray[np.float64]:
    """Return the log prior of a sound's steps: log-normal."""
    steps = np.arange(_MOST_STEPS + 1)
    usual = _USUAL_VOWEL_STEPS if phone in VOWELS else _USUAL_CONSONANT_STEPS
    off = np.log(np.maximum(steps, 1) / usual) / _SPREAD
    return np.asarray(-0.5 * _PRIOR_WEIGHT * off**2)
