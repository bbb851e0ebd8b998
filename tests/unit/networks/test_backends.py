"""Training on the backends beside TensorFlow that are installed: the tests bring JAX with them."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[3]
SCRIPTS = REPOSITORY / "scripts"


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_a_backend_trains_repeats_saves_and_scores(backend: str) -> None:
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    script = Path(__file__).with_name("train_on_backend.py")
    done = subprocess.run(
        [sys.executable, str(script), backend],
        env={**os.environ, "PYTHONPATH": str(SCRIPTS)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    result = json.loads(done.stdout.splitlines()[-1])
    assert result["backend"] == backend
    assert result["accuracy"] > 0.8
    assert result["validation_accuracy"] > 0.8
    assert result["a seed again"] and not result["another seed"]
    assert result["a loaded model differs by"] < 1e-5
    assert result["finite scores"]
    assert result["fine-tuned: a seed again"] and not result["fine-tuned: another seed"]
    assert not result["fine-tuned: changed after the head"]
    # The kernel and its bias, scale and offset; the statistics stay.
    assert result["fine-tuned: changed at the end"] == 4 * [True] + 2 * [False]


FLAGS = """
import os
from petite.networks.backend import dtype_policy, load_keras
load_keras("jax", 1)
print(dtype_policy("auto"))
print(os.environ["XLA_FLAGS"])
"""


@pytest.mark.parametrize(
    ("given", "flags"),
    [
        ("", "--xla_gpu_deterministic_ops=true --xla_cpu_multi_thread_eigen=false"),
        (
            "--xla_gpu_deterministic_ops=false",
            "--xla_gpu_deterministic_ops=true --xla_cpu_multi_thread_eigen=false "
            "--xla_gpu_deterministic_ops=false",
        ),
        ("FILE", "FILE"),
    ],
)
def test_flags_of_the_user_stay_in_force_with_jax(given: str, flags: str, tmp_path: Path) -> None:
    pytest.importorskip("jax")
    file = tmp_path / "flags"
    file.write_text("--xla_cpu_multi_thread_eigen=true")
    done = subprocess.run(
        [sys.executable, "-c", FLAGS],
        env={
            **os.environ,
            "PYTHONPATH": str(SCRIPTS),
            "JAX_PLATFORMS": "cpu",
            "XLA_FLAGS": given.replace("FILE", str(file)),
        },
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == ["float32", flags.replace("FILE", str(file))]


def test_without_a_gpu_its_benchmark_ends_with_one_sentence(tmp_path: Path) -> None:
    pytest.importorskip("jax")
    page = tmp_path / "gpu.md"
    done = subprocess.run(
        [sys.executable, str(REPOSITORY / "benchmarks/gpu.py"), "--output", str(page)],
        env={**os.environ, "PYTHONPATH": str(SCRIPTS), "JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "finds no GPU here, only cpu" in done.stderr
    assert not page.exists()
