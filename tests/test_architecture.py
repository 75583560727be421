"""The layers of the house, and what must not be loaded early."""

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "kpt_tools"

LAYER_OF_ROOM = {
    "__main__": 6,
    "cli": 5,
    "stages": 4,
    "odapi": 3,
    "records": 3,
    "heatmap": 3,
    "inference": 3,
    "report": 3,
    "demo": 3,
    "annotator": 3,
    "beam": 3,
    "web": 3,
    "zoo": 3,
    "annotations": 2,
    "pipeline": 2,
    "metrics": 2,
    "entities": 1,
    "config": 1,
    "errors": 0,
    "fsio": 0,
    "lazy": 0,
    "machine": 0,
    "": 0,  # kpt_tools/__init__.py: the version, and a facade
}
# It offers what is above it: to type checkers by an import that never runs, else on demand.
FACADE = "kpt_tools"
# Rooms of layers 0 and 1 are small and lean on one another; the test for cycles keeps them honest.
SHARED_LAYERS = (0, 1)

HEAVY = ("tensorflow", "tf_keras", "keras", "cv2", "matplotlib", "pycocotools", "object_detection")
CLI_MODULES = [f"kpt_tools.cli.{path.stem}" for path in sorted((PACKAGE / "cli").glob("[a-z]*.py"))]


def module_name(path: Path, root: Path = ROOT) -> str:
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def modules() -> dict[str, ast.Module]:
    found = {module_name(path): ast.parse(path.read_text(encoding="utf-8")) for path in PACKAGE.rglob("*.py")}
    assert len(found) > 10
    return found


def room_of(module: str) -> str:
    return module.partition(".")[2].partition(".")[0]


def imported(name: str, tree: ast.Module, known: set[str], *, is_package: bool) -> Iterator[tuple[str, int]]:
    """Modules of the package that `tree` imports, anywhere in it, with line numbers."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                package = name if is_package else name.rpartition(".")[0]
                for _ in range(node.level - 1):
                    package = package.rpartition(".")[0]
                base = f"{package}.{base}".rstrip(".")
            submodules = [f"{base}.{alias.name}" for alias in node.names if f"{base}.{alias.name}" in known]
            others = any(f"{base}.{alias.name}" not in known for alias in node.names)
            names = submodules + [base] * others
        else:
            continue
        yield from ((target, node.lineno) for target in names if target.partition(".")[0] == "kpt_tools")


def imports_of(trees: dict[str, ast.Module]) -> dict[str, list[tuple[str, int]]]:
    known = set(trees)
    packages = {module.rpartition(".")[0] for module in known} | {"kpt_tools"}
    found = {name: list(imported(name, tree, known, is_package=name in packages)) for name, tree in trees.items()}
    return {name: [] if name == FACADE else targets for name, targets in found.items()}


def violations(imports: dict[str, list[tuple[str, int]]]) -> list[str]:
    found = []
    for module, targets in imports.items():
        for target, line in targets:
            here, there = room_of(module), room_of(target)
            if here == there:
                continue
            layer, below = LAYER_OF_ROOM[here], LAYER_OF_ROOM[there]
            if below > layer or (below == layer and layer not in SHARED_LAYERS):
                found.append(f"{module}:{line} (layer {layer}) imports {target} (layer {below})")
    return found


def cycle(imports: dict[str, list[tuple[str, int]]]) -> list[str]:
    graph = {module: {target for target, _ in targets if target != module} for module, targets in imports.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as exc:
        return list(exc.args[1])
    return []


def test_every_room_has_a_layer() -> None:
    assert {room_of(module) for module in modules()} <= set(LAYER_OF_ROOM)


def test_imports_point_strictly_down() -> None:
    assert violations(imports_of(modules())) == []


def test_no_import_cycles() -> None:
    assert cycle(imports_of(modules())) == []


@pytest.mark.parametrize(
    ("module", "source", "message"),
    [
        (
            "kpt_tools.metrics.oks",
            "from kpt_tools.report import draw",
            "metrics.oks:1 .layer 2. imports kpt_tools.report",
        ),
        (
            "kpt_tools.records.write",
            "import kpt_tools.odapi.compat",
            "records.write:1 .* imports kpt_tools.odapi.compat",
        ),
        (
            "kpt_tools.demo.pliers",
            "def f():\n    from kpt_tools import stages",
            "demo.pliers:2 .* imports kpt_tools.stages",
        ),
        ("kpt_tools.stages.run", "from ..cli.main import run", "stages.run:1 .* imports kpt_tools.cli.main"),
        ("kpt_tools.errors", "import kpt_tools.config.base", "errors:1 .layer 0. imports kpt_tools.config.base"),
    ],
    ids=["upwards", "sideways", "inside-a-function", "relative", "ground-floor"],
)
def test_the_layer_test_rejects(module: str, source: str, message: str) -> None:
    rooms = {f"kpt_tools.{room}": ast.parse("") for room in LAYER_OF_ROOM if room}
    found = violations(imports_of({**rooms, module: ast.parse(source)}))
    assert len(found) == 1
    assert re.search(message, found[0])


def test_the_cycle_test_rejects() -> None:
    trees = {
        "kpt_tools.metrics.a": ast.parse("from kpt_tools.metrics.b import x"),
        "kpt_tools.metrics.b": ast.parse("from kpt_tools.metrics import a"),
    }
    assert set(cycle(imports_of(trees))) == set(trees)


def run_fresh(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def heavy_after(statement: str) -> list[str]:
    """Heavy packages in `sys.modules` of a fresh interpreter after `statement`."""
    report = f"import json, sys; print(chr(10) + json.dumps([m for m in {HEAVY!r} if m in sys.modules]))"
    return json.loads(run_fresh(f"{statement}\n{report}").splitlines()[-1])


def test_the_question_finds_a_heavy_import() -> None:
    assert heavy_after("import sys, types; sys.modules['tensorflow'] = types.ModuleType('tensorflow')") == [
        "tensorflow"
    ]


def test_the_facade_is_light() -> None:
    report = "print([name for name in sys.modules if name.startswith('kpt_tools.') or name == 'numpy'])"
    assert run_fresh(f"import sys, kpt_tools; {report}") == "[]\n"


def test_help_loads_nothing_heavy() -> None:
    assert heavy_after("from kpt_tools.cli.main import run; assert run(['--help']) == 0") == []


@pytest.mark.parametrize("module", CLI_MODULES)
def test_modules_of_the_command_line_load_nothing_heavy(module: str) -> None:
    assert heavy_after(f"import {module}") == []


def test_functions_have_return_annotations() -> None:
    bare = [
        f"{module}:{node.lineno} {node.name}"
        for module, tree in modules().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.returns is None
        if not node.name.startswith("_")
    ]
    assert bare == []
