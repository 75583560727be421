"""`kpt-tools serve`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kpt_tools.cli.options import option
from kpt_tools.config.serve import ServeConfig

if TYPE_CHECKING:
    from rich.console import Console


@click.command("serve")
@option(ServeConfig, "model", type=click.Path(path_type=Path), help="Exported folder, or a run folder that holds one.")
@option(ServeConfig, "host", help="Address to listen at; 0.0.0.0 opens it to the network.")
@option(ServeConfig, "port", type=int, help="0 takes a free one.")
@option(ServeConfig, "min_score", type=float, help="Leave out detections below.")
@option(ServeConfig, "min_keypoint_score", type=float, help="Points below count as not labelled.")
@option(ServeConfig, "confident_keypoint_score", type=float, help="Points from here on count as visible (v = 2).")
@option(ServeConfig, "max_detections", type=int, help="Keep the best so many per picture.")
@option(ServeConfig, "max_upload_mb", type=float, help="Largest upload.")
@option(ServeConfig, "max_megapixels", type=float, help="Largest picture.")
@option(ServeConfig, "max_waiting", type=int, help="Pictures that may wait for the model.")
@option(ServeConfig, "allow_origin", multiple=True, metavar="URL", help="Web page elsewhere that may use the server.")
def command(**settings: object) -> None:
    """Show a model in the browser, and answer coco-annotator's annotate_url.

    Drop a picture on the page and see boxes and keypoints. Ctrl-C ends it.
    """
    from rich.console import Console

    from kpt_tools.config.base import from_dict
    from kpt_tools.stages.serve import serve

    serve(from_dict(ServeConfig, settings), _Log(Console(highlight=False, markup=False, soft_wrap=True)))


class _Log:
    """A line per event."""

    def __init__(self, console: Console) -> None:
        self._say = console.print

    def __call__(self, event: dict[str, Any]) -> None:
        kind = event["kind"]
        if kind == "phase":
            self._say(f"{event['name']} ...")
        elif kind == "note":
            self._say(event["text"])
        elif kind == "warning":
            click.echo(f"warning: {event['text']}", err=True)
        elif kind == "listening":
            classes = ", ".join(f"{c['name']} ({len(c['keypoints'])} keypoints)" for c in event["model"]["classes"])
            self._say(f"Model '{event['model']['name']}': {classes}")
            self._say(f"Page:                         {event['url']}")
            self._say(f"coco-annotator annotate_url:  {event['url']}/annotate")
            self._say("Ctrl-C ends it.")
        elif kind == "request":
            clock = time.strftime("%H:%M:%S")
            self._say(f"{clock} {event['path']} {event['status']} {event['ms']} ms  {event['text']}")
