"""The picture in a request: bounded in bytes, pixels, time and formats before anything is decoded."""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass

import anyio
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.types import Message

from kpt_tools.web.service import FORMATS, Limits, RequestError, TooLarge, TooSlow, Unsupported

FIELD = "image"
_ENVELOPE = 64_000
"""Bytes that the multipart form may have beside the file."""

_MAX_NAME = 80


@dataclass(frozen=True)
class Picture:
    """An uploaded file whose head says that it is a picture of a known format."""

    content: bytes
    name: str


async def read_picture(request: Request, limits: Limits) -> Picture:
    """The picture of a request: the form field ``image``, or the whole body if its type is that of an image.

    Raises:
        TooLarge: too many bytes or pixels.
        TooSlow: it did not come in time.
        Unsupported: no picture of a known format.
        RequestError: no such field, or a damaged form.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "multipart/form-data" and not kind.startswith("image/"):
        raise Unsupported(
            f"the request has the type '{kind or 'none'}'; expected multipart/form-data with a file in the field "
            f"'{FIELD}', or an image as the body with its own type."
        )
    body = await _body(request, limits)
    content, name = await _field(request, body) if kind == "multipart/form-data" else (body, "picture")
    if not content:
        raise RequestError(f"{name}: the file is empty; expected an image.")
    if len(content) > limits.max_bytes:
        raise _too_large(len(content), limits)
    check_head(content, name, limits.max_pixels)
    return Picture(content, name)


async def drain(request: Request, limits: Limits) -> None:
    """Take in what the client is still sending, within bounds: many clients read an answer only after that."""
    if "100-continue" in request.headers.get("expect", "").lower():
        return
    taken = 0
    with anyio.move_on_after(5):
        try:
            async for chunk in request.stream():
                taken += len(chunk)
                if taken > 3 * limits.max_bytes + _ENVELOPE:
                    return
        except (ClientDisconnect, RuntimeError):
            return  # nobody there, or all of it read before


def check_head(content: bytes, name: str, max_pixels: int) -> None:
    """Look at the head of an image file, without decoding it.

    Raises:
        Unsupported: not of a known format.
        TooLarge: too many pixels.
    """
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the limit here is stricter than that of the warning
            with Image.open(io.BytesIO(content), formats=tuple(FORMATS)) as picture:
                width, height = picture.size
    except Image.DecompressionBombError as exc:
        raise TooLarge(f"{name}: too many pixels; expected at most {max_pixels / 1e6:g} million.") from exc
    except Exception as exc:  # damaged files make Pillow raise nearly anything
        known = ", ".join(FORMATS)
        raise Unsupported(f"{name}: not a picture of a known format; expected one of {known}.") from exc
    if width * height > max_pixels:
        raise TooLarge(
            f"{name}: {width}x{height} pixels; expected at most {max_pixels / 1e6:g} million. Scale it down, or start "
            "the server with a larger --max-megapixels."
        )


def clean_name(name: str | None) -> str:
    """A client's file name for messages: its last part, printable, of bounded length."""
    base = (name or "").replace("\\", "/").rpartition("/")[2]
    text = "".join(letter for letter in base if letter.isprintable()).strip()
    return text[:_MAX_NAME] or "picture"


async def _body(request: Request, limits: Limits) -> bytes:
    most = limits.max_bytes + _ENVELOPE
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > most:
        raise _too_large(int(declared), limits)
    content = bytearray()
    try:
        with anyio.fail_after(limits.body_s):
            async for chunk in request.stream():
                content += chunk
                if len(content) > most:
                    raise _too_large(len(content), limits)
    except TimeoutError as exc:
        raise TooSlow(f"only {len(content)} bytes came in {limits.body_s:g} s; expected the whole file.") from exc
    except ClientDisconnect as exc:
        raise RequestError("the client left before the file was here.") from exc
    return bytes(content)


async def _field(request: Request, body: bytes) -> tuple[bytes, str]:
    """Content and name of the file in the form."""

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    try:
        async with Request(request.scope, receive).form(max_files=8, max_fields=32) as form:
            field = form.get(FIELD)
            if isinstance(field, UploadFile):
                return await field.read(), clean_name(field.filename)
            fields = ", ".join(f"'{clean_name(key)}'" for key in list(form)[:5])
    except (HTTPException, KeyError, ValueError) as exc:
        reason = exc.detail if isinstance(exc, HTTPException) else "its boundary is missing"
        raise RequestError(f"the form cannot be read ({reason}); expected multipart/form-data.") from exc
    what = "is a text, not a file" if field is not None else f"is missing; there is {fields or 'no field at all'}"
    raise RequestError(f"the form field '{FIELD}' {what}; expected the picture as a file in '{FIELD}'.")


def _too_large(found: int, limits: Limits) -> TooLarge:
    return TooLarge(
        f"the upload has {found / 1e6:.1f} MB or more; expected at most {limits.max_bytes / 1e6:g} MB. Scale the "
        "picture down, or start the server with a larger --max-upload-mb."
    )
