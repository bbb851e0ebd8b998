"""Environment variables that change what a step computes: set, taken away, or written down."""

import os
import re
from collections.abc import Mapping, MutableMapping

# What must be true of the libraries, whatever the user's shell says; before they are imported.
SET = {
    # oneDNN's kernels train 1.6 to 1.9 times as fast, also on CPUs where it is off by default
    # (AVX2 without AVX-512); on always, the numbers depend less on the machine.
    "TF_ENABLE_ONEDNN_OPTS": "1",
    # There is no such folder: Keras reads no keras.json of the user's, and writes none.
    "KERAS_HOME": f"{os.devnull}/keras",
}
# What changes the numbers or the length of a training, and nothing that a machine may need.
TAKEN_AWAY = re.compile(
    r"KERAS_(?!BACKEND|HOME)\w+|TF_DETERMINISTIC_OPS|TF_CUDNN_DETERMINISTIC|TF_USE_LEGACY_KERAS"
    r"|TF_CUDNN_USE_\w+|NVIDIA_TF32_OVERRIDE|TORCH_ALLOW_TF32_CUBLAS_OVERRIDE"
    r"|(ONEDNN|DNNL)_DEFAULT_FPMATH_MODE"
    r"|JAX_(ENABLE_X64|DEFAULT_\w+|NUMPY_\w+|THREEFRY_\w+|DISABLE_\w+|DEBUG_\w+|RANDOM_\w+)"
)
# Of Python's own variables a step has those that tell where its packages are, where bytecode goes,
# and how file names are encoded. The others change what the same code does: PYTHONSAFEPATH hides
# the library, PYTHONOPTIMIZE drops checks, PYTHONINSPECT waits for input, PYTHONWARNINGS=error
# ends imports.
OF_PYTHON = re.compile(
    "PYTHON(PATH|HOME|USERBASE|NOUSERSITE|PLATLIBDIR|EXECUTABLE|UTF8|COERCECLOCALE"
    "|DONTWRITEBYTECODE|PYCACHEPREFIX)"
)
# What a shell runs or sets before each command: another `python`, say.
OF_THE_SHELL = ("BASH_ENV", "ENV", "SHELLOPTS", "BASHOPTS", "POSIXLY_CORRECT")

# What may change the numbers, but may be what a machine needs to work at all.
WRITTEN_DOWN = re.compile(
    # TensorFlow's alone: Terraform's begin with TF_ too, and hold secrets.
    r"TF_(ENABLE|DISABLE|XLA|CUDNN|CUBLAS|GPU|FORCE|USE|MKL|ONEDNN|CPU)_\w+"
    r"|(XLA|JAX|TORCH|PYTORCH|CUDA|CUDNN|CUBLAS|NVIDIA|HIP|ROCR|HSA|MIOPEN|OPENBLAS|MKL|BLIS"
    r"|OMP|KMP|GOMP|DNNL|ONEDNN|NPY|ARROW|SKLEARN|SCIPY)_\w+"
    r"|LD_PRELOAD|LD_LIBRARY_PATH|DYLD_\w+|GLIBC_TUNABLES|PYTHONPATH|PYTHONUSERBASE"
)
# Those that Petite and Snakemake set by the threads of a job, those by which NVIDIA's containers
# tell what they are, and what may be a secret.
LEFT_OUT = re.compile(
    r"\w+_NUM_THREADS|NVIDIA_(REQUIRE|VISIBLE|DRIVER)\w*"
    r"|\w*(TOKEN|SECRET|PASSWORD|CREDENTIAL)\w*"
)


def hold(environment: MutableMapping[str, str]) -> None:
    """Set what must hold, and take away what changes numbers."""
    for name in [name for name in environment if TAKEN_AWAY.fullmatch(name)]:
        del environment[name]
    environment.update(SET)


def hold_for_steps(environment: MutableMapping[str, str]) -> None:
    """The same for the steps of a run, with what Python and the shell read when they start."""
    for name in list(environment):
        is_pythons = name.startswith("PYTHON") and not OF_PYTHON.fullmatch(name)
        if is_pythons or name in OF_THE_SHELL:
            del environment[name]
    hold(environment)
    # The order of sets: nothing is meant to depend on it.
    environment["PYTHONHASHSEED"] = "0"


def written_down(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables that may change the numbers and are not Petite's, by name."""
    return {
        name: value
        for name, value in sorted(environment.items())
        if WRITTEN_DOWN.fullmatch(name)
        and name not in SET
        and value
        and not LEFT_OUT.fullmatch(name)
    }
