"""flite and Festival, by their commands: voices made of recordings, with each sound's end."""

import subprocess
import wave
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from app.synthesis.phones import PhoneSet, phones_of
from app.synthesis.utterance import SynthesisError, Utterance, at_16_khz, segments_of

_TIMEOUT_S = 300


def flite(text: str, voice: str, stretch: float = 1.0) -> Utterance:
    """Return an English text as flite says it.

    Args:
        text: English.
        voice: "slt", "rms", "awb", "kal16".
        stretch: of all durations, > 0.

    Raises:
        SynthesisError: flite is not installed, or has no such voice.
    """
    with TemporaryDirectory() as folder:
        sound = Path(folder) / "speech.wav"
        command = ["flite", "-voice", voice, "--setf", f"duration_stretch={stretch:g}", "-psdur"]
        said = _output([*command, "-t", text, "-o", str(sound)])
        pairs = [word.rsplit(":", 1) for word in said.split()]
        ends = [(float(end), name) for name, end in pairs]
        return _utterance(sound, ends, "english", f"flite/{voice}")


def festival(
    texts: Sequence[str], voice: str, names: PhoneSet, encoding: str = "utf-8", stretch: float = 1.0
) -> list[Utterance]:
    """Return texts as one of Festival's voices says them; those that it cannot say are left out.

    Args:
        texts: in the voice's language.
        voice: such as "kal_diphone".
        names: its phone set.
        encoding: of the texts, as the voice reads them.
        stretch: of all durations, > 0.

    Raises:
        SynthesisError: Festival or the voice is not installed.
    """
    with TemporaryDirectory() as name:
        folder = Path(name)
        lines = [f"(voice_{voice})", f"(Parameter.set 'Duration_Stretch {stretch:g})"]
        for index, text in enumerate(texts):
            quoted = text.replace("\\", " ").replace('"', " ")
            lines.append(
                f'(unwind-protect (begin (set! u (utt.synth (Utterance Text "{quoted}")))'
                f' (utt.save.wave u "{folder / str(index)}.wav")'
                f' (utt.save.segs u "{folder / str(index)}.segs")) nil)'
            )
        script = folder / "speak.scm"
        script.write_bytes("\n".join(lines).encode(encoding, "ignore"))
        _output(["festival", "-b", str(script)])
        return [
            _utterance(sound, _ends(segs), names, f"festival/{voice}")
            for segs in sorted(folder.glob("*.segs"), key=lambda path: int(path.stem))
            if (sound := segs.with_suffix(".wav")).is_file()
        ]


def _output(command: Sequence[str]) -> str:
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=True, errors="ignore"
        )
    except FileNotFoundError as error:
        raise SynthesisError(f"{command[0]} is not here: apt-get install {command[0]}") from error
    except subprocess.SubprocessError as error:
        raise SynthesisError(f"{command[0]} failed: {error}") from error
    return done.stdout


def _ends(path: Path) -> list[tuple[float, str]]:
    """Return each segment's end in seconds and name, from a label file of Xlabel's kind."""
    rows = [line.split() for line in path.read_text("utf-8", "ignore").splitlines()]
    return [(float(row[0]), row[2]) for row in rows if len(row) >= 3]


def _utterance(
    sound: Path, ends: Sequence[tuple[float, str]], names: PhoneSet, voice: str
) -> Utterance:
    samples, rate_hz = _read(sound)
    starts = [0.0, *(end for end, _ in ends)]
    timed = (
        (start, end, phones_of(name, names))
        for start, (end, name) in zip(starts, ends, strict=False)
    )
    segments = segments_of(timed, len(samples) / rate_hz)
    return Utterance(at_16_khz(samples, rate_hz), segments, voice)


def _read(path: Path) -> tuple[NDArray[np.float32], int]:
    with wave.open(str(path)) as file:
        data = np.frombuffer(file.readframes(file.getnframes()), "<i2")
        samples = data.reshape(-1, file.getnchannels()).mean(axis=1)
        return (samples / 32768).astype(np.float32), file.getframerate()
