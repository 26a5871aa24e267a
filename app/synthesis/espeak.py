"""espeak-ng, by its library: formant synthesis in many languages, with the time of each sound.

One speaker at a time: the library keeps its voice and callback in globals.
"""

import ctypes
import threading
from functools import lru_cache
from typing import Any, Final

import numpy as np

from app.synthesis.phones import phones_of
from app.synthesis.utterance import SynthesisError, Utterance, at_16_khz, segments_of

_LIBRARY: Final = "libespeak-ng.so.1"
_SYNCHRONOUS, _PHONEME_EVENTS, _PHONEME_IPA = 2, 1, 2
_UTF8, _RATE, _PITCH, _RANGE = 1, 1, 3, 4
_LIST_END, _PHONEME = 0, 7
_LOCK = threading.Lock()


class _Id(ctypes.Union):
    _fields_ = (
        ("number", ctypes.c_int),
        ("name", ctypes.c_char_p),
        ("string", ctypes.c_char * 8),
    )


class _Event(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _Id),
    )


_Callback = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event)
)


@lru_cache(maxsize=1)
def _library() -> tuple[Any, int]:
    """Return the library, ready, and its sample rate in Hz."""
    try:
        library = ctypes.CDLL(_LIBRARY)
    except OSError as error:
        raise SynthesisError(f"{_LIBRARY} is not here: apt-get install espeak-ng") from error
    rate_hz = library.espeak_Initialize(_SYNCHRONOUS, 0, None, _PHONEME_EVENTS | _PHONEME_IPA)
    if rate_hz <= 0:
        raise SynthesisError("espeak-ng does not start")
    return library, int(rate_hz)


def speak(
    text: str, voice: str, words_per_minute: int = 165, pitch: int = 50, pitch_range: int = 50
) -> Utterance:
    """Return a text as espeak-ng says it.

    Args:
        text: in the voice's language.
        voice: a language, or a language and a variant, such as "en-gb+f3".
        words_per_minute: in [80, 450].
        pitch: in [0, 99].
        pitch_range: in [0, 99]; 0 is monotone.

    Raises:
        SynthesisError: the library or the voice is not there, or nothing is said.
    """
    with _LOCK:
        library, rate_hz = _library()
        if library.espeak_SetVoiceByName(voice.encode()):
            raise SynthesisError(f"espeak-ng has no voice {voice}")
        for parameter, value in ((_RATE, words_per_minute), (_PITCH, pitch), (_RANGE, pitch_range)):
            library.espeak_SetParameter(parameter, value, 0)
        chunks, events = _run(library, text)
    if not chunks:
        raise SynthesisError(f"{voice} says nothing")
    samples = np.concatenate(chunks).astype(np.float32) / np.float32(32768)
    end_s = len(samples) / rate_hz
    starts = [sample / rate_hz for sample, _ in events]
    stops = [*starts[1:], end_s]
    timed = (
        (start, stop, phones_of(name, "ipa"))
        for start, stop, (_, name) in zip(starts, stops, events, strict=True)
    )
    return Utterance(at_16_khz(samples, rate_hz), segments_of(timed, end_s), f"espeak/{voice}")


def _run(library: Any, text: str) -> tuple[list[Any], list[tuple[int, str]]]:  # noqa: ANN401
    """Return the samples in pieces, and each sound's first sample and IPA."""
    chunks: list[Any] = []
    events: list[tuple[int, str]] = []

    def take(samples: Any, count: int, event: Any) -> int:  # noqa: ANN401
        if samples and count:
            chunks.append(np.ctypeslib.as_array(samples, (count,)).copy())
        index = 0
        while event[index].type != _LIST_END:
            if event[index].type == _PHONEME:
                name = event[index].id.string.decode("utf-8", "ignore")
                # A name without a sound is a mark of the sound before it; an empty one, a pause.
                if not name or phones_of(name, "ipa"):
                    events.append((event[index].sample, name))
            index += 1
        return 0

    callback = _Callback(take)
    library.espeak_SetSynthCallback(callback)
    data = text.encode() + b"\0"
    library.espeak_Synth(data, len(data), 0, 1, 0, _UTF8, None, None)
    return chunks, events
