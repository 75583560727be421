from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from annotator_server import Annotator, running
from coco_factories import encoded

from kpt_tools.annotator.client import PAGE_SIZE, Client, RemoteDataset, RemoteImage
from kpt_tools.annotator.transport import Patience, Refused, Transport, Unreachable
from kpt_tools.errors import ConfigError, EngineError

JPEG = encoded()


@pytest.fixture
def server() -> Iterator[Annotator]:
    database = Annotator()
    pliers = database.add_category("Plier", ("tip", "heel"))
    dataset = database.add_dataset("pliers", (pliers,))
    database.add_dataset("not mine", owner="eve")
    for name in ("a.jpg", "sub/b.jpg"):
        image = database.add_image(dataset, name, JPEG)
    database.annotate(image, pliers, keypoints=[1, 2, 2, 0, 0, 0])
    with running(database):
        yield database


@pytest.fixture
def waits() -> list[float]:
    return []


@pytest.fixture
def client(server: Annotator, waits: list[float]) -> Iterator[Client]:
    client = Client(Transport(server.url, Patience(connect_s=2, read_s=2, sleep=waits.append)))
    yield client
    client.close()


@pytest.fixture
def ann(client: Client) -> Client:
    client.login("ann", "s3cret")
    return client


def test_login_keeps_the_cookie(ann: Client, server: Annotator) -> None:
    dataset = ann.dataset("pliers")
    assert dataset == RemoteDataset(3, "pliers")
    assert server.log == ["POST /api/user/login", "GET /api/dataset/"]


@pytest.mark.parametrize(("user", "password"), [("ann", "wrong"), ("nobody", "s3cret")])
def test_wrong_login(client: Client, user: str, password: str) -> None:
    with pytest.raises(
        ConfigError, match=f"the login of '{user}' was refused. Check --user and the password"
    ) as caught:
        client.login(user, password)
    assert password not in str(caught.value)


def test_without_login(client: Client) -> None:
    with pytest.raises(ConfigError, match=r"not logged in .Authorization required.. Give --user"):
        client.dataset("pliers")


def test_a_server_without_logins(client: Client, server: Annotator) -> None:
    server.login_disabled = True
    assert client.dataset("not mine").id == 7


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("plierz", "no data set 'plierz' that 'ann' can see; did you mean 'pliers'"),
        ("not mine", "no data set 'not mine' that 'ann' can see; known: pliers"),
    ],
)
def test_unknown_dataset(ann: Client, name: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        ann.dataset(name)


def test_no_dataset_at_all(client: Client, server: Annotator) -> None:
    server.users["new"] = "x"
    client.login("new", "x")
    with pytest.raises(ConfigError, match=r"no data set that 'new' can see; expected 'pliers'. Check --user"):
        client.dataset("pliers")


@pytest.mark.parametrize("count", [0, 1, PAGE_SIZE - 1, PAGE_SIZE, PAGE_SIZE + 1, 2 * PAGE_SIZE + 50])
def test_all_pages(ann: Client, server: Annotator, count: int) -> None:
    many = server.add_dataset("many")
    for number in range(count):
        server.add_image(many, f"{number:04}.jpg", b"")
    listing = ann.listing(ann.dataset("many"))
    assert [image.file_name for image in listing.images] == [f"{number:04}.jpg" for number in range(count)]


def test_listing(ann: Client) -> None:
    listing = ann.listing(ann.dataset("pliers"))
    assert listing.images == (RemoteImage(252, "a.jpg"), RemoteImage(253, "b.jpg", 1))
    assert listing.categories == ("Plier",)


def test_pages_that_never_add_up(ann: Client, server: Annotator) -> None:
    dataset = ann.dataset("pliers")
    server.of = lambda dataset_id: [server.images[252], server.images[252]]  # type: ignore[method-assign]
    with pytest.raises(EngineError, match="'pliers' has 2 pictures, its pages list 1"):
        ann.listing(dataset)
    assert server.log.count("GET /api/dataset/3/data") == 2, "asked again in another order"


def test_coco(ann: Client) -> None:
    content, raw = ann.coco(ann.dataset("pliers"))
    assert content.startswith(b"{")
    assert [row["path"] for row in raw["images"]] == ["/datasets/pliers/sub/b.jpg"]
    assert raw["categories"][0]["keypoints"] == ["tip", "heel"]


def test_coco_of_others(ann: Client, server: Annotator) -> None:
    server.users["bob"] = "b"
    ann.login("bob", "b")
    with pytest.raises(ConfigError, match=r"not allowed .You do not have permission.*Log in as the owner"):
        ann.coco(ann.dataset("pliers"))


def test_original_and_reencoded(ann: Client, tmp_path: Path) -> None:
    image = RemoteImage(252, "a.jpg")
    assert ann.image_size(image) == len(JPEG)
    assert ann.download(image, tmp_path / "a.jpg") == len(JPEG)
    assert (tmp_path / "a.jpg").read_bytes() == JPEG
    ann.download(image, tmp_path / "b.jpg", original=False)
    assert (tmp_path / "b.jpg").read_bytes() not in (JPEG, b"")


def test_a_download_that_is_cut_once(ann: Client, server: Annotator, tmp_path: Path, waits: list[float]) -> None:
    server.faults["GET /api/image/252"] = ["cut"]
    ann.download(RemoteImage(252, "a.jpg"), tmp_path / "a.jpg")
    assert (tmp_path / "a.jpg").read_bytes() == JPEG
    assert waits == [0.5]


def test_a_download_that_is_always_cut(ann: Client, server: Annotator, tmp_path: Path, waits: list[float]) -> None:
    server.faults["GET /api/image/252"] = ["cut"] * 9
    with pytest.raises(
        Unreachable, match=r"the connection ended after \d+ bytes of \d+, 3 times in a row. Run the same"
    ):
        ann.download(RemoteImage(252, "a.jpg"), tmp_path / "a.jpg")
    assert list(tmp_path.iterdir()) == [], "nothing half-written"
    assert waits == [0.5, 1.0]


def test_a_page_instead_of_a_picture(ann: Client, server: Annotator, tmp_path: Path) -> None:
    server.faults["GET /api/image/252"] = ["html"]
    with pytest.raises(ConfigError, match=r"the server answered with text/html .<!DOCTYPE html>.*; expected an image"):
        ann.download(RemoteImage(252, "a.jpg"), tmp_path / "a.jpg")
    assert list(tmp_path.iterdir()) == []


def test_a_picture_that_is_gone(ann: Client, tmp_path: Path) -> None:
    with pytest.raises(
        Refused, match=r"/api/image/5\?original=true: the server answered 400 \(BAD REQUEST|Bad Request"
    ):
        ann.download(RemoteImage(5, "gone.jpg"), tmp_path / "gone.jpg")


@pytest.mark.parametrize(
    ("fault", "kind", "message"),
    [
        ("html", ConfigError, "answered with an HTML page; expected JSON. Is http://127.0.0.1:.* the address of coco"),
        ("redirect", ConfigError, "sends us on to https://elsewhere.example/login. Give the address"),
        (404, ConfigError, "knows no such address .out of order."),
        (413, ConfigError, "too large for the server"),
        (500, EngineError, r"the server answered 500 \(out of order\)"),
    ],
)
def test_answers_that_end_it(
    ann: Client, server: Annotator, fault: object, kind: type[Exception], message: str, waits: list[float]
) -> None:
    server.faults["GET /api/dataset/"] = [fault]
    with pytest.raises(kind, match=message) as caught:
        ann.dataset("pliers")
    assert len(str(caught.value).splitlines()) == 1
    assert waits == []


@pytest.mark.parametrize("fault", ["drop", "cut", 502, 503, 504, 429])
def test_failures_that_pass(ann: Client, server: Annotator, fault: object, waits: list[float]) -> None:
    server.faults["GET /api/dataset/"] = [fault, fault]
    assert ann.dataset("pliers").id == 3
    assert waits == [0.5, 1.0]


@pytest.mark.parametrize(
    ("fault", "kind", "message"),
    [
        ("drop", Unreachable, r"closed without an answer \(3 tries\); expected coco-annotator there"),
        ("cut", Unreachable, r"ended in the middle of the answer \(3 tries\)"),
        (503, Refused, "answered 503"),
    ],
)
def test_failures_that_stay(ann: Client, server: Annotator, fault: object, kind: type[Exception], message: str) -> None:
    server.faults["GET /api/dataset/"] = [fault] * 9
    with pytest.raises(kind, match=message):
        ann.dataset("pliers")


def test_nobody_there(waits: list[float]) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
        client = Client(Transport(url, Patience(connect_s=1, sleep=waits.append)))
        with pytest.raises(
            Unreachable, match=rf"^{url}: the connection was refused \(3 tries\); expected coco-annotator"
        ):
            client.login("ann", "s3cret")
        client.close()
    assert waits == [0.5, 1.0]


def test_a_silent_server(waits: list[float]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        client = Client(Transport(url, Patience(read_s=0.1, attempts=2, sleep=waits.append)))
        with pytest.raises(Unreachable, match=r"the server was silent for too long .2 tries"):
            client.login("ann", "s3cret")
        client.close()


def test_an_unknown_host() -> None:
    client = Client(Transport("http://no-such-host.invalid", Patience(attempts=1)))
    with pytest.raises(EngineError, match=r"no-such-host.invalid: .*; expected coco-annotator there"):
        client.login("ann", "s3cret")
    client.close()


def test_no_password_from_netrc(client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login ann password s3cret\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    with pytest.raises(ConfigError, match="not logged in"):
        client.dataset("pliers")


def test_upload_and_progress(ann: Client, server: Annotator) -> None:
    dataset = ann.dataset("pliers")
    task = ann.upload(dataset, "p.json", b'{"images": [{"id": 1, "file_name": "none.jpg"}]}')
    assert task == 1
    found = ann.progress(task)
    assert found is not None
    assert (found.completed, found.warnings, found.errors) == (True, 1, 0)
    assert found.log == ("warning: Could not find image none.jpg",)


def test_an_upload_is_not_sent_twice(ann: Client, server: Annotator, waits: list[float]) -> None:
    server.faults["POST /api/dataset/3/coco"] = ["drop"]
    with pytest.raises(Unreachable, match="may have taken the file all the same: look under Tasks"):
        ann.upload(ann.dataset("pliers"), "p.json", b"{}")
    assert server.log.count("POST /api/dataset/3/coco") == 1
    assert waits == []


def test_a_server_that_tells_nothing_of_tasks(ann: Client, server: Annotator) -> None:
    server.knows_tasks = False
    assert ann.progress(1) is None
