"""Who may ask: names that the server answers to, and web pages that may use it from a browser.

coco-annotator's page sends pictures from the browser, so its answer needs CORS headers. A page that was not allowed
gets a refusal, not only an answer without headers: nobody's other tabs shall keep the model busy. The check of the
host name keeps pages out that make their own name point to this machine.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kpt_tools.config.hosts import is_loopback

DOCKER_HOST = "host.docker.internal"
"""How a container names the machine that it runs on."""

METHODS = "GET, POST"


@dataclass(frozen=True)
class Access:
    """Whom the server answers.

    Attributes:
        local_only: answer only to the names of this machine; for a server that is bound to loopback.
        origins: web pages elsewhere that may use it, such as "http://192.168.1.5:5000".
    """

    local_only: bool = True
    origins: tuple[str, ...] = ()

    def host_allowed(self, host: str) -> bool:
        """Whether a Host header is one of ours."""
        name = _host(f"//{host}")
        return not self.local_only or is_loopback(name) or name == DOCKER_HOST

    def origin_allowed(self, origin: str, host: str) -> bool:
        """Whether a page of this origin may use the server: its own, local ones, and those that were named."""
        if origin.rstrip("/").lower() in {allowed.rstrip("/").lower() for allowed in self.origins}:
            return True
        scheme, _, place = origin.partition("://")
        return scheme in ("http", "https") and (is_loopback(_host(f"//{place}")) or place == host)


class Guard:
    """Refuses strangers, answers preflights, and adds CORS headers for pages that may ask."""

    def __init__(self, app: ASGIApp, access: Access, tell: Callable[[str], None]) -> None:
        """Wrap `app`; `tell` hears of each refused page."""
        self.app, self.access, self.tell = app, access, tell

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        headers = Headers(scope=scope)
        host, origin = headers.get("host", ""), headers.get("origin")
        if not self.access.host_allowed(host):
            text = f"this server does not answer to the name '{host[:80]}'; use 127.0.0.1 or localhost."
            return await _refusal(text)(scope, receive, send)
        if origin is None:
            return await self.app(scope, receive, send)
        if not self.access.origin_allowed(origin, host):
            text = f"pages of {origin[:80]} may not use this server; start it with --allow-origin {origin[:80]}."
            self.tell(text)
            return await _refusal(text)(scope, receive, send)
        if scope["method"] == "OPTIONS" and "access-control-request-method" in headers:
            return await _preflight(origin, headers)(scope, receive, send)
        return await self.app(scope, receive, _with_origin(send, origin))


def _with_origin(send: Send, origin: str) -> Send:
    async def wrapped(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers["Access-Control-Allow-Origin"] = origin
            headers.add_vary_header("Origin")
        await send(message)

    return wrapped


def _preflight(origin: str, asked: Headers) -> Response:
    headers = {
        "Access-Control-Allow-Origin": origin,
        "Access-Control-Allow-Methods": METHODS,
        "Access-Control-Allow-Headers": asked.get("access-control-request-headers", "Content-Type"),
        "Access-Control-Max-Age": "600",
        "Vary": "Origin",
    }
    if "access-control-request-private-network" in asked:  # a page of the local network that asks this machine
        headers["Access-Control-Allow-Private-Network"] = "true"
    return Response(status_code=204, headers=headers)


def _refusal(text: str) -> Response:
    return JSONResponse({"error": text}, status_code=403)


def _host(url: str) -> str:
    try:
        return (urlsplit(url).hostname or "").lower()
    except ValueError:
        return ""
