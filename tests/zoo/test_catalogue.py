"""The table of models, held against the templates that name them."""

from __future__ import annotations

import re

import pytest

from kpt_tools.errors import ConfigError
from kpt_tools.pipeline.resources import load_template, template_names
from kpt_tools.zoo.catalogue import BASE_URL, CATALOGUE, find_model

TEMPLATES = [load_template(name) for name in template_names()]


def test_eleven_models_five_with_keypoints() -> None:
    assert len(CATALOGUE) == 11
    assert sum(model.keypoint_ap is not None for model in CATALOGUE) == 5
    for names in ([m.name for m in CATALOGUE], [m.folder for m in CATALOGUE], [m.url for m in CATALOGUE]):
        assert len(set(names)) == 11


@pytest.mark.parametrize("model", CATALOGUE, ids=lambda model: model.name)
def test_a_models_facts_agree_with_one_another(model) -> None:
    assert ("kpts" in model.name) == (model.keypoint_ap is not None)
    assert f"{model.input_px}x{model.input_px}" in model.name
    assert re.fullmatch(r"2020071[13]|20210210", model.date)
    assert model.url == f"{BASE_URL}/{model.date}/{model.name}.tar.gz"


@pytest.mark.parametrize("model", CATALOGUE, ids=lambda model: model.name)
def test_the_template_of_a_model_is_the_one_that_fits(model) -> None:
    pretrained = [t for t in TEMPLATES if t.info.zoo_model]
    fitting = [t.name for t in pretrained if (t.info.extractor, t.info.input_size) == (model.extractor, model.input_px)]
    assert fitting == ([model.template] if model.template else [])


def test_only_one_model_has_no_template() -> None:
    assert [model.name for model in CATALOGUE if not model.template] == [
        "centernet_resnet101_v1_fpn_512x512_coco17_tpu-8"
    ]


@pytest.mark.parametrize("template", [t for t in TEMPLATES if t.info.zoo_model], ids=lambda template: template.name)
def test_what_a_template_starts_from_is_in_the_catalogue(template) -> None:
    model = find_model(template.info.zoo_model)
    assert (model.folder, model.url, model.template) == (template.info.zoo_model, template.info.zoo_url, template.name)
    assert model.keypoint_ap is not None


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("centernet_mobilenetv2fpn_512x512_coco17_kpts", id="name"),
        pytest.param("centernet_mobilenetv2_fpn_kpts", id="folder"),
        pytest.param("centernet_mobilenetv2fpn_512x512_coco17_kpts.tar.gz", id="archive"),
    ],
)
def test_found_by(name: str) -> None:
    assert find_model(name).url.endswith("/20210210/centernet_mobilenetv2fpn_512x512_coco17_kpts.tar.gz")


@pytest.mark.parametrize(
    ("name", "match"),
    [
        pytest.param(
            "centernet_hg104_512_kpts",
            "no CenterNet model 'centernet_hg104_512_kpts'; did you mean 'centernet_hg104_512x512_kpts_coco17_tpu-32'",
            id="near",
        ),
        pytest.param("yolo", "known: centernet_hg104_1024x1024_coco17_tpu-32, .* See kpt-tools models", id="far"),
        pytest.param("", "no CenterNet model ''", id="empty"),
        pytest.param("../etc", "no CenterNet model '../etc'", id="path"),
    ],
)
def test_unknown(name: str, match: str) -> None:
    with pytest.raises(ConfigError, match=match):
        find_model(name)
