"""A setting that cannot be followed says what to install, before anything is deployed."""

import importlib.util
from importlib.machinery import ModuleSpec

import pytest

from app.errors import NotReady
from app.observability.config import TracingConfig
from app.observability.tracing import NoTracer
from app.serving.build import build_app
from app.serving.tracing import check_installed, tracer_of
from app.settings import AppArgs

OTLP = TracingConfig(exporter="otlp")


def test_traces_are_off_by_default() -> None:
    assert AppArgs().tracing.exporter == "none"
    assert isinstance(tracer_of(AppArgs().tracing, "Ingress"), NoTracer)
    assert isinstance(tracer_of(None, "Ingress"), NoTracer)


@pytest.mark.parametrize("gone", ["opentelemetry.exporter", "opentelemetry"])
def test_a_missing_package_is_named_with_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch, gone: str
) -> None:
    find = importlib.util.find_spec

    def without(name: str, package: str | None = None) -> ModuleSpec | None:
        if name.startswith(gone):
            raise ModuleNotFoundError(f"No module named {gone!r}")  # as for a parent that is absent
        return find(name, package)

    monkeypatch.setattr(importlib.util, "find_spec", without)
    for attempt in (
        lambda: check_installed(OTLP),
        lambda: tracer_of(OTLP, "Ingress"),
        lambda: build_app(AppArgs(tracing=OTLP)),
    ):
        with pytest.raises(NotReady) as caught:
            attempt()
        assert "`otlp`" in caught.value.detail
        assert gone in caught.value.detail
        assert '".[tracing]"' in caught.value.hint
    build_app(AppArgs())
