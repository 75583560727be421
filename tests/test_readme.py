"""What README.md and docs/ say about commands, options, files and errors is what the program has."""

import ast
import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import click
import pytest

from kpt_tools.annotations.codes import CODES
from kpt_tools.cli.main import COMMANDS, cli
from kpt_tools.pipeline.resources import template_names

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]

FENCE = re.compile(r"^```[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`(kpt-tools [^`]+)`")
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
ERROR_PREFIX = "kpt-tools: error: "
LEAST_CONSTANT = 15


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def command_lines(text: str) -> list[str]:
    """Lines in fenced blocks that call kpt-tools, continued lines joined, prompts removed."""
    blocks = "\n".join(FENCE.findall(text)).replace("\\\n", " ")
    lines = (line.strip().removeprefix("$ ") for line in blocks.splitlines())
    return [line for line in lines if line.startswith("kpt-tools ")]


def all_command_lines() -> list[tuple[str, str]]:
    return sorted({(page.name, line) for page in PAGES for line in command_lines(text_of(page))})


def parse(line: str) -> dict[str, object]:
    """Parse a command line with the program's own parsers, without running it; its parameters."""
    name, *args = shlex.split(line, comments=True)[1:]
    if name not in COMMANDS:
        with pytest.raises(click.exceptions.Exit):  # --help, --version
            cli.make_context("kpt-tools", [name, *args])
        return {}
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    try:
        with command.make_context(name, args, resilient_parsing=False) as context:
            return context.params
    except click.exceptions.Exit:  # COMMAND --help
        return {}


def test_there_are_commands_to_look_at() -> None:
    pages = {page for page, _ in all_command_lines()}
    assert {"README.md", "train.md", "infer.md", "troubleshooting.md"} <= pages
    assert len(all_command_lines()) > 25


@pytest.mark.parametrize(("page", "line"), all_command_lines(), ids=lambda value: value)
def test_every_command_line_is_one_that_the_program_takes(page: str, line: str) -> None:
    template = parse(line).get("template")
    if template is not None and not str(template).endswith(".config"):
        assert template in template_names()


@pytest.mark.parametrize("line", ["kpt-tools infer --min-scroe 1", "kpt-tools train a b", "kpt-tools eval --area x"])
def test_the_parser_refuses_wrong_lines(line: str) -> None:
    with pytest.raises(click.UsageError, match=r"No such option|unexpected extra argument|is not one of"):
        parse(line)


def test_command_lines_are_found_with_prompts_and_continuations() -> None:
    text = "kpt-tools no\n```\n$ kpt-tools eval \\\n  runs/a\nkpt-tools: error: x\n```\n"
    assert [line.split() for line in command_lines(text)] == [["kpt-tools", "eval", "runs/a"]]


def inline_options() -> list[tuple[str, str, str]]:
    """(page, command, option) of code spans such as `kpt-tools make-config --batch-size 2` within sentences."""
    found = []
    for page in PAGES:
        for span in INLINE.findall(FENCE.sub("", text_of(page))):
            name, *words = span.split()[1:]
            options = [word.partition("=")[0] for word in words if word.startswith("--")]
            found += [(page.name, name, option) for option in [*options, ""]]
    return sorted(set(found))


@pytest.mark.parametrize(("page", "name", "option"), inline_options(), ids=lambda value: value or "-")
def test_commands_and_options_within_sentences_exist(page: str, name: str, option: str) -> None:
    if name.startswith("-"):
        assert name in ("--help", "--version")
        return
    assert name in COMMANDS, f"{page}: kpt-tools {name}"
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    known = {flag for parameter in command.params for flag in parameter.opts} | {"--help", ""}
    assert option in known, f"{page}: kpt-tools {name} {option}"


def anchors(page: Path) -> set[str]:
    """Anchors of the headings, as GitHub makes them."""
    titles = re.findall(r"^#+ (.*)$", FENCE.sub("", text_of(page)), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.strip().lower()).replace(" ", "-") for title in titles}


def test_every_relative_link_leads_somewhere() -> None:
    links = [
        (page, target)
        for page in PAGES
        for target in LINK.findall(FENCE.sub("", text_of(page)))
        if not target.startswith(("http://", "https://", "mailto:"))
    ]
    assert len(links) > 30
    missing = []
    for page, target in links:
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        if not file.is_file() or (anchor and anchor not in anchors(file)):
            missing.append(f"{page.name}: {target}")
    assert not missing, f"links to nothing: {', '.join(missing)}"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_a_page_and_a_row_in_the_readme(name: str) -> None:
    page = ROOT / "docs" / f"{name}.md"
    assert text_of(page).startswith(f"# kpt-tools {name}\n")
    assert f"| `kpt-tools {name}` |" in text_of(ROOT / "README.md")
    assert f"]({name}.md)" in text_of(ROOT / "docs" / "README.md")


def test_every_page_is_in_the_index() -> None:
    index = text_of(ROOT / "docs" / "README.md")
    pages = [page.name for page in (ROOT / "docs").glob("*.md") if page.name != "README.md"]
    assert len(pages) > 10
    assert not [name for name in pages if f"]({name})" not in index]


def test_the_makefile_has_the_targets_that_the_documents_name() -> None:
    targets = set(re.findall(r"^([a-z]+):", text_of(ROOT / "Makefile"), re.MULTILINE))
    named = {
        name for page in PAGES for name in re.findall(r"(?:^|`)make ([a-z]+)(?=[\s`])", text_of(page), re.MULTILINE)
    }
    assert {"demo", "test"} <= named <= targets


@cache
def message_patterns() -> tuple[re.Pattern[str], ...]:
    """Every text of the package that is long enough to be a message; what it fills in matches anything."""
    found = set()
    for path in (ROOT / "kpt_tools").rglob("*.py"):
        for node in ast.walk(ast.parse(text_of(path))):
            pattern = "".join(_pieces(node))
            if len(pattern.replace(".+", "")) >= LEAST_CONSTANT:
                found.add(pattern)
    assert len(found) > 100
    return tuple(re.compile(pattern) for pattern in found)


def _pieces(node: ast.AST) -> Iterator[str]:
    values = node.values if isinstance(node, ast.JoinedStr) else [node]
    for value in values:
        if isinstance(value, ast.Constant) and isinstance(value.value, str):
            yield re.escape(value.value)
        elif isinstance(node, ast.JoinedStr):
            yield ".+"


def quoted_errors() -> list[tuple[str, str]]:
    lines = [
        (page.name, line) for page in PAGES for block in FENCE.findall(text_of(page)) for line in block.split("\n")
    ]
    return [(page, line.removeprefix(ERROR_PREFIX)) for page, line in lines if line.startswith(ERROR_PREFIX)]


def is_message(text: str) -> bool:
    return any(pattern.search(text) for pattern in message_patterns())


@pytest.mark.parametrize(("page", "text"), quoted_errors(), ids=lambda value: value[:60])
def test_every_quoted_error_is_one_that_the_program_has(page: str, text: str) -> None:
    assert is_message(text), f"{page}: no message of the program reads like this"


def test_errors_that_the_program_does_not_have_are_noticed() -> None:
    assert len(quoted_errors()) > 20
    assert not is_message("my.config: the number of classes is 2 but should be 1.")


def test_finding_codes_of_the_troubleshooting_table_exist() -> None:
    section = text_of(ROOT / "docs" / "troubleshooting.md").split("## Annotations and images")[1].split("```")[0]
    rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    codes = [code for row in rows for code in re.findall(r"`([a-z0-9-]+)`", row)]
    assert len(codes) > 10
    assert not [code for code in codes if code not in CODES]
