"""Static INT8 on the CPU: quantised by NNCF from real frames, run by OpenVINO.

Of three candidates, OpenVINO with NNCF is shipped. Wav2Lip with seeded weights, 8 frames, 2 threads
of an EPYC with AVX-512 VNNI, medians of 15 pairs with eager float32 (424 to 447 ms), 2026-11-25:
OpenVINO 102 ms (29.9 dB), Inductor with torchao 177 ms (32.8 dB), ONNX Runtime's static QDQ 236 ms
(29.6 dB), these in dB around the mean brightness: `accuracy.snr_db` gives 5 more. Both packages
come with the extra `int8`.
"""

import importlib
import os
import threading
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from app.runtime.buckets import bucket_of, cut, padded

if TYPE_CHECKING:
    import openvino


class Int8Engine:
    """Runs a quantised net with OpenVINO.

    Args:
        model: file of `quantise_for_cpu`, its name ending in .xml.
        threads: of the CPU; all that OpenVINO finds if absent.
        buckets: batch sizes that the net is run at, the last frame repeated to fill one; with
            none, it is run at the size that comes.
        chunk_frames: most frames of one run of the net; what exceeds them is split.
    """

    backend = "int8"
    precision = "int8"

    def __init__(
        self,
        model: Path,
        threads: int | None = None,
        buckets: Sequence[int] = (),
        chunk_frames: int = 8,
    ) -> None:
        import openvino

        self.device = torch.device("cpu")
        # The rest of the net stays float32: bfloat16, where a CPU has it, would be another net.
        options: dict[str, str | int] = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": "f32",
        }
        if threads is not None:
            options["INFERENCE_NUM_THREADS"] = threads
        compiled = openvino.Core().compile_model(model, "CPU", options)
        self._request = compiled.create_infer_request()
        self._lock = threading.Lock()
        self._buckets = tuple(buckets)
        self._largest = min([chunk_frames, *([max(buckets)] if buckets else [])])

    def run(self, *inputs: Tensor) -> Tensor:
        """Return the net's output for a batch, owned by the caller, on the CPU."""
        parts = [
            self._run([tensor[part] for tensor in inputs])
            for part in cut(len(inputs[0]), self._largest)
        ]
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def _run(self, inputs: Sequence[Tensor]) -> Tensor:
        """Return the net's output for one chunk."""
        frames = len(inputs[0])
        size = bucket_of(frames, self._buckets) if self._buckets else frames
        given = [padded(each, size).cpu().contiguous().numpy() for each in inputs]
        # A request is not for two threads at once; its output is overwritten by its next run.
        with self._lock:
            output = np.array(self._request.infer(given)[0][:frames])
        return torch.from_numpy(output)


def quantise_for_cpu(
    graph: "openvino.Model | Path", frames: Sequence[tuple[Tensor, ...]], path: Path
) -> Path:
    """Return the file of a net in INT8, which an `Int8Engine` runs; beside it lie the weights.

    Args:
        graph: file of a float32 graph, of `onnx_graph.export`.
        frames: batches of real inputs, in the graph's order.
        path: of the file, its name ending in .xml.
    """
    nncf = _silent_nncf()
    import openvino

    model = openvino.Core().read_model(graph) if isinstance(graph, Path) else graph
    batches = [[each.numpy() for each in batch] for batch in frames]
    quantised = nncf.quantize(
        model,
        nncf.Dataset(batches),
        preset=nncf.QuantizationPreset.MIXED,
        subset_size=len(batches),
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    openvino.save_model(quantised, path, compress_to_fp16=True)
    return path


def _silent_nncf() -> ModuleType:
    """Return the package NNCF, which reports its use to Google Analytics unless it is told so."""
    os.environ.setdefault("NNCF_CI", "1")
    return importlib.import_module("nncf")
