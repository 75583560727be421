"""The one compatibility layer: makes the unmodified OD API import and run on today's packages.

`activate_protos` is enough to parse a pipeline.config and loads no TensorFlow; `activate` is for the
programs that run the OD API, before their first import of TensorFlow.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from kpt_tools.errors import EngineError, MissingDependencyError
from kpt_tools.lazy import how_to_install
from kpt_tools.odapi import import_hooks
from kpt_tools.odapi.fixes import FIXES, Fix

LEGACY_KERAS = "TF_USE_LEGACY_KERAS"

STATE_WAITING = "waiting"
STATE_APPLIED = "applied"
STATE_NOT_NEEDED = "not needed"

_states: dict[str, str] = {}


@dataclass(frozen=True)
class Stub:
    """A module that the OD API imports and the CenterNet road never uses; `package` has the real one."""

    module: str
    package: str
    versions: str
    reason: str
    always: bool


STUBS: tuple[Stub, ...] = (
    Stub(
        "tensorflow_io",
        "tensorflow-io",
        "tensorflow-io with TensorFlow >= 2.16",
        "its binary does not load there; only DeepMAC, which kpt-tools does not use, would call it",
        always=True,
    ),
    Stub(
        "lvis",
        "lvis",
        "where lvis is not installed",
        "metrics derive classes from lvis at import; only LVIS needs it",
        always=False,
    ),
    Stub(
        "official.modeling.optimization",
        "tf-models-official",
        "where tf-models-official is not installed",
        "optimizer_builder imports it; only use_moving_average: true needs it",
        always=False,
    ),
    Stub(
        "official.legacy.image_classification.efficientnet",
        "tf-models-official",
        "where tf-models-official is not installed",
        "model_builder imports it; only EfficientDet needs it",
        always=False,
    ),
)


def activate_protos() -> None:
    """Make ``object_detection.protos`` importable; no TensorFlow.

    Raises:
        MissingDependencyError: the OD API is not installed.
    """
    if importlib.util.find_spec("object_detection") is None:
        raise MissingDependencyError(
            "The OD API (package tf-models-research-object-detection) is not installed. " + how_to_install("train")
        )
    import_hooks.install(import_hooks.ProtoModuleFinder())


def activate() -> None:
    """Prepare this process for the OD API; may be called more than once.

    Raises:
        MissingDependencyError: the OD API or TensorFlow is not installed.
        EngineError: TensorFlow was imported before with Keras 3.
    """
    activate_protos()
    if importlib.util.find_spec("tensorflow") is None:
        raise MissingDependencyError("TensorFlow is not installed. " + how_to_install("train"))
    _choose_legacy_keras()
    for stub in STUBS:
        _install_stub(stub)
    actions: dict[str, list[Callable[[ModuleType], None]]] = {}
    for fix in FIXES:
        if fix.name in _states:
            continue
        _states[fix.name] = STATE_WAITING
        if fix.module in sys.modules:
            _run(fix, sys.modules[fix.module])
        else:
            actions.setdefault(fix.module, []).append(_action(fix))
    import_hooks.install(import_hooks.PostImportFinder(actions))


def states() -> dict[str, str]:
    """State of each fix in this process: waiting (module not imported yet), applied, or not needed."""
    return dict(_states)


def _action(fix: Fix) -> Callable[[ModuleType], None]:
    return lambda module: _run(fix, module)


def _run(fix: Fix, module: ModuleType) -> None:
    _states[fix.name] = STATE_APPLIED if fix.apply(module) else STATE_NOT_NEEDED


def _choose_legacy_keras() -> None:
    if "tensorflow" in sys.modules and os.environ.get(LEGACY_KERAS) != "1":
        raise EngineError(
            "TensorFlow was imported before the OD API could be prepared, so it may use Keras 3; expected Keras 2. "
            f"Call kpt_tools.odapi.compat.activate() before importing tensorflow, or set {LEGACY_KERAS}=1."
        )
    os.environ[LEGACY_KERAS] = "1"
    _states["legacy-keras"] = STATE_APPLIED


def _install_stub(stub: Stub) -> None:
    name = f"{stub.module}-stub"
    if name in _states:
        return
    if not stub.always and _importable(stub.module):
        _states[name] = STATE_NOT_NEEDED
        return
    parts = stub.module.split(".")
    for depth in range(1, len(parts) + 1):
        path = ".".join(parts[:depth])
        if path not in sys.modules:
            sys.modules[path] = _StubModule(path, stub.package)
    _states[name] = STATE_APPLIED


def _importable(module: str) -> bool:
    """Whether the top package is installed (sub-modules are not looked at: that would import it)."""
    top = module.partition(".")[0]
    return not isinstance(sys.modules.get(top), _StubModule) and importlib.util.find_spec(top) is not None


class _StubModule(ModuleType):
    """A module each of whose attributes is a class that cannot be instantiated."""

    __path__: list[str] = []  # noqa: RUF012 - the protocol of packages

    def __init__(self, name: str, package: str) -> None:
        super().__init__(name)
        self._package = package

    def __getattr__(self, name: str) -> Any:
        return _stand_in_class(self.__name__, name, self._package)


class _StandIn(type):
    """Classes whose attributes are such classes too: some stand for modules, and the OD API derives from others."""

    def __getattr__(cls, name: str) -> Any:
        return _stand_in_class(cls.__module__, name, cls.__doc__ or "")


def _stand_in_class(parent: str, name: str, package: str) -> type:
    if name.startswith("_"):
        raise AttributeError(name)
    path = f"{parent}.{name}"

    def refuse(self: object, *args: object, **kwargs: object) -> None:
        raise MissingDependencyError(f"{path} is a stand-in; install the package {package} to use it.")

    return _StandIn(name, (), {"__init__": refuse, "__module__": path, "__doc__": package})
