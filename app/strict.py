"""The pydantic bases of settings and schemas: frozen, and closed to unknown keys."""

from pydantic import BaseModel, ConfigDict


class Strict(BaseModel):
    """A frozen model that refuses keys it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Settings(Strict):
    """A `Strict` that does not turn text into numbers either, as a form's fields need."""

    model_config = ConfigDict(strict=True)
