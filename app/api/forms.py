"""Multipart forms: their files, and their text fields as validated options."""

import codecs
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Generic, TypeVar

from pydantic import ValidationError
from python_multipart.multipart import parse_options_header
from starlette.datastructures import FormData, QueryParams, UploadFile
from starlette.requests import Request

from app.api.schemas import HINTS
from app.errors import BadRequest, UnsupportedMedia
from app.strict import Strict

RAW_TYPES = (b"audio/l16", b"audio/pcm")
"""Types of bare samples."""

Options = TypeVar("Options", bound=Strict)


class Form(Generic[Options]):
    """A form that was read; its text fields may stand in the address as well.

    Args:
        data: what came.
        query: of the address; what is no field there is left alone, as proxies add to it.
        parts: names of the files that it may have.
        schema: of the text fields.

    Raises:
        BadRequest: a field is unknown, repeated, a file, or out of range.
    """

    def __init__(
        self, data: FormData, query: QueryParams, parts: tuple[str, ...], schema: type[Options]
    ) -> None:
        self._data = data
        asked = [pair for pair in query.multi_items() if pair[0] in schema.model_fields]
        names = [name for name, _ in (*asked, *data.multi_items())]
        known = (*parts, *schema.model_fields)
        if not set(names) <= set(known):  # their names are the client's content: not repeated here
            raise BadRequest("There is an unknown field.", f"Fields are: {', '.join(known)}.")
        repeated = [name for name in known if names.count(name) > 1]
        if repeated:
            raise BadRequest(f"Sent more than once: {', '.join(repeated)}.", "Send each part once.")
        self.options = _validated(
            {name: value for name, value in {**dict(asked), **data}.items() if name not in parts},
            schema,
        )

    def has(self, name: str) -> bool:
        """Return whether a part came."""
        return name in self._data

    async def file(self, name: str) -> bytes:
        """Return the bytes of a file part.

        Raises:
            BadRequest: the part is missing, no file, or empty.
        """
        part = self._data.get(name)
        if part is None:
            raise BadRequest(f"The part `{name}` is missing.", f"Add `-F {name}=@FILE`.")
        if not isinstance(part, UploadFile):
            raise BadRequest(f"The part `{name}` is not a file.", f"Use `-F {name}=@FILE`.")
        data = await part.read()
        if not data:
            raise BadRequest(f"The part `{name}` is empty.", "Send a file with content.")
        return data

    def is_raw_speech(self, name: str) -> bool:
        """Return whether a file part holds bare samples as the models hear them, by its type.

        That is 16-bit mono at 16 kHz, little-endian, as microphones give it; the network order
        of RFC 2586's `audio/L16` is not what is sent under that name today.

        Raises:
            UnsupportedMedia: its type names other bare samples.
        """
        part = self._data.get(name)
        value = part.content_type if isinstance(part, UploadFile) else None
        kind, parameters = parse_options_header(value or "")
        if kind.strip().lower() not in RAW_TYPES:
            return False
        if (parameters.get(b"rate"), parameters.get(b"channels", b"1")) != (b"16000", b"1"):
            raise UnsupportedMedia(
                f"The part `{name}` holds samples of another kind than 16 kHz mono.",
                "Send `audio/l16;rate=16000`: 16 bits, mono, little-endian; or a file such as WAV.",
            )
        return True


@asynccontextmanager
async def form_of(
    request: Request, parts: tuple[str, ...], schema: type[Options]
) -> AsyncIterator[Form[Options]]:
    """Read a request's form; its files are there until the context ends.

    Raises:
        BadRequest: it is no such form.
    """
    _check_content_type(request.headers.get("content-type", ""), parts)
    async with request.form(max_files=len(parts), max_fields=16) as data:
        yield Form(data, request.query_params, parts, schema)


def _validated(fields: Mapping[str, object], schema: type[Options]) -> Options:
    try:
        return schema.model_validate(fields)
    except ValidationError as error:
        name = str(error.errors(include_url=False, include_input=False)[0]["loc"][0])
        raise BadRequest(f"The field `{name}` has no valid value.", HINTS[name]) from None


def _check_content_type(value: str, parts: tuple[str, ...]) -> None:
    """Refuse what is no form, or not in the one charset in which every text can be answered.

    Raises:
        BadRequest: it is.
    """
    kind, parameters = parse_options_header(value)
    if kind.strip() != b"multipart/form-data":
        names = " and ".join(f"`{name}`" for name in parts[:2])
        raise BadRequest(
            "The request is not multipart/form-data.",
            f"Send the parts {names}, as `curl -F` does.",
        )
    charset = parameters.get(b"charset", b"utf-8").decode("latin-1")
    try:
        is_utf8 = codecs.lookup(charset).name == "utf-8"
    except (LookupError, ValueError):
        is_utf8 = False
    if not is_utf8:
        raise BadRequest("The form has a charset other than utf-8.", "Leave the charset out.")
