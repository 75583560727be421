from __future__ import annotations

import subprocess
import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from kpt_tools.errors import EngineError, MissingDependencyError
from kpt_tools.odapi import compat
from kpt_tools.odapi.child import program, run_child
from kpt_tools.odapi.fixes import FIXES


def fix_named(name: str):
    return next(fix for fix in FIXES if fix.name == name)


def empty_fonts() -> ModuleType:
    module = ModuleType("PIL.ImageFont")
    module.ImageFont = type("ImageFont", (), {})
    module.FreeTypeFont = type("FreeTypeFont", (), {})
    return module


@pytest.mark.parametrize(
    ("name", "module"),
    [
        ("resnet-legacy-keras", ModuleType("resnet_v1")),
        ("mobilenet-no-download", ModuleType("mobilenet_v2")),
        ("pillow-getsize", empty_fonts()),
        ("numpy-fromstring", ModuleType("numpy")),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_fix_that_does_not_find_its_target_fails_loudly(name: str, module: ModuleType) -> None:
    with pytest.raises(EngineError, match=f"compatibility fix '{name}': .* was not found"):
        fix_named(name).apply(module)


@pytest.mark.odapi
def test_int64_fix_fails_loudly_without_its_target() -> None:
    pytest.importorskip("tensorflow")
    with pytest.raises(EngineError, match="compatibility fix 'int64-list-bools'"):
        fix_named("int64-list-bools").apply(ModuleType("dataset_util"))


@pytest.mark.parametrize(
    ("asked", "built"),
    [
        pytest.param({}, None, id="default"),
        pytest.param({"weights": "imagenet"}, None, id="imagenet"),
        pytest.param({"weights": None}, None, id="none"),
        pytest.param({"weights": "own.h5"}, "own.h5", id="own-file"),
    ],
)
def test_mobilenet_fix_builds_without_a_download(asked: dict, built: str | None) -> None:
    calls = []
    module = ModuleType("mobilenet_v2")
    module.mobilenet_v2 = lambda *args, **kwargs: calls.append((args, kwargs))
    assert fix_named("mobilenet-no-download").apply(module)
    module.mobilenet_v2(True, alpha=1.0, **asked)
    assert calls == [((True,), {"alpha": 1.0, "weights": built})]


def refuse_bytes(string, dtype=float, count=-1, *, sep=""):
    """What numpy.fromstring does since 2.3."""
    if sep == "":
        raise ValueError("The binary mode of fromstring is removed, use frombuffer instead")
    return ("text", string, sep)


def test_fromstring_takes_bytes_again() -> None:
    module = SimpleNamespace(fromstring=refuse_bytes, frombuffer=np.frombuffer)
    assert fix_named("numpy-fromstring").apply(module)
    values = module.fromstring(b"\1\2\3", dtype="uint8")
    assert values.tolist() == [1, 2, 3]
    assert values.flags.writeable
    assert module.fromstring("1 2", sep=" ") == ("text", "1 2", " ")


def test_fromstring_that_takes_bytes_is_left_alone() -> None:
    module = SimpleNamespace(fromstring=lambda *args, **kwargs: None)
    assert not fix_named("numpy-fromstring").apply(module)


def test_numpy_gets_the_names_that_it_lost_and_keeps_those_it_has() -> None:
    module = SimpleNamespace(nan=float("nan"), bytes_=np.bytes_, bool="its own")
    assert fix_named("numpy-aliases").apply(module)
    assert (module.float, module.int, module.object, module.bool) == (float, int, object, "its own")
    assert module.NAN is module.nan
    assert module.string_ is np.bytes_
    assert not fix_named("numpy-aliases").apply(module)


def test_a_canvas_gives_its_pixels_as_bytes(monkeypatch) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    monkeypatch.delattr(FigureCanvasAgg, "tostring_rgb", raising=False)
    assert fix_named("canvas-tostring-rgb").apply(ModuleType("visualization_utils"))
    figure = Figure(figsize=(2, 1), dpi=10, facecolor=(1.0, 0.0, 0.0))
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    pixels = np.frombuffer(canvas.tostring_rgb(), np.uint8).reshape(10, 20, 3)
    assert (pixels == [255, 0, 0]).all()
    assert not fix_named("canvas-tostring-rgb").apply(ModuleType("visualization_utils"))
    del FigureCanvasAgg.tostring_rgb


def test_estimator_fix_is_not_needed_where_estimator_is() -> None:
    tensorflow = SimpleNamespace(compat=SimpleNamespace(v1=SimpleNamespace(estimator=object())))
    assert not fix_named("estimator-stub").apply(tensorflow)


def test_every_fix_says_why_and_for_which_versions() -> None:
    assert len(FIXES) >= 8
    assert len({fix.name for fix in FIXES}) == len(FIXES)
    assert all(fix.reason and fix.versions and fix.module for fix in FIXES)


def test_a_stand_in_refuses_to_be_used() -> None:
    stub = compat._StubModule("lvis.eval", "lvis")
    with pytest.raises(MissingDependencyError, match=r"lvis\.eval\.LVISEval is a stand-in; install the package lvis"):
        stub.LVISEval()


def test_a_stand_in_serves_where_the_od_api_imports_a_module_and_derives_from_its_class() -> None:
    optimization = compat._StubModule("official.modeling.optimization", "tf-models-official")
    ema_optimizer = optimization.ema_optimizer

    class Own(ema_optimizer.ExponentialMovingAverage):
        pass

    with pytest.raises(
        MissingDependencyError, match=r"ema_optimizer\.Expo.* is a stand-in; install the package tf-models-"
    ):
        Own()
    with pytest.raises(AttributeError, match="_hidden"):
        ema_optimizer._hidden  # noqa: B018 - the access is the test


def test_two_stand_ins_of_one_missing_package() -> None:
    code = (
        "from kpt_tools.odapi import compat\n"
        "for name in ('no_such.first', 'no_such.second.third'):\n"
        "    compat._install_stub(compat.Stub(name, 'no-such', 'none', 'none', always=False))\n"
        "from no_such.first import one\n"
        "from no_such.second.third import two\n"
        "print(one.__name__, two.__name__, *compat.states().values())\n"
    )
    environment = {"PYTHONPATH": compat.__file__.rsplit("/kpt_tools/", 1)[0]}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    assert (done.stdout, done.stderr) == ("one two applied applied\n", "")


def test_keras_3_already_loaded_is_refused() -> None:
    code = (
        "import sys, types; sys.modules['tensorflow'] = types.ModuleType('tensorflow')\n"
        "from kpt_tools.odapi import compat\n"
        "try: compat._choose_legacy_keras()\n"
        "except compat.EngineError as exc: print(exc)\n"
    )
    environment = {"PYTHONPATH": compat.__file__.rsplit("/kpt_tools/", 1)[0]}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    assert "TensorFlow was imported before the OD API could be prepared" in done.stdout


@pytest.mark.odapi
@pytest.mark.slow
def test_the_unmodified_od_api_imports_and_every_fix_was_tried(tmp_path) -> None:
    pytest.importorskip("object_detection")
    found: list[dict] = []
    run_child(program("selfcheck"), tmp_path / "log", found.append)
    assert [event["kind"] for event in found] == ["selfcheck"]
    assert set(found[0]["states"].values()) <= {compat.STATE_APPLIED, compat.STATE_NOT_NEEDED}
    assert {fix.name for fix in FIXES} <= set(found[0]["states"])
    assert found[0]["states"]["legacy-keras"] == compat.STATE_APPLIED
    log = (tmp_path / "log").read_text()
    assert "PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION" not in log
