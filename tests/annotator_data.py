"""A small data set for the test server `annotator_server`, and pre-annotations for it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from annotator_server import Annotator
from coco_factories import encoded, pixels
from PIL import Image

from kpt_tools.annotator.transport import Patience

QUICK = Patience(connect_s=2, read_s=2, sleep=lambda seconds: None)
BOX = {"segmentation": [[10, 8, 40, 8, 40, 28, 10, 28]], "area": 600, "bbox": [10, 8, 30, 20], "isbbox": True}


def picture(seed: int, kind: str = "JPEG") -> bytes:
    return encoded(Image.fromarray(pixels(seed=seed)), kind)


def pliers_database() -> Annotator:
    """Three annotated pictures (one PNG), one without objects, two classes."""
    database = Annotator()
    plier, bolt = database.add_category("Plier", ("tip", "heel")), database.add_category("bolt")
    dataset = database.add_dataset("pliers", (plier, bolt))
    for number, name in enumerate(("a.jpg", "b.jpg", "c.png", "empty.jpg")):
        image = database.add_image(dataset, name, picture(number, "PNG" if name.endswith("png") else "JPEG"))
        if name != "empty.jpg":
            database.annotate(image, plier, **BOX, keypoints=[12, 10, 2, 30, 20, 1])
    return database


def write_predictions(file: Path) -> Path:
    """Boxes and points for the picture without objects, in the format that the importer keeps."""
    category = {"id": 1, "name": "plier", "keypoints": ["tip", "heel"], "skeleton": [[1, 2]]}
    row = {"id": 1, "image_id": 1, "category_id": 1, **BOX, "keypoints": [12, 10, 2, 0, 0, 0], "metadata": {"score": 1}}
    image = {"id": 1, "file_name": "empty.jpg", "width": 64, "height": 48}
    file.write_text(json.dumps({"images": [image], "categories": [category], "annotations": [row]}))
    return file


def with_second_object(file: Path, **changes: Any) -> Path:
    """The same file with a second object that differs."""
    coco = json.loads(file.read_text())
    coco["annotations"].append({**coco["annotations"][0], "id": 2, **changes})
    file.write_text(json.dumps(coco))
    return file


def tree(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
