"""The page of `kpt-tools serve` in a real browser."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from serving import patch_bytes, serving

from kpt_tools.inference.engine import Engine

pytestmark = pytest.mark.slow


@pytest.fixture
def page(browser: Any, engine: Engine) -> Iterator[Page]:
    with serving(engine, max_upload_mb=0.5, max_megapixels=1) as url:
        yield Page(browser, url)


class Page:
    """What a person does and sees."""

    def __init__(self, browser: Any, url: str) -> None:
        self.browser, self.url = browser, url
        browser.get(url)
        self.wait("return document.querySelectorAll('#classes li').length")

    def js(self, script: str, *arguments: Any) -> Any:
        return self.browser.execute_script(script, *arguments)

    def wait(self, script: str) -> Any:
        from selenium.webdriver.support.ui import WebDriverWait

        return WebDriverWait(self.browser, 10, 0.05).until(lambda _: self.js(script))

    def choose(self, path: Path) -> None:
        self.browser.find_element("id", "file").send_keys(str(path))

    def drop(self, path: Path) -> None:
        """Drop a file anywhere on the window."""
        self.js(
            """
            const bytes = Uint8Array.from(atob(arguments[0]), (letter) => letter.charCodeAt(0));
            const transfer = new DataTransfer();
            transfer.items.add(new File([bytes], arguments[1]));
            const options = { dataTransfer: transfer, bubbles: true, cancelable: true };
            document.body.dispatchEvent(new DragEvent("drop", options));
            """,
            base64.b64encode(path.read_bytes()).decode(),
            path.name,
        )

    def texts(self, selector: str) -> list[str]:
        return [element.text for element in self.browser.find_elements("css selector", selector)]

    def message(self) -> str:
        return str(self.wait("return document.getElementById('message').textContent"))

    def log(self) -> list[Any]:
        return list(self.browser.get_log("browser"))


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "nut.png"
    path.write_bytes(patch_bytes())
    return path


def test_before_the_first_picture(page: Page) -> None:
    assert page.browser.title == "patches - kpt-tools"
    assert page.texts("#classes li") == ["patch\n2 keypoints", "bolt\nbox only"]
    assert page.texts("#limits") == ["JPEG, PNG, WebP, BMP or TIFF, up to 0.5 MB. Nothing is stored."]
    assert not page.js("return document.getElementById('panel').checkVisibility()")
    assert page.log() == []


@pytest.mark.parametrize("way", ["choose", "drop"])
def test_a_picture_shows_its_boxes_and_points(page: Page, picture: Path, way: str) -> None:
    getattr(page, way)(picture)
    page.wait("return document.querySelectorAll('#overlay circle').length")
    assert page.texts("#summary b") == ["1 \u00d7 patch"]
    assert page.texts("#summary span")[0].startswith("nut.png \u00b7 160 \u00d7 120 px \u00b7 ")
    assert page.texts("#objects .head") == ["patch\n0.90"]
    assert page.texts("#objects td:nth-child(2)") == ["left", "right"]
    share = page.js(
        """
        const box = document.querySelector("#overlay rect").getBoundingClientRect();
        const image = document.getElementById("picture").getBoundingClientRect();
        const [x, y] = [box.x + box.width / 2 - image.x, box.y + box.height / 2 - image.y];
        return [x / image.width, y / image.height];
        """
    )
    assert share == pytest.approx([65 / 160, 40 / 120], abs=0.005), "the box lies on the patch"
    assert page.log() == []


def test_sliders_and_boxes_to_tick(page: Page, picture: Path) -> None:
    page.choose(picture)
    page.wait("return document.querySelectorAll('#overlay circle').length")
    slide = (
        "const s = document.getElementById(arguments[0]); s.value = arguments[1]; s.dispatchEvent(new Event('input'))"
    )
    page.js(slide, "point", 0.75)
    assert page.js("return document.querySelectorAll('#overlay circle[stroke]').length") == 1
    page.browser.find_element("id", "show-names").click()
    assert page.js("return [...document.querySelectorAll('#overlay text')].map((t) => t.textContent)") == [
        "patch 0.90",
        "left",
    ]
    page.js(slide, "score", 0.95)
    assert page.texts("#summary b") == ["Nothing found"]
    assert page.texts("#objects li") == ["Nothing above this score. Move the slider to see weaker objects."]


def test_the_saved_picture_has_the_drawing(page: Page, picture: Path) -> None:
    page.choose(picture)
    page.wait("return document.querySelectorAll('#overlay circle').length")
    page.js(
        """
        window.save = async (blob, name) => {
            const bytes = new Uint8Array(await blob.arrayBuffer());
            window.saved = { name, content: btoa(String.fromCharCode(...bytes)) };
        };
        document.getElementById("save-picture").click();
        """
    )
    saved = page.wait("return window.saved")
    assert saved["name"] == "nut_detected.png"
    image = Image.open(io.BytesIO(base64.b64decode(saved["content"]))).convert("RGB")
    assert image.size == (480, 360), "as large as on the screen"
    red, green, blue = image.getpixel((195, 150))
    assert (red < 100, green > 120, blue > 150) == (True, True, True), (
        "the lower edge of the box, in its class's colour"
    )
    page.js("window.saved = null; document.getElementById('save-json').click()")
    assert page.wait("return window.saved")["name"] == "nut.json"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"no picture", "bad.png: not a picture of a known format; expected one of JPEG, PNG, WEBP, BMP, TIFF."),
        (b"x" * 600_000, "bad.png: 0.6 MB; expected at most 0.5 MB. Scale it down, or start the server with a larger"),
    ],
)
def test_bad_files_are_told(page: Page, picture: Path, tmp_path: Path, content: bytes, message: str) -> None:
    bad = tmp_path / "bad.png"
    bad.write_bytes(content)
    page.drop(bad)
    assert page.message().startswith(message)
    page.drop(picture)
    page.wait("return document.querySelectorAll('#overlay circle').length")
    assert page.js("return document.getElementById('message').hidden"), "a good picture takes the message away"


def test_names_are_no_html(page: Page, tmp_path: Path) -> None:
    odd = tmp_path / "<img src=x onerror=document.title='hacked'>.png"
    odd.write_bytes(patch_bytes())
    page.drop(odd)
    page.wait("return document.querySelectorAll('#overlay circle').length")
    assert "<img src=x onerror=" in page.texts("#summary span")[0]
    assert page.browser.title == "patches - kpt-tools"


def test_coco_annotators_button(page: Page, engine: Engine) -> None:
    """What its page does: a canvas as a PNG, to another address, from the browser."""
    script = """
        const done = arguments[arguments.length - 1];
        const canvas = Object.assign(document.createElement("canvas"), { width: 160, height: 120 });
        const pen = canvas.getContext("2d");
        pen.fillStyle = "#808080"; pen.fillRect(0, 0, 160, 120);
        pen.fillStyle = "#ff0000"; pen.fillRect(40, 30, 50, 20);
        canvas.toBlob((blob) => {
            const form = new FormData();
            form.append("image", blob);
            fetch(arguments[0], { method: "POST", body: form })
                .then((response) => response.json())
                .then(done, (error) => done(String(error)));
        });
    """
    with serving(engine) as other:
        page.browser.get(f"{page.url}/health")  # a page without a policy of its own
        answer = page.browser.execute_async_script(script, f"{other}/annotate")
    assert answer["coco"]["annotations"][0]["bbox"] == [40, 30, 50, 20]
