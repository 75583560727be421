from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from defective_data import DEFECTS, write_spoilt
from good_data import good_json, write_good
from html_page import Page

from kpt_tools.annotations.statistics import DatasetStatistics
from kpt_tools.config.check import CheckConfig
from kpt_tools.errors import ConfigError
from kpt_tools.report.check_page import CheckPage, PageFinding, check_page
from kpt_tools.stages.check import check


def page_of(folder: Path, **changes: Any) -> tuple[Page, str]:
    html = folder / "page.html"
    check(CheckConfig(folder / "annotations.json", folder / "images", workers=1, html=html, **changes))
    text = html.read_text(encoding="utf-8")
    return Page(text), text


@pytest.fixture
def spoilt(tmp_path: Path) -> Path:
    write_good(tmp_path / "good")
    write_spoilt(tmp_path / "good", tmp_path / "data", DEFECTS["one pair exchanged"])
    return tmp_path / "data"


def test_page_holds_everything_and_fetches_nothing(spoilt: Path) -> None:
    page, text = page_of(spoilt)
    assert page.fetches_nothing()
    assert "default-src 'none'" in text
    assert "<script" not in text
    assert page.images == 1 + 12 + 2 + 20  # of the finding, samples, left and right, poses
    assert "kpt-tools repair" in text
    assert "left_ear &harr; right_ear" in text
    assert "Keypoints of mouse" in text
    assert len(text) < 2_000_000


def test_page_without_images(spoilt: Path) -> None:
    page, text = page_of(spoilt, annotations_only=True)
    assert page.images == 0
    assert "sides-swapped" in text


def test_names_from_the_data_are_text_not_html(tmp_path: Path) -> None:
    write_good(tmp_path)
    raw = good_json()
    raw["categories"][0]["name"] = "<script>alert(1)</script> $x$"
    raw["categories"][0]["keypoints"][0] = "<b>&amp;$"
    raw["images"][0]["file_name"] = '"><img src=x onerror=alert(1)>.jpg'
    (tmp_path / "annotations.json").write_text(json.dumps(raw), encoding="utf-8")
    _, text = page_of(tmp_path)
    assert "<script>" not in text
    assert "<img src=x" not in text
    assert "&lt;b&gt;&amp;amp;$" in text


def test_pairs_of_pictures_and_leaks(tmp_path: Path) -> None:
    write_good(tmp_path / "good")
    write_spoilt(tmp_path / "good", tmp_path / "data", DEFECTS["picture twice, other quality"])
    other = tmp_path / "good"
    page, text = page_of(tmp_path / "data", against=other / "annotations.json", against_images=other / "images")
    assert "image-in-both-splits" in text
    assert "image-look-alike-across" in text
    assert page.images >= 6


def test_an_empty_data_set_has_a_page(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "annotations.json").write_text('{"images": [], "categories": [], "annotations": []}', encoding="utf-8")
    page, text = page_of(tmp_path)
    assert page.images == 0
    assert "nothing-usable" in text


def test_a_file_that_is_no_coco_has_a_page_too(tmp_path: Path) -> None:
    write_good(tmp_path)
    (tmp_path / "annotations.json").write_text('{"images": [', encoding="utf-8")
    page, text = page_of(tmp_path)
    assert page.images == 0
    assert "json-truncated" in text


@pytest.mark.slow
@pytest.mark.parametrize("width", [1200, 400], ids=["desk", "phone"])
def test_page_in_a_browser(spoilt: Path, browser: Any, width: int) -> None:
    page, _ = page_of(spoilt)
    if width < 500:
        metrics = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": True}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    browser.get((spoilt / "page.html").as_uri())
    loaded = browser.execute_script("return [...document.images].filter((image) => image.naturalWidth).length")
    assert loaded == page.images, "also those further down, which a printer would miss"
    assert browser.execute_script("return document.documentElement.scrollWidth <= window.innerWidth")
    assert (
        browser.execute_script("return performance.getEntriesByType('resource').filter((e) => e.name[0] == 'h')") == []
    )
    browser.find_element("link text", "Numbers").click()
    assert browser.execute_script("return location.hash") == "#numbers"
    assert browser.get_log("browser") == []


@pytest.mark.parametrize(
    ("severities", "verdict", "tone"),
    [
        ((), "Ready to train. Nothing to complain of.", "info"),
        (("info",), "Ready to train. Nothing to complain of.", "info"),
        (("warning",), "Ready to train. 1 warning worth a look.", "warning"),
        (("error", "warning"), "1 error: something would be lost in training.", "error"),
    ],
)
def test_verdict(severities: tuple[Any, ...], verdict: str, tone: str) -> None:
    findings = tuple(PageFinding("x", each, 1, "m", "c.", "a.", "", ("text",)) for each in severities)
    statistics = DatasetStatistics(1234, 0, 0, {}, {}, ())
    page = CheckPage("t", "kpt-tools", 1, 0, statistics, findings)
    assert (page.verdict, page.tone) == (verdict, tone)
    text = check_page(page)
    assert re.search(rf'class="verdict {tone}">{re.escape(verdict)}', text)
    assert "1\u202f234 images" in text


def test_page_that_cannot_be_written(spoilt: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be written"):
        check(CheckConfig(spoilt / "annotations.json", annotations_only=True, html=spoilt))
