"""The program `kpt-tools`: finds the command, runs it, turns errors into one line and an exit code."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence

import click

from kpt_tools import __version__
from kpt_tools.config.base import did_you_mean
from kpt_tools.errors import KptToolsError

EXIT_INTERRUPTED = 130

# name -> (module, one-line help). The module is imported only when its command runs; it holds `command`.
COMMANDS: dict[str, tuple[str, str]] = {
    "doctor": ("kpt_tools.cli.doctor", "Tell what is installed, what works, and what to do about the rest."),
    "demo": ("kpt_tools.cli.demo", "Run the whole road on a made-up data set of pliers."),
    "annotator": ("kpt_tools.cli.annotator", "Fetch data sets from coco-annotator; hand pre-annotations to it."),
    "check": ("kpt_tools.cli.check", "Find what is wrong with annotations and images."),
    "repair": ("kpt_tools.cli.repair", "Repair a COCO JSON by rule, into a new file."),
    "stats": ("kpt_tools.cli.stats", "Count classes, keypoints, sizes of objects and images."),
    "split": ("kpt_tools.cli.split", "Split one COCO JSON into train, val and test."),
    "merge": ("kpt_tools.cli.merge", "Merge several COCO JSONs into one."),
    "convert": ("kpt_tools.cli.convert", "Convert annotations to and from the formats of other tools."),
    "models": ("kpt_tools.cli.models", "List the pretrained CenterNet models of the TF2 detection zoo."),
    "fetch": ("kpt_tools.cli.fetch", "Download a pretrained model of the zoo."),
    "import-movenet": ("kpt_tools.cli.import_movenet", "Turn the weights of MoveNet Lightning into a model."),
    "make-tfrecord": ("kpt_tools.cli.make_tfrecord", "Convert COCO keypoints and images to TFRecord shards."),
    "make-config": ("kpt_tools.cli.make_config", "Render a pipeline.config for your classes and keypoints."),
    "train": ("kpt_tools.cli.train", "Train a CenterNet with the OD API."),
    "eval": ("kpt_tools.cli.eval", "Measure a trained model: box AP, OKS AP, PCK, pixel errors."),
    "compare": ("kpt_tools.cli.compare", "Put the results of several runs side by side."),
    "export": ("kpt_tools.cli.export", "Write a SavedModel with its label map and keypoint metadata."),
    "infer": ("kpt_tools.cli.infer", "Find boxes and keypoints in images."),
    "heatmap": ("kpt_tools.cli.heatmap", "The keypoints of one object per picture, by heatmap regression."),
    "serve": ("kpt_tools.cli.serve", "Show a model in the browser, and answer coco-annotator."),
}


class LazyGroup(click.Group):
    """A group that imports a command's module only when that command runs."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the order of the road."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the module of `cmd_name` and return its `command`."""
        if cmd_name not in COMMANDS:
            return None
        command = importlib.import_module(COMMANDS[cmd_name][0]).command
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; an unknown one gets a suggestion."""
        name = click.utils.make_str(args[0]) if args else ""
        if name and not name.startswith("-") and name not in COMMANDS:
            ctx.fail(f"No such command '{name}'{did_you_mean(name, COMMANDS)}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List commands with their one-line help, without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="kpt-tools")
def cli() -> None:
    """From labelled images to a working keypoint detector.

    The road: check, make-tfrecord, make-config, train, eval, export, infer. Try `kpt-tools demo` first.
    """


def run(args: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    0 done, 1 other, 2 usage or configuration, 3 data, 4 missing dependency, 5 an engine failed, 130 Ctrl-C.
    """
    try:
        result = cli.main(args=args, prog_name="kpt-tools", standalone_mode=False)
        return result if isinstance(result, int) else 0
    except click.exceptions.Exit as exc:
        return exc.exit_code
    except click.ClickException as exc:
        exc.show()
        return exc.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("kpt-tools: interrupted.", err=True)
        return EXIT_INTERRUPTED
    except KptToolsError as exc:
        click.echo(f"kpt-tools: error: {exc}", err=True)
        return exc.exit_code


def main() -> None:
    """Entry point of the console script."""
    sys.exit(run())
