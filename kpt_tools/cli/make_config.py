"""`kpt-tools make-config`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kpt_tools.cli.options import option
from kpt_tools.config.make_config import MakeConfigConfig

if TYPE_CHECKING:
    from kpt_tools.config.records_manifest import SplitRecords
    from kpt_tools.stages.make_config import MakeConfigResult

_PATH = click.Path(path_type=Path)


@click.command("make-config")
@option(MakeConfigConfig, "records", type=_PATH, help="Folder of kpt-tools make-tfrecord.")
@option(MakeConfigConfig, "template", help="A shipped template, or the path of your own .config template.")
@click.option("--list-templates", is_flag=True, help="List the shipped templates and stop.")
@option(MakeConfigConfig, "out", type=_PATH, help="The pipeline.config to write.")
@option(MakeConfigConfig, "label_map", type=_PATH, help="Label map; default: the one the records were made with.")
@option(
    MakeConfigConfig, "input_size", type=int, help="Side of the network's input in pixels; default: the template's."
)
@option(MakeConfigConfig, "batch_size", type=int, help="Images per step; default: the template's.")
@option(MakeConfigConfig, "epochs", type=float, help="Passes over the images; default: the template's, within bounds.")
@option(MakeConfigConfig, "steps", type=int, help="Steps instead of --epochs.")
@option(MakeConfigConfig, "learning_rate", type=float, help="Peak; default: the template's, scaled to the batch.")
@option(MakeConfigConfig, "flip_pairs", help='"left_ear:right_ear,..." or none; default: found by name.')
@option(MakeConfigConfig, "sigmas", help="One OKS sigma for all keypoints, or a JSON file with one per keypoint.")
@option(MakeConfigConfig, "pretrained", help="Start from this model: a name under --pretrained-models, or a folder.")
@option(MakeConfigConfig, "pretrained_models", type=_PATH, help="Folder of the TF2 detection zoo's models.")
@option(MakeConfigConfig, "fresh", is_flag=True, help="Start from scratch, without a pretrained model.")
@option(MakeConfigConfig, "any_orientation", is_flag=True, help="Objects lie at any angle (seen from above).")
@option(MakeConfigConfig, "overrides", "--set", multiple=True, metavar="PATH=VALUE", help="Override any field.")
def command(list_templates: bool, **settings: Any) -> None:
    """Render a pipeline.config for your classes and keypoints.

    Example: kpt-tools make-config --template centernet_cpu_256_kpts --set train_config.batch_size=4
    """
    from kpt_tools.config.base import from_dict

    if list_templates:
        _print_templates()
        return
    from kpt_tools.stages.make_config import make_config

    _print_result(make_config(from_dict(MakeConfigConfig, settings)))


def _print_templates() -> None:
    from rich.console import Console
    from rich.table import Table

    from kpt_tools.pipeline.resources import load_template, template_names

    table = Table("what", "when", "batch")
    table.add_column("template", no_wrap=True)
    for name in template_names():
        info = load_template(name).info
        table.add_row(info.title, info.use, str(info.batch_size), name)
    Console().print(table)


def _print_result(result: MakeConfigResult) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    table = Table(
        show_header=False, title=f"{result.template.name}: {result.template.info.title}", title_justify="left"
    )
    for name, value in _rows(result):
        table.add_row(name, Text(value))
    console.print(table)
    for override in result.overrides:
        replaced = f" (removes {override.replaced})" if override.replaced else ""
        console.print(f"set {override.path}: {override.before} -> {override.after}{replaced}", markup=False)
    for warning in result.warnings:
        console.print(Text.assemble(("warning: ", "bold yellow"), warning), soft_wrap=True)
    console.print(f"Wrote {result.path}. Next: kpt-tools train {result.path}", markup=False, soft_wrap=True)


def _rows(result: MakeConfigResult) -> list[tuple[str, str]]:
    from kpt_tools.stages.make_config import input_text

    schedule, inputs = result.schedule, result.inputs
    classes = [f"{item.id} {item.name}: {len(item.keypoints)} keypoints" for item in inputs.label_map.items]
    rate = f"{schedule.learning_rate:g} from {schedule.warmup_learning_rate:g} over {schedule.warmup_steps} steps"
    sigmas = sorted({f"{sigma:g}" for sigma in inputs.sigmas})
    return [
        ("classes", "\n".join(classes)),
        ("swapped in mirror images", "\n".join(f"{a} <-> {b}" for a, b in result.flip_names) or "none"),
        ("skeleton", f"{len(inputs.skeleton)} edges"),
        ("OKS sigmas", ", ".join(sigmas) or "none"),
        ("training records", _split(inputs.train_records, result.train)),
        ("validation records", _split(inputs.val_records, result.val)),
        ("label map", inputs.label_map_path),
        ("start", inputs.checkpoint or "from scratch"),
        ("input", input_text(inputs)),
        ("batch size", str(schedule.batch_size)),
        ("steps", f"{schedule.steps} = {_short(schedule.epochs)} epochs; {schedule.origin}"),
        ("learning rate", f"{rate}, then cosine to 0"),
        ("objects per image", f"at most {inputs.max_boxes}"),
    ]


def _split(pattern: str | None, split: SplitRecords | None) -> str:
    return "none" if split is None else f"{pattern}\n{split.images} images, {split.instances} objects"


def _short(number: float) -> str:
    """Three digits, but never an exponent for what a person counts."""
    return f"{number:.0f}" if number >= 100 else f"{number:.3g}"
