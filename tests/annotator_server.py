"""A small coco-annotator for tests: the routes, the login and the importer, as its source has them.

Read from jsbroks/coco-annotator: ``webserver/api/{users,datasets,images,tasks}.py``, ``workers/tasks/data.py``,
``webserver/util/coco_util.py``. Written anew; a dict is the database.
"""

from __future__ import annotations

import io
import json
import re
import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.parser import BytesParser
from email.policy import HTTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from PIL import Image

INDEX = b"<!DOCTYPE html><html><head><title>COCO Annotator</title></head><body></body></html>"

Row = dict[str, Any]


@dataclass
class Annotator:
    """The database, and what shall go wrong.

    Attributes:
        faults: by "METHOD path", what happens at the next requests: a status, "cut" (the connection ends in the middle
            of the answer), "html", "drop" (it ends without an answer) or "redirect".
        knows_original: whether ``?original=true`` gives the file itself.
        reencodes: whether pictures are re-encoded without it; a fork hands out the files both ways.
        saves_last_late: the importer says that it is done before it has saved the last object, as the real one does.
        log: "METHOD path" of every request.
    """

    users: dict[str, str] = field(default_factory=lambda: {"ann": "s3cret"})
    datasets: list[Row] = field(default_factory=list)
    images: dict[int, Row] = field(default_factory=dict)
    files: dict[int, bytes] = field(default_factory=dict)
    categories: dict[int, Row] = field(default_factory=dict)
    annotations: list[Row] = field(default_factory=list)
    tasks: dict[int, Row] = field(default_factory=dict)
    sessions: dict[str, str] = field(default_factory=dict)
    login_disabled: bool = False
    knows_original: bool = True
    reencodes: bool = True
    knows_tasks: bool = True
    worker_runs: bool = True
    saves_last_late: bool = False
    late: list[Row] = field(default_factory=list)
    faults: dict[str, list[Any]] = field(default_factory=dict)
    log: list[str] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    url: str = ""

    def add_dataset(self, name: str, categories: tuple[int, ...] = (), owner: str = "ann") -> int:
        dataset_id = 3 + 4 * len(self.datasets)
        self.datasets.append({"id": dataset_id, "name": name, "categories": list(categories), "owner": owner})
        return dataset_id

    def add_category(self, name: str, keypoints: tuple[str, ...] = (), **more: Any) -> int:
        category_id = 15 + len(self.categories)
        self.categories[category_id] = {
            "id": category_id,
            "name": name,
            "supercategory": "",
            "color": "#ff0000",
            "metadata": {},
            "keypoint_labels": list(keypoints),
            "keypoint_edges": [],
            **more,
        }
        return category_id

    def add_image(self, dataset_id: int, path: str, content: bytes) -> int:
        image_id = 252 + len(self.images)
        width, height = Image.open(io.BytesIO(content)).size if content[:2] in (b"\xff\xd8", b"\x89P") else (0, 0)
        self.images[image_id] = {
            "id": image_id,
            "dataset_id": dataset_id,
            "path": f"/datasets/{self.dataset(dataset_id)['name']}/{path}",
            "file_name": path.rpartition("/")[2],
            "width": width,
            "height": height,
            "num_annotations": 0,
        }
        self.files[image_id] = content
        return image_id

    def annotate(self, image_id: int, category_id: int, **fields: Any) -> Row:
        row = {
            "id": 900 + len(self.annotations),
            "image_id": image_id,
            "category_id": category_id,
            "dataset_id": self.images[image_id]["dataset_id"],
            "segmentation": [],
            "area": 0,
            "bbox": [0, 0, 0, 0],
            "iscrowd": False,
            "isbbox": False,
            "keypoints": [],
            "metadata": {},
            "color": "#123456",
            **fields,
        }
        self.annotations.append(row)
        self.images[image_id]["num_annotations"] += 1
        return row

    def dataset(self, dataset_id: int) -> Row:
        return next(row for row in self.datasets if row["id"] == dataset_id)

    def of(self, dataset_id: int) -> list[Row]:
        rows = [row for row in self.images.values() if row["dataset_id"] == dataset_id]
        return sorted(rows, key=lambda row: row["file_name"])

    def export(self, dataset_id: int) -> Row:
        """`get_dataset_coco`: pictures without any annotation are not listed."""
        coco: Row = {"images": [], "categories": [], "annotations": []}
        for category_id in self.dataset(dataset_id)["categories"]:
            row = dict(self.categories[category_id])
            labels, edges = row.pop("keypoint_labels"), row.pop("keypoint_edges")
            coco["categories"].append({**row, "keypoints": labels, "skeleton": edges} if labels else row)
        for image in self.of(dataset_id):
            rows = [row for row in self.annotations if row["image_id"] == image["id"]]
            if not rows:
                continue
            for row in rows:
                shown = dict(row)
                if not row["keypoints"]:
                    del shown["keypoints"]
                else:
                    shown["num_keypoints"] = sum(v > 0 for v in row["keypoints"][2::3])
                if row["keypoints"] or row["segmentation"]:
                    coco["annotations"].append(shown)
            coco["images"].append(image)
        return coco

    def take_in(self, task: Row, dataset_id: int, coco: Row) -> None:
        """`import_annotations`."""

        def tell(level: str, text: str) -> None:
            task["logs"].append(f"[22-11-2025 06:00:00] [{level}] {text}")
            task["warnings"] += level == "WARNING"
            task["errors"] += level == "ERROR"

        categories: dict[Any, int] = {}
        for row in coco.get("categories", []):
            name = row.get("name")
            known = [c for c in self.categories.values() if c["name"].lower() == name.lower()]
            if not known:
                tell("WARNING", f"{name} category not found (creating a new one)")
                new = self.add_category(name, tuple(row.get("keypoints", [])), keypoint_edges=row.get("skeleton", []))
                self.dataset(dataset_id)["categories"].append(new)
                known = [self.categories[new]]
            categories[row.get("id")] = known[0]["id"]
        images: dict[Any, Row] = {}
        for row in coco.get("images", []):
            name = row.get("file_name")
            found = [image for image in self.of(dataset_id) if image["file_name"] == name]
            if not found:
                tell("WARNING", f"Could not find image {name}")
            elif len(found) > 1:
                tell("ERROR", f"Too many images found with the same file name: {name}")
            else:
                images[row.get("id")] = found[0]
        for row in coco.get("annotations", []):
            outline, points = row.get("segmentation", []), row.get("keypoints", [])
            if not outline and not points:
                tell("WARNING", f"Annotation {row.get('id')} has no segmentation or keypoints")
                continue
            if row.get("image_id") not in images or row.get("category_id") not in categories:
                tell("WARNING", f"Could not find image assoicated with annotation {row.get('id')}")
                continue
            image_id, category_id = images[row["image_id"]]["id"], categories[row["category_id"]]
            key = (image_id, category_id, outline, points)
            if any(
                (a["image_id"], a["category_id"], a["segmentation"], a["keypoints"]) == key for a in self.annotations
            ):
                continue
            shape = {"segmentation": outline, "area": row.get("area", 0), "bbox": row.get("bbox", [0] * 4)}
            self.annotate(
                image_id,
                category_id,
                **(shape if outline else {}),
                keypoints=points,
                isbbox=row.get("isbbox", False),
                color=row.get("color"),
                metadata={},  # that of the data set replaces what came
            )
        for row in coco.get("images", []):
            if row.get("id") in images:  # counted by the id in the file, not by that of the picture, as in the source
                counted = [
                    a for a in self.annotations if a["image_id"] == row.get("id") and (a["area"] or a["keypoints"])
                ]
                images[row["id"]]["num_annotations"] = len(counted)
        if self.saves_last_late and self.annotations:
            self.late.append(self.annotations.pop())
        task.update(completed=True, progress=100)


@contextmanager
def running(database: Annotator) -> Iterator[Annotator]:
    """Serve `database` on a free port of this machine; its address is `database.url`."""
    handler = type("Handler", (_Handler,), {"db": database})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    database.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield database
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    db: Annotator
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else every answer waits 40 ms for an acknowledgement

    def log_message(self, *args: Any) -> None:
        return

    def do_GET(self) -> None:
        self._answer()

    def do_HEAD(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def _answer(self) -> None:
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = urlsplit(self.path)
        self.query = {key: values[-1] for key, values in parse_qs(parts.query).items()}
        name = f"{self.command} {parts.path}"
        self.db.log.append(name)
        faults = self.db.faults.get(name)
        self.fault = faults.pop(0) if faults else None
        if self.fault == "drop":
            self.close_connection = True
            return None
        if self.fault == "html":
            return self._send(200, INDEX, "text/html; charset=utf-8")
        if self.fault == "redirect":
            return self._send(302, b"", "text/html", {"Location": "https://elsewhere.example/login"})
        if isinstance(self.fault, int):
            return self._json({"message": "out of order"}, self.fault)
        if not parts.path.startswith("/api/"):
            return self._send(200, INDEX, "text/html; charset=utf-8")
        return self._route(parts.path.removeprefix("/api"))

    def _route(self, path: str) -> None:
        if path == "/user/login" and self.command == "POST":
            return self._login()
        if not (self.db.login_disabled or self._user()):
            return self._json({"success": False, "message": "Authorization required"}, 401)
        table: dict[str, Callable[..., None]] = {
            r"GET /dataset/": self._datasets,
            r"GET /dataset/(\d+)/data": self._page,
            r"GET /dataset/(\d+)/coco": self._export,
            r"POST /dataset/(\d+)/coco": self._import,
            r"(?:GET|HEAD) /image/(\d+)": self._image,
        }
        if self.db.knows_tasks:
            table |= {r"GET /tasks/": self._tasks, r"GET /tasks/(\d+)/logs": self._task_log}
        for pattern, handler in table.items():
            match = re.fullmatch(pattern, f"{self.command} {path}")
            if match:
                return handler(*(int(value) for value in match.groups()))
        return self._json({"message": "The requested URL was not found on the server."}, 404)

    def _user(self) -> str | None:
        match = re.search(r"session=(\w+)", self.headers.get("Cookie", ""))
        return self.db.sessions.get(match[1]) if match else None

    def _login(self) -> None:
        self.db.bodies.append(self.body)
        given = json.loads(self.body)
        user = next((name for name in self.db.users if name.lower() == given["username"].lower()), None)
        if user is None or self.db.users[user] != given["password"]:
            return self._json({"success": False, "message": "Could not authenticate user"}, 400)
        token = secrets.token_hex(8)
        self.db.sessions[token] = user
        cookie = {"Set-Cookie": f"session={token}; HttpOnly; Path=/"}
        return self._json({"success": True, "user": {"username": user}}, headers=cookie)

    def _datasets(self) -> None:
        user = self._user()
        return self._json([row for row in self.db.datasets if user is None or row["owner"] == user or user == "bob"])

    def _page(self, dataset_id: int) -> None:
        limit, page = int(self.query.get("limit", 20)), int(self.query.get("page", 1)) - 1
        rows = sorted(self.db.of(dataset_id), key=lambda row: row[self.query.get("order", "file_name")])
        keys = ("id", "file_name", "annotating", "annotated", "num_annotations")
        categories = [self.db.categories[n] for n in self.db.dataset(dataset_id)["categories"]]
        self._json(
            {
                "total": len(rows),
                "per_page": limit,
                "pages": int(len(rows) / limit) + 1,
                "page": page,
                "images": [{k: row.get(k) for k in keys} for row in rows[page * limit :][:limit]],
                "folder": "",
                "categories": [{"id": row["id"], "name": row["name"]} for row in categories],
                "subdirectories": [],
            }
        )

    def _export(self, dataset_id: int) -> None:
        if not self.db.login_disabled and self.db.dataset(dataset_id)["owner"] != self._user():
            text = "You do not have permission to download the dataset's annotations"
            return self._json({"message": text}, 403)
        self._json(self.db.export(dataset_id))
        self.db.annotations += self.db.late
        self.db.late.clear()

    def _import(self, dataset_id: int) -> None:
        self.db.bodies.append(self.body)
        head = f"Content-Type: {self.headers['Content-Type']}\r\n\r\n".encode()
        message = BytesParser(policy=HTTP).parsebytes(head + self.body)
        parts = {part.get_param("name", header="content-disposition"): part for part in message.iter_parts()}
        if "coco" not in parts or parts["coco"].get_filename() is None:
            return self._json({"message": {"coco": "Json coco Missing required parameter in uploaded files"}}, 400)
        task: Row = {"id": len(self.db.tasks) + 1, "completed": False, "errors": 0, "warnings": 0,
                     "logs": ["[22-11-2025 06:00:00] [INFO] Beginning Import"]}  # fmt: skip
        self.db.tasks[task["id"]] = task
        if self.db.worker_runs:
            self.db.take_in(task, dataset_id, json.loads(parts["coco"].get_payload(decode=True)))
        return self._json(
            {
                "celery_id": "c0ffee",
                "id": task["id"],
                "name": f"Import COCO format into {self.db.dataset(dataset_id)['name']}",
            }
        )

    def _tasks(self) -> None:
        self._json([{k: v for k, v in task.items() if k != "logs"} for task in self.db.tasks.values()])

    def _task_log(self, task_id: int) -> None:
        self._json({"logs": self.db.tasks[task_id]["logs"]})

    def _image(self, image_id: int) -> None:
        if image_id not in self.db.files:
            return self._json({"success": False}, 400)
        content = self.db.files[image_id]
        if self.db.reencodes and (self.query.get("original") != "true" or not self.db.knows_original):
            buffer = io.BytesIO()
            Image.open(io.BytesIO(content)).convert("RGB").save(buffer, "JPEG", quality=90)
            content = buffer.getvalue()
        kind = "image/png" if content[:4] == b"\x89PNG" else "image/jpeg"
        return self._send(200, content, kind)

    def _json(self, value: Any, status: int = 200, headers: dict[str, str] | None = None) -> None:
        self._send(status, json.dumps(value).encode(), "application/json", headers)

    def _send(self, status: int, content: bytes, kind: str, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(content)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            cut = self.fault == "cut"
            self.wfile.write(content[: len(content) // 2] if cut else content)
            self.close_connection = self.close_connection or cut
