"""The four face nets, each with one LiteRT interpreter per thread."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class FaceNets:
    """Where the files of the nets are."""

    short_range: Path
    full_range: Path
    mesh: Path
    blendshapes: Path

    @classmethod
    def locate(cls, path_of: Callable[[str], Path]) -> Self:
        """Return the paths of the nets by their names in the weight store.

        Args:
            path_of: maps a name to a verified file, such as `WeightStore.path`.
        """
        return cls(
            path_of("face/detector_short_range.tflite"),
            path_of("face/detector_full_range.tflite"),
            path_of("face/mesh.tflite"),
            path_of("face/blendshapes.tflite"),
        )


class Net:
    """One net with one input, callable from any thread.

    Threads do not share an interpreter: LiteRT fails, or answers wrongly, when they do.

    Args:
        file: a .tflite file.
        threads: threads inside one run.
    """

    def __init__(self, file: Path, threads: int = 1) -> None:
        self._model = file.read_bytes()
        self._threads = threads
        self._local = threading.local()

    def run(self, image: Array) -> dict[str, Array]:
        """Return the outputs by name, as copies.

        Args:
            image: the input in the net's own shape, float32, batch of 1 included.
        """
        interpreter = getattr(self._local, "interpreter", None)
        if interpreter is None:
            interpreter = Interpreter(model_content=self._model, num_threads=self._threads)
            interpreter.allocate_tensors()
            self._local.interpreter = interpreter
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], image)
        interpreter.invoke()
        outputs = interpreter.get_output_details()
        return {output["name"]: interpreter.get_tensor(output["index"]) for output in outputs}
