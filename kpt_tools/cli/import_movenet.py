"""`kpt-tools import-movenet`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kpt_tools.cli.options import option
from kpt_tools.config.import_movenet import ImportMovenetConfig

if TYPE_CHECKING:
    from kpt_tools.stages.import_movenet import ImportResult


@click.command("import-movenet")
@click.argument("weights", type=click.Path(path_type=Path))
@option(ImportMovenetConfig, "out", type=click.Path(path_type=Path), help="Folder that gets the model.")
@option(ImportMovenetConfig, "force", is_flag=True, help="Replace a model that is there.")
def command(**settings: Any) -> None:
    """Turn the published WEIGHTS of MoveNet Lightning into a model to start from.

    WEIGHTS is the .json or .bin of its TensorFlow.js graph, or an .npz with the same arrays. The result lies in
    pretrained_models as the zoo's models do: kpt-tools make-config --pretrained and kpt-tools infer --model take it.

    Example: kpt-tools import-movenet movenet-lightning.json
    """
    from rich.console import Console

    from kpt_tools.config.base import from_dict
    from kpt_tools.stages.import_movenet import import_movenet

    console = Console(stderr=True)
    with console.status("reading the weights") as status:
        result = import_movenet(
            from_dict(ImportMovenetConfig, settings),
            lambda event: status.update(event["name"]) if event["kind"] == "phase" else None,
        )
    for line in _lines(result):
        click.echo(line)


def _lines(result: ImportResult) -> list[str]:
    import shlex

    parts = ", ".join(f"{part} {count}" for part, count in result.arrays.items())
    return [
        f"Wrote {result.folder}",
        f"  from    {result.weights}",
        *(f"  SHA-256 {sha256} ({name})" for name, sha256 in result.sha256.items()),
        f"  {sum(result.arrays.values())} arrays gave values to all {result.variables} variables: {parts}.",
        f"  {result.constants} arrays are constants of image scaling and decoding, which are not needed.",
        f"  MoveNet has nothing for {' and '.join(result.lacking)}: a model that starts from it learns them from the",
        "  beginning, and its own detections have the box around their 17 points.",
        f"Next: kpt-tools make-config --template {result.template} --pretrained {shlex.quote(str(result.folder))}",
    ]
