"""Environment variables that change what a step computes: set, removed, or recorded."""

import os
import re
from collections.abc import Mapping, MutableMapping

# Set before the libraries are imported, whatever the user's shell says.
SET = {
    # oneDNN's kernels train 1.6 to 1.9 times as fast, also on CPUs where it is off by default
    # (AVX2 without AVX-512); on always, the numbers depend less on the machine.
    "TF_ENABLE_ONEDNN_OPTS": "1",
    # This folder does not exist, so Keras neither reads the user's keras.json nor writes one.
    "KERAS_HOME": f"{os.devnull}/keras",
}
# These change the numbers or the length of a training; no machine needs them to work.
REMOVED = re.compile(
    r"KERAS_(?!BACKEND|HOME)\w+|TF_DETERMINISTIC_OPS|TF_CUDNN_DETERMINISTIC|TF_USE_LEGACY_KERAS"
    r"|TF_CUDNN_USE_\w+|NVIDIA_TF32_OVERRIDE|TORCH_ALLOW_TF32_CUBLAS_OVERRIDE"
    r"|(ONEDNN|DNNL)_DEFAULT_FPMATH_MODE"
    r"|JAX_(ENABLE_X64|DEFAULT_\w+|NUMPY_\w+|THREEFRY_\w+|DISABLE_\w+|DEBUG_\w+|RANDOM_\w+)"
)
# Python's own variables that a step keeps: where packages are, where bytecode goes, and how file
# names are encoded. The others change what the same code does: PYTHONSAFEPATH hides the library,
# PYTHONOPTIMIZE drops checks, PYTHONINSPECT waits for input, PYTHONWARNINGS=error ends imports.
KEPT_OF_PYTHON = re.compile(
    "PYTHON(PATH|HOME|USERBASE|NOUSERSITE|PLATLIBDIR|EXECUTABLE|UTF8|COERCECLOCALE"
    "|DONTWRITEBYTECODE|PYCACHEPREFIX)"
)
# With these a shell runs or sets something before each command, such as another `python`.
OF_THE_SHELL = ("BASH_ENV", "ENV", "SHELLOPTS", "BASHOPTS", "POSIXLY_CORRECT")

# These may change the numbers, but a machine may need them to work at all.
RECORDED = re.compile(
    # Only TensorFlow's: Terraform's variables begin with TF_ too, and hold secrets.
    r"TF_(ENABLE|DISABLE|XLA|CUDNN|CUBLAS|GPU|FORCE|USE|MKL|ONEDNN|CPU)_\w+"
    r"|(XLA|JAX|TORCH|PYTORCH|CUDA|CUDNN|CUBLAS|NVIDIA|HIP|ROCR|HSA|MIOPEN|OPENBLAS|MKL|BLIS"
    r"|OMP|KMP|GOMP|DNNL|ONEDNN|NPY|ARROW|SKLEARN|SCIPY)_\w+"
    r"|LD_PRELOAD|LD_LIBRARY_PATH|DYLD_\w+|GLIBC_TUNABLES|PYTHONPATH|PYTHONUSERBASE"
)
# Petite and Snakemake set the first by the threads of a job, NVIDIA's containers describe
# themselves by the second, scikit-learn sets the third when it is imported, the fourth are about
# the memory of a GPU, and the last may be secrets.
NOT_RECORDED = re.compile(
    r"\w+_NUM_THREADS|NVIDIA_(REQUIRE|VISIBLE|DRIVER)\w*|KMP_(DUPLICATE_LIB_OK|INIT_AT_FORK)"
    r"|TF_FORCE_GPU_ALLOW_GROWTH|XLA_PYTHON_CLIENT_\w+"
    r"|\w*(TOKEN|SECRET|PASSWORD|CREDENTIAL)\w*"
)


def hold(environment: MutableMapping[str, str]) -> None:
    """Set the variables that must hold in place, and remove those that change numbers.

    Parameters
    ----------
    environment : mutable mapping from str to str
        Changed in place.
    """
    for name in [name for name in environment if REMOVED.fullmatch(name)]:
        del environment[name]
    environment.update(SET)


def hold_for_steps(environment: MutableMapping[str, str]) -> None:
    """Do as `hold` does, and remove what Python and the shell read when a step starts.

    Parameters
    ----------
    environment : mutable mapping from str to str
        Changed in place.
    """
    for name in list(environment):
        is_pythons = name.startswith("PYTHON") and not KEPT_OF_PYTHON.fullmatch(name)
        if is_pythons or name in OF_THE_SHELL:
            del environment[name]
    hold(environment)
    # The order of sets: no result should depend on it.
    environment["PYTHONHASHSEED"] = "0"


def written_down(environment: Mapping[str, str]) -> dict[str, str]:
    """Select the variables that may change the numbers and that Petite does not set.

    Parameters
    ----------
    environment : mapping from str to str

    Returns
    -------
    dict from str to str
        Sorted by name, without empty variables and possible secrets.
    """
    return {
        name: value
        for name, value in sorted(environment.items())
        if RECORDED.fullmatch(name)
        and name not in SET
        and value
        and not NOT_RECORDED.fullmatch(name)
    }
