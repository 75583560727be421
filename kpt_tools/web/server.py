"""From the application to a socket: bound before the model is loaded, and closed in peace on Ctrl-C."""

from __future__ import annotations

import errno
import socket

import uvicorn
from starlette.applications import Starlette

from kpt_tools.errors import ConfigError

GRACE_S = 10
"""Seconds that requests have to end after Ctrl-C."""


def bind(host: str, port: int) -> socket.socket:
    """A socket of this address that nobody listens to yet; port 0: a free one.

    Raises:
        ConfigError: the address is taken, not ours, or not allowed.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except OSError as exc:
        raise ConfigError(f"--host {host}: no such address ({exc.strerror}); expected 127.0.0.1, say.") from exc
    sock = socket.socket(family, kind, protocol)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address)
    except OSError as exc:
        sock.close()
        raise ConfigError(f"{host}:{port}: {_reason(exc)}.") from exc
    return sock


def serve_forever(app: Starlette, sock: socket.socket) -> None:
    """Answer requests until Ctrl-C, which is raised again after the last request is done."""
    server_of(app).run(sockets=[sock])


def server_of(app: Starlette) -> uvicorn.Server:
    """The server of an application, silent and without extras."""
    config = uvicorn.Config(
        app,
        log_config=None,
        log_level="critical",
        access_log=False,
        lifespan="off",
        ws="none",
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=15,
        timeout_graceful_shutdown=GRACE_S,
    )
    return uvicorn.Server(config)


def _reason(exc: OSError) -> str:
    known = {
        errno.EADDRINUSE: "another program listens there already; choose another --port, or 0 for a free one",
        errno.EACCES: "not allowed; ports below 1024 belong to the system: choose another --port",
        errno.EADDRNOTAVAIL: "not an address of this machine; use 127.0.0.1, or 0.0.0.0 for all of its addresses",
    }
    return known.get(exc.errno or 0, exc.strerror or str(exc))
