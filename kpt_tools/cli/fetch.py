"""`kpt-tools fetch`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kpt_tools.cli.options import option
from kpt_tools.config.fetch import FetchConfig

if TYPE_CHECKING:
    from kpt_tools.stages.fetch import FetchResult


@click.command("fetch")
@click.argument("name")
@option(FetchConfig, "pretrained_models", type=click.Path(path_type=Path), help="Folder that gets the model.")
@option(FetchConfig, "url", metavar="BASE", help="Another server, or an archive or folder of archives on this machine.")
@option(FetchConfig, "sha256", metavar="HEX", help="Refuse an archive with another checksum (the zoo publishes none).")
@option(FetchConfig, "force", is_flag=True, help="Replace a model that is there.")
@option(FetchConfig, "keep_archive", is_flag=True, help="Keep the archive after unpacking.")
@option(FetchConfig, "timeout", type=float, help="Longest silence of the server, in seconds.")
@option(FetchConfig, "attempts", type=int, help="Tries in a row before giving up.")
def command(**settings: Any) -> None:
    """Download a pretrained model of the TF2 detection zoo into pretrained_models.

    NAME is one of those that kpt-tools models lists. A download that was cut off goes on where it ended.

    Example: kpt-tools fetch centernet_resnet50_v1_fpn_512x512_kpts_coco17_tpu-8
    """
    from kpt_tools.cli.fetch_progress import FetchProgress
    from kpt_tools.config.base import from_dict
    from kpt_tools.stages.fetch import fetch

    config = from_dict(FetchConfig, settings)
    try:
        with FetchProgress() as progress:
            result = fetch(config, progress)
    except KeyboardInterrupt:
        click.echo("What was downloaded is kept; the same command goes on from there.", err=True)
        raise
    for line in _lines(result):
        click.echo(line)


def _lines(result: FetchResult) -> list[str]:
    from kpt_tools.zoo.listener import megabytes

    verb = "Already there:" if result.already_there else "Wrote"
    lines = [f"{verb} {result.folder}"]
    if result.source:
        lines.append(f"  from    {result.source} ({megabytes(result.archive_bytes)})")
    if result.sha256:
        lines.append(f"  SHA-256 {result.sha256}")
    if result.resumed_from:
        lines.append(f"  {megabytes(result.resumed_from)} were here from an earlier run.")
    if result.previous_sha256:
        same = result.previous_sha256 == result.sha256
        lines.append(f"  The model that was replaced came from {'the same' if same else 'another'} archive.")
    if result.left_out:
        lines.append(f"  Left out, as it is not part of the model: {', '.join(result.left_out)}")
    if result.kept_archive:
        lines.append(f"  The archive is still there: {result.kept_archive}")
    return [*lines, _next(result)]


def _next(result: FetchResult) -> str:
    import shlex

    template = result.model.template
    if not template:
        return "No shipped template has its feature extractor; see docs/templates.md for one of your own."
    return f"Next: kpt-tools make-config --template {template} --pretrained {shlex.quote(str(result.folder))}"
