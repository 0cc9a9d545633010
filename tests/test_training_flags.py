"""The command line of a training fills the record of settings, field by field."""

from argparse import ArgumentParser
from dataclasses import fields
from pathlib import Path

from rocketqa.cli import train_cross_encoder, train_dual_encoder
from rocketqa.cli.flags import settings_of
from rocketqa.cli.training_flags import add_training_flags, init_source
from rocketqa.training.settings import (
    CrossEncoderSettings,
    DualEncoderSettings,
    TrainingSettings,
)

REQUIRED = (
    "--output o --init tiny --collection c --queries q r --examples e --seed 3 --batch-size 4 "
    "--epochs 2 --learning-rate 1e-3 --warmup 0.1 --decay linear --weight-decay 0"
).split()


def test_an_initial_encoder_is_a_folder_or_a_name(tmp_path):
    assert init_source(str(tmp_path)) == tmp_path
    assert init_source("ernie-tiny") == "ernie-tiny"


def test_the_command_line_fills_the_record_of_settings():
    parser = ArgumentParser()
    add_training_flags(parser)
    assert settings_of(TrainingSettings, parser.parse_args(REQUIRED)) == TrainingSettings(
        output=Path("o"),
        init="tiny",
        collection=Path("c"),
        queries=[Path("q"), Path("r")],
        examples=[Path("e")],
        batch_size=4,
        epochs=2,
        learning_rate=1e-3,
        warmup=0.1,
        decay="linear",
        weight_decay=0.0,
        seed=3,
    )


def test_defaults_of_the_command_line_are_those_of_the_record():
    for verb, kind in (
        (train_dual_encoder, DualEncoderSettings),
        (train_cross_encoder, CrossEncoderSettings),
    ):
        args = verb.build_parser().parse_args(REQUIRED)
        optional = [field for field in fields(kind) if f"--{field.name}" not in REQUIRED]
        for field in optional:
            flag = f"--{field.name.replace('_', '-')}"
            if flag not in REQUIRED:
                assert getattr(args, field.name) == field.default, field.name
