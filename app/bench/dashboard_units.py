"""Values written as Grafana writes them, by the identifiers of its units that our panels use."""

import math

_TIMES = (
    (86400.0, "day"),
    (3600.0, "hour"),
    (60.0, "min"),
    (1.0, "s"),
    (1e-3, "ms"),
    (1e-6, "\u00b5s"),
)
_THOUSANDS = ("", " K", " Mil", " Bil", " Tri")
_COUNTS = ("", "K", "M", "B")
_BYTES = (" B", " KiB", " MiB", " GiB", " TiB")
_RATES = {"reqps": "req/s", "ops": "ops/s"}


def text_of_value(value: float, unit: str) -> str:
    """Return a value with three digits and its unit.

    Args:
        value: in the unit; may be infinite or NaN.
        unit: Grafana's identifier, such as "s" or "percentunit", or "suffix: " and a text.

    Raises:
        ValueError: the unit is none of those that our panels use.
    """
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    if unit.startswith("suffix:"):
        return f"{_digits(value)} {unit.removeprefix('suffix:').strip()}"
    match unit:
        case "s":
            return _time(value)
        case "percentunit":
            return f"{_digits(100 * value)}%"
        case "currencyUSD":
            return "$" + _scaled(value, 1000, _COUNTS)
        case "bytes":
            return _scaled(value, 1024, _BYTES)
        case "reqps" | "ops":
            return f"{_scaled(value, 1000, _COUNTS)} {_RATES[unit]}"
        case "short":
            return _scaled(value, 1000, _THOUSANDS)
    raise ValueError(f"no unit {unit!r} is known")


def _time(seconds: float) -> str:
    if seconds == 0:
        return "0 s"
    size, name = next((one for one in _TIMES if abs(seconds) >= one[0]), _TIMES[-1])
    return f"{_digits(seconds / size)} {name}"


def _scaled(value: float, step: int, names: tuple[str, ...]) -> str:
    power = 0
    while abs(value) >= step and power + 1 < len(names):
        value, power = value / step, power + 1
    return f"{_digits(value)}{names[power]}"


def _digits(value: float) -> str:
    """Return three digits, all those before the point, and none after it of a whole number."""
    if value == 0 or value == int(value):
        return f"{value:.0f}"
    before = math.floor(math.log10(abs(value)))
    return f"{value:.{max(0, 2 - before)}f}"
