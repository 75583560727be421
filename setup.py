"""Packaging of kpt-tools."""

from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
VERSION = next(
    line.split('"')[1]
    for line in (HERE / "kpt_tools" / "__init__.py").read_text(encoding="utf-8").splitlines()
    if line.startswith("__version__")
)

# Top-level folders that become kpt_tools/<name> when installed. Of label maps only the shipped examples: those of
# the user's own projects lie in the same folder.
RESOURCES = {
    "pipeline_templates": ("*.config",),
    "label_maps": ("coco_person.pbtxt", "coco_zoo.pbtxt", "pliers.pbtxt"),
}

# The OD API has not been released since 2.8.0.post1. It depends on tf-models-official, which pins TensorFlow 2.20, and
# on tensorflow-io, which has no package for Python 3.13. On 3.13 and with another TensorFlow: the extra `lean`.
ODAPI = "tf-models-research-object-detection==2.8.0.post1"
TRAIN = [
    "tensorflow>=2.20,<2.21",
    "tf-keras>=2.20,<2.21",
    "tf-models-official>=2.20,<2.21",
    ODAPI,
    "tensorboard>=2.20",
]

# What the OD API really needs, apart from our own requirements; it is then installed by itself: pip install --no-deps.
# tf-keras asks for the TensorFlow of its own minor version.
LEAN = [
    "tensorflow>=2.15,<2.22",
    "tf-keras>=2.15,<2.22",
    "tensorboard>=2.15",
    "tf-slim>=1.1",
    "contextlib2>=21.6",
    "scipy>=1.10",
    "six>=1.16",
]

# coco-annotator's REST interface, and the page and interface of `kpt-tools serve`.
ANNOTATOR = ["requests>=2.31"]
SERVE = ["starlette>=0.46", "uvicorn>=0.34", "python-multipart>=0.0.18"]

# DeepLabCut's .h5 files are tables of pandas.
FORMATS = ["pandas>=2", "tables>=3.9"]

# Models for other engines than TensorFlow. Making ONNX takes tf2onnx (from 1.17 on it accepts today's protobuf) and
# TensorFlow; OpenVINO models are made of ONNX ones. Running them takes the last package of each line only.
ONNX = ["tf2onnx>=1.17", "onnx>=1.17", "onnxruntime>=1.20"]
OPENVINO = ["openvino>=2025.0", "platformdirs>=4"]
LITERT = ["ai-edge-litert>=2"]
EXPORT = [*ONNX, *OPENVINO, *LITERT]

# Tracking of objects over videos: ByteTrack. It asks for opencv-python, whose place opencv-python-headless takes.
VIDEO = ["trackers>=2.6", "supervision>=0.30"]

# The pipelines of `--runner`. Not among `dev`: it wants older versions of protobuf and Pillow than all else.
BEAM = ["apache-beam>=2.60"]

setup(
    name="kpt-tools",
    version=VERSION,
    description="From labelled images to a working keypoint detector: coco-annotator to CenterNet with keypoints.",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    license_files=["LICENSE"],
    python_requires=">=3.10",
    # Templates and label maps live at the top of the repository; a wheel carries them inside the package.
    packages=[*find_packages(include=["kpt_tools", "kpt_tools.*"]), *(f"kpt_tools.{name}" for name in RESOURCES)],
    package_dir={f"kpt_tools.{name}": name for name in RESOURCES},
    package_data={
        "kpt_tools": ["py.typed"],
        "kpt_tools.web": ["static/*"],
        **{f"kpt_tools.{name}": list(files) for name, files in RESOURCES.items()},
    },
    include_package_data=False,
    install_requires=[
        "click>=8.1",
        "rich>=13",
        "numpy>=1.26",
        "pillow>=10.1",
        "protobuf>=4.25",
        "crc32c>=2.7",
        "opencv-python-headless>=4.11",
        "lxml>=5",
        "psutil>=5.9",
        "pycocotools>=2.0.7",
        "pyyaml>=6",
        "jinja2>=3.1",
        "matplotlib>=3.8",
    ],
    extras_require={
        "train": TRAIN,
        "lean": LEAN,
        "annotator": ANNOTATOR,
        "serve": SERVE,
        "formats": FORMATS,
        "onnx": ONNX,
        "openvino": OPENVINO,
        "litert": LITERT,
        "export": EXPORT,
        "video": VIDEO,
        "beam": BEAM,
        "dev": [
            *ANNOTATOR,
            *SERVE,
            *FORMATS,
            *EXPORT,
            *VIDEO,
            "pytest>=8",
            "pytest-timeout>=2.3",
            "pytest-xdist>=3.5",
            "ruff>=0.8",
            "mypy>=1.13",
            "selenium>=4.20",
        ],
    },
    entry_points={"console_scripts": ["kpt-tools = kpt_tools.cli.main:main"]},
    classifiers=[
        "Programming Language :: Python :: 3",
        "Programming Language :: Python :: 3.10",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Topic :: Scientific/Engineering :: Image Recognition",
    ],
)
