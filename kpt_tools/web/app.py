"""The routes: a page, coco-annotator's protocol, JSON, and health."""

from __future__ import annotations

import contextlib
import functools
import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from importlib.resources import files
from typing import Any

import anyio
import anyio.to_thread
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

import kpt_tools
from kpt_tools.errors import DataError, KptToolsError
from kpt_tools.web.guard import Access, Guard
from kpt_tools.web.service import Busy, Limits, RequestError, Service
from kpt_tools.web.upload import drain, read_picture

OnEvent = Callable[[dict[str, Any]], None]
Handler = Callable[[Request], Awaitable[Response]]

PAGE_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",
}
_STATIC = {
    "/": ("index.html", "text/html"),
    "/page.css": ("page.css", "text/css"),
    "/page.js": ("page.js", "text/javascript"),
}


def build_app(service: Service, limits: Limits, access: Access, on_event: OnEvent = lambda event: None) -> Starlette:
    """The web application of a model.

    Args:
        service: the model.
        limits: what one request may cost.
        access: who may ask.
        on_event: called with ``{"kind": "request", "method", "path", "status", "ms", "text"}`` after each request, and
            with ``{"kind": "warning", "text"}``.
    """
    desk = _Desk(service, limits, on_event)
    routes = [
        *(Route(path, _static(*what)) for path, what in _STATIC.items()),
        Route("/model", desk.model),
        Route("/health", desk.health),
        Route("/predict", desk.told(desk.predict), methods=["POST"]),
        Route("/annotate", desk.told(desk.annotate), methods=["POST"]),
    ]
    return Starlette(
        routes=routes,
        middleware=[Middleware(Guard, access, lambda text: on_event({"kind": "warning", "text": text}))],
        exception_handlers={HTTPException: _http_error},
    )


class _Desk:
    """Takes requests, lets one at a time to the model, and turns trouble into one line of JSON."""

    def __init__(self, service: Service, limits: Limits, on_event: OnEvent) -> None:
        self.service, self.limits, self.on_event = service, limits, on_event
        self._model_free = anyio.CapacityLimiter(1)
        self._inside = 0

    async def model(self, request: Request) -> Response:
        """What the page has to know."""
        upload = {"max_upload_bytes": self.limits.max_bytes}
        return JSONResponse({**self.service.model, **upload, "version": kpt_tools.__version__})

    async def health(self, request: Request) -> Response:
        """That the server is alive, and how busy."""
        name = self.service.model.get("name", "")
        content = {"status": "ok", "model": name, "busy": self._inside, "version": kpt_tools.__version__}
        return JSONResponse(content)

    async def predict(self, request: Request) -> tuple[dict[str, Any], str]:
        """Detections as JSON."""
        min_score = _share(request.query_params.get("min_score"))
        with_picture = request.query_params.get("picture", "0") not in ("", "0", "false")
        call = functools.partial(self.service.predict, min_score=min_score, with_picture=with_picture)
        answer, name = await self._look(request, call)
        return answer, f"{name}: {_counted(len(answer['detections']))}"

    async def annotate(self, request: Request) -> tuple[dict[str, Any], str]:
        """Annotations for coco-annotator."""
        answer, name = await self._look(request, self.service.annotate)
        return answer, f"{name}: {_counted(len(answer['coco']['annotations']))}"

    def told(self, handler: Callable[[Request], Awaitable[tuple[dict[str, Any], str]]]) -> Handler:
        """`handler` with its errors as JSON, and an event at the end."""

        async def wrapped(request: Request) -> Response:
            begin = time.perf_counter()
            try:
                answer, text = await handler(request)
                response: Response = JSONResponse(answer)
            except Exception as exc:
                response, text = self._refused(exc)
                await drain(request, self.limits)
            took = round(1000 * (time.perf_counter() - begin))
            event = {"method": request.method, "path": request.url.path, "status": response.status_code, "text": text}
            self.on_event({"kind": "request", "ms": took, **event})
            return response

        return wrapped

    async def _look(self, request: Request, call: Callable[[bytes, str], dict[str, Any]]) -> tuple[dict[str, Any], str]:
        async with self._place():
            picture = await read_picture(request, self.limits)
            run = functools.partial(call, picture.content, picture.name)
            return await anyio.to_thread.run_sync(run, limiter=self._model_free), picture.name

    @contextlib.asynccontextmanager
    async def _place(self) -> AsyncIterator[None]:
        """A place among those that wait or are served."""
        if self._inside > self.limits.max_waiting:
            raise Busy(f"{self._inside} pictures are waiting already; try again in a moment.")
        self._inside += 1
        try:
            yield
        finally:
            self._inside -= 1

    def _refused(self, exc: Exception) -> tuple[Response, str]:
        """The answer to a request that failed, and its text for the log."""
        if isinstance(exc, RequestError):
            status, text = exc.status, str(exc)
        elif isinstance(exc, DataError):
            status, text = 400, str(exc)
        elif isinstance(exc, KptToolsError):
            status, text = 500, str(exc)
        else:  # a bug here: the client learns no details, the log does
            text = f"{type(exc).__name__}: {exc}"
            return JSONResponse({"error": "internal error; see the server's log."}, 500), text
        headers = {"Retry-After": "2"} if status == Busy.status else None
        return JSONResponse({"error": text}, status, headers), text


def _static(name: str, kind: str) -> Handler:
    content = (files("kpt_tools.web") / "static" / name).read_bytes()

    async def answer(request: Request) -> Response:
        return Response(content, media_type=kind, headers=PAGE_HEADERS)

    return answer


async def _http_error(request: Request, exc: Exception) -> Response:
    """Unknown addresses and methods, in one line too."""
    status = exc.status_code if isinstance(exc, HTTPException) else 500
    text = {
        404: f"no such address '{request.url.path[:80]}'; there are /, /predict, /annotate, /model and /health.",
        405: f"{request.method} is not for '{request.url.path[:80]}'; /predict and /annotate take POST, others GET.",
    }.get(status, str(getattr(exc, "detail", "")))
    headers: Mapping[str, str] | None = exc.headers if isinstance(exc, HTTPException) else None
    return JSONResponse({"error": text}, status, headers)


def _share(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0.0 <= value <= 1.0:
        raise RequestError(f"min_score is '{text[:40]}'; expected a number from 0 to 1.")
    return value


def _counted(count: int) -> str:
    return f"{count} object{'' if count == 1 else 's'}"
