"""What the user's shell and home say of Python, the shell and libraries changes no results."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from petite.util import environment

SCRIPTS = Path(environment.__file__).resolve().parents[2]
KERAS_JSON = {
    "image_data_format": "channels_first",
    "floatx": "float64",
    "epsilon": 0.1,
    "backend": "jax",
    "nnx_enabled": True,
}
# Trains a little, and prints the digest of the weights and Keras's global settings.
TRAIN = """
import hashlib, json
import numpy as np
from petite.training.loop import ScratchTrainer
from petite.training.settings import TrainingSettings

settings = {
    "compact": {"widths": [32, 64], "halvings": [1], "residual_blocks": [0]},
    "budget": {"steps": 10}, "batch_size": 16, "evaluations": 1,
}
labels = np.arange(60) % 3
images = np.random.default_rng(0).integers(0, 256, (60, 32, 32, 3)).astype(np.uint8)
trainer = ScratchTrainer(32, 3, ["a", "b", "c"], TrainingSettings.model_validate(settings))
run = trainer.train(images, labels, images, labels, 0)
digest = hashlib.sha256(b"".join(array.tobytes() for array in run.model.get_weights()))
import keras
print(json.dumps({
    "weights": digest.hexdigest(),
    "layout": keras.config.image_data_format(),
    "floats": keras.config.floatx(),
    "epsilon": keras.config.epsilon(),
    "backend": keras.config.backend(),
    "steps": run.steps,
}))
"""


def trained(folder: Path, before: str = "", **variables: str) -> dict:
    """What a training in a process of its own gives, with `folder` as its home."""
    done = subprocess.run(
        [sys.executable, "-c", before + TRAIN],
        env={**os.environ, "PYTHONPATH": str(SCRIPTS), "HOME": str(folder), **variables},
        text=True,
        capture_output=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> dict:
    return trained(tmp_path_factory.mktemp("home"))


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with a keras.json of its own."""
    (tmp_path / ".keras").mkdir()
    (tmp_path / ".keras/keras.json").write_text(json.dumps(KERAS_JSON), "utf-8")
    return tmp_path


def test_a_keras_json_in_the_home_changes_nothing_and_stays_as_it_is(plain, home):
    assert trained(home) == plain
    assert plain["layout"] == "channels_last"
    assert json.loads((home / ".keras/keras.json").read_text("utf-8")) == KERAS_JSON


def test_a_training_leaves_nothing_in_a_home(plain, tmp_path):
    assert trained(tmp_path) == plain
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "variables",
    [
        {"TF_ENABLE_ONEDNN_OPTS": "0", "TF_DETERMINISTIC_OPS": "0", "TF_NUM_INTEROP_THREADS": "7"},
        {"KERAS_BACKEND": "jax", "ONEDNN_DEFAULT_FPMATH_MODE": "BF16", "PYTHONHASHSEED": "7"},
    ],
)
def test_variables_that_change_numbers_change_none(plain, tmp_path, variables):
    assert trained(tmp_path, **variables) == plain


def test_in_a_program_that_has_set_keras_otherwise_a_training_is_the_same(plain, tmp_path):
    before = "import os; os.environ['TF_ENABLE_ONEDNN_OPTS'] = '1'; import keras\n"
    before += "keras.config.set_image_data_format('channels_first')\n"
    before += "keras.config.set_floatx('float64'); keras.config.set_epsilon(0.1)\n"
    assert trained(tmp_path, before, KERAS_BACKEND="tensorflow") == plain


def test_what_must_hold_is_set_over_what_the_user_has_set():
    variables = {"TF_ENABLE_ONEDNN_OPTS": "0", "KERAS_MAX_EPOCHS": "3", "HOME": "/home/ada"}
    environment.hold(variables)
    assert variables == {**environment.SET, "HOME": "/home/ada"}


def test_steps_have_no_variables_that_change_how_python_and_the_shell_start():
    kept = {"PYTHONPATH": "/packages", "PYTHONDONTWRITEBYTECODE": "1", "PATH": "/bin"}
    removed = ("SAFEPATH", "OPTIMIZE", "INSPECT", "WARNINGS", "STARTUP", "DEVMODE", "BREAKPOINT")
    variables = dict(kept) | {f"PYTHON{name}": "1" for name in removed}
    variables |= dict.fromkeys(environment.OF_THE_SHELL, "x")
    environment.hold_for_steps(variables)
    assert variables == {**kept, **environment.SET, "PYTHONHASHSEED": "0"}


def test_what_may_change_numbers_and_stays_is_written_down():
    shell = {
        "XLA_FLAGS": "--xla_cpu_enable_fast_math=true",
        "OPENBLAS_CORETYPE": "Haswell",
        "TF_XLA_FLAGS": "--tf_xla_auto_jit=2",
        "MKL_CBWR": "COMPATIBLE",
        "CUDA_VISIBLE_DEVICES": "1",
        "LD_PRELOAD": "/lib/other.so",
    }
    others = {
        "OMP_NUM_THREADS": "4",
        "HOME": "/home/ada",
        "TF_VAR_code": "x",
        "TF_CLI_CONFIG_FILE": "x",
    }
    others |= {"MKL_CBWR_": "", "TF_CPP_MIN_LOG_LEVEL": "2", "CUDA_TOKEN": "x"}
    others |= environment.SET
    assert environment.written_down(shell | others) == dict(sorted(shell.items()))
