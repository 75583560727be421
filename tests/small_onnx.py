"""A small ONNX model that can be told from others by what it gives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kpt_tools.entities import LabelMap, LabelMapItem, ModelMetadata

HW = (8, 8)
BOX = [0.25, 0.0, 0.5, 1.0]


def metadata() -> ModelMetadata:
    """One class without keypoints."""
    return ModelMetadata(LabelMap((LabelMapItem(1, "patch"),)), (), (), input_hw=HW)


def save_onnx(path: Path) -> None:
    """A model whose score is the mean of its input divided by 255; it always gives the one box `BOX`."""
    import onnx
    from onnx import TensorProto, helper

    def constant(name: str, values: list[float], shape: list[int]) -> Any:
        return helper.make_node(
            "Constant", [], [name], value=helper.make_tensor(name, TensorProto.FLOAT, shape, values)
        )

    shapes = {"detection_boxes": [1, 1, 4], "detection_classes": [1, 1], "detection_scores": [1, 1]}
    graph = helper.make_graph(
        [
            constant("detection_boxes", BOX, [1, 1, 4]),
            constant("detection_classes", [1.0], [1, 1]),
            constant("white", [255.0], [1, 1]),
            helper.make_node("ReduceMean", ["image"], ["mean"], axes=[1, 2, 3], keepdims=0),
            helper.make_node("Div", ["mean", "white"], ["detection_scores"]),
        ],
        "mean",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, *HW, 3])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), str(path))
