"""The house rules that a machine can keep: who imports whom, how long, and what names are out."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
APP = ROOT / "app"
MAX_LINES = 400
MAX_CODE_LINES = 40

BASE = {
    "errors",
    "values",
    "strict",
    "topology",
    "timeline",
    "driving",
    "head_pose",
    "jobs",
    "report",
}
CONFIGS = {
    f"{room}.config"
    for room in (
        *("api", "face", "media", "observability", "pipeline", "runtime", "variants", "weights"),
    )
}

# Who may import whom inside app. An entry is a room, or one module of a room.
ALLOWED: dict[str, set[str]] = {
    "__init__": set(),
    "errors": set(),
    "values": set(),
    "strict": set(),
    "topology": set(),
    "timeline": {"errors"},
    "driving": set(),
    "head_pose": set(),
    "jobs": {"driving"},
    "report": set(),
    "models": {"topology"},
    "footage": BASE
    | {"demo", "face", "media", "pipeline.motion", "runtime", "variants", "weights"},
    "face": BASE,
    "media": BASE,
    "weights": BASE,
    "synthesis": BASE | {"media", "models.viseme"},
    "runtime": BASE | {"__init__", "models", "weights"},
    "runtime.__main__": BASE | {"footage", "weights"},  # a command stands above its room
    "pipeline": BASE | {"runtime.engine"},
    "variants": BASE | {"models", "runtime"},
    "observability": {"strict", "values"},
    "api": BASE | {"observability"},
    "settings": {"strict"} | CONFIGS,
    "serving": BASE
    | {"api", "face", "media", "observability", "pipeline", "runtime", "settings", "variants"}
    | {"weights"},
    "client": {"errors"},
    "demo": {"errors", "client"},
    "bench": BASE
    | {"api.keys", "client", "demo", "media", "serving.batching", "settings"}
    | {"models", "weights.seeded"}
    | {f"observability.{module}" for module in ("dashboards", "grafana", "metrics")},
    "bench.path_app": BASE | {"serving", "settings", "variants.config", "variants.portrait"},
    "bench.engines": BASE
    | {"demo", "footage", "pipeline.motion", "runtime", "variants", "weights"},
    # A judge stands above what it judges: it renders in process, so that it sees pixels before the
    # encoder, and puts its own energy-only mouth in the trained net's place.
    "quality": BASE
    | {"demo", "face", "media", "models.viseme", "pipeline", "runtime", "synthesis"}
    | {"variants", "weights"},
    "training": BASE
    | {"__init__", "media", "models.viseme", "quality.alignment", "synthesis", "weights"},
    "cli": {"__init__", "errors", "report", "client", "demo"},
}

# Packages that only some rooms may touch.
RESERVED = {
    "ray": {"serving", "bench"},
    "onnxruntime": {"bench", "runtime", "variants"},
    "torch": {
        "footage",
        "models",
        "quality",
        "runtime",
        "training",
        "variants",
        "weights",
        "bench",
    },
    "starlette": {"api", "serving"},
    "av": {"media", "training"},
    "ai_edge_litert": {"face"},
    "modelopt": {"runtime"},
    "nncf": {"runtime"},
    "onnx": {"runtime"},
    "opentelemetry": {"serving"},
    "openvino": {"runtime"},
    "pynvml": {"serving"},
    "tensorrt": {"runtime"},
    "tensorrt_rtx": {"runtime"},
    "torch2trt": {"runtime"},
    "torchao": {"runtime"},
    "triton": {"runtime"},
}


def parsed(source: str) -> ast.Module:
    """Return the tree of a module.

    CPython 3.11 counts depth for all threads together: while another one formats a traceback, which
    parses too, it may refuse a tree that is right.
    """
    try:
        return ast.parse(source)
    except SystemError:
        return ast.parse(source)


def modules() -> list[tuple[str, str, Path]]:
    files = sorted(APP.rglob("*.py"))
    parts = [file.relative_to(APP).with_suffix("").parts for file in files]
    return [(names[0], ".".join(names), file) for names, file in zip(parts, files, strict=True)]


def imports(file: Path) -> Iterator[str]:
    for node in ast.walk(parsed(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative import"
            module = node.module or ""
            if module in {"app", *(f"app.{room}" for room in ALLOWED)}:
                yield from (f"{module}.{alias.name}" for alias in node.names)
            else:
                yield module


@pytest.mark.parametrize(("room", "name", "file"), modules(), ids=lambda value: str(value))
def test_imports_follow_the_arrows(room: str, name: str, file: Path) -> None:
    for imported in imports(file):
        top, _, rest = imported.partition(".")
        if top in RESERVED:
            assert room in RESERVED[top], f"{name} imports {imported}"
        if top != "app":
            continue
        target = rest.split(".")[0] if rest.split(".")[0] in ALLOWED else "__init__"
        if target == room:
            continue
        allowed = ALLOWED.get(name, ALLOWED[room])
        exact = any(rest == entry or rest.startswith(entry + ".") for entry in allowed)
        assert target in allowed or exact, f"{name} imports {imported}"


@pytest.mark.parametrize(("room", "name", "file"), modules(), ids=lambda value: str(value))
def test_files_and_functions_stay_short(room: str, name: str, file: Path) -> None:
    source = file.read_text()
    assert len(source.splitlines()) <= MAX_LINES
    assert source.isascii()
    for node in ast.walk(parsed(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            docstring = ast.get_docstring(node, clean=False)
            length -= len(docstring.splitlines()) if docstring else 0
            assert length <= MAX_CODE_LINES, f"{name}.{node.name} has {length} lines of code"


def test_modules_are_named_after_what_they_hold() -> None:
    vague = {"util", "utils", "helpers", "helper", "common", "misc"}
    assert not [name for _, name, _ in modules() if vague & set(name.split("."))]


def test_every_room_says_what_it_holds() -> None:
    for room in (path for path in APP.rglob("__init__.py")):
        docstring = ast.get_docstring(parsed(room.read_text()))
        assert docstring, f"{room} has no docstring"
        assert "TODO" not in docstring
