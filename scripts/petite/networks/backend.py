"""Loading Keras with the backend and the threads of the settings.

The user's ~/.keras/keras.json and environment variables for Keras are ignored.
"""

import importlib.util
import logging
import os
import sys
from pathlib import Path
from types import ModuleType

from petite.util import environment
from petite.util.errors import PetiteError

logger = logging.getLogger(__name__)

# Unless the user has set them.
DEFAULTS = {
    # Only errors: TensorFlow's start-up messages do not help in a step's log.
    "TF_CPP_MIN_LOG_LEVEL": "2",
    # Without these, a job reserves most of a GPU's memory at once, and no other can share the GPU.
    "TF_FORCE_GPU_ALLOW_GROWTH": "true",
    "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
}
# Without it, sums of gradients on a GPU may differ from run to run.
DETERMINISTIC = "--xla_gpu_deterministic_ops=true"
ONE_THREAD = "--xla_cpu_multi_thread_eigen=false"


def load_keras(backend: str, threads: int) -> ModuleType:
    """Import Keras on a backend, limited to a number of threads and deterministic.

    Parameters
    ----------
    backend : {"tensorflow", "jax", "torch"}
    threads : int
        Threads of one operation; operations run one after the other. JAX on a CPU can only be
        limited to one thread; with two or more it uses all cores.

    Returns
    -------
    module
        `keras`.

    Raises
    ------
    PetiteError
        When the backend is not installed, or Keras already uses another one.
    """
    if importlib.util.find_spec(backend) is None:
        raise PetiteError(
            f"The backend '{backend}' is not installed: run `pip install {backend}`, or set "
            "another backend"
        )
    if "keras" not in sys.modules:
        environment.hold(os.environ)
        os.environ["KERAS_BACKEND"] = backend
        for name, value in DEFAULTS.items():
            os.environ.setdefault(name, value)
    # Keras imports these two if they are installed, to draw models and to wrap them as estimators,
    # which takes a quarter of its CPU time and 80 MB. None marks modules that cannot be imported.
    unneeded = {"matplotlib", "sklearn"} - sys.modules.keys()
    sys.modules.update(dict.fromkeys(unneeded))  # type: ignore[arg-type]
    try:
        LIMITS[backend](threads)
        import keras
    finally:
        for name in unneeded:
            del sys.modules[name]

    if keras.backend.backend() != backend:
        raise PetiteError(
            f"Keras already uses the backend '{keras.backend.backend()}' in this process: train "
            f"with '{backend}' in another process"
        )
    _configure(keras)
    return keras


def _configure(keras: ModuleType) -> None:
    """Set all global settings of Keras, which the user's program may have changed."""
    keras.config.set_floatx("float32")
    keras.config.set_epsilon(1e-7)
    keras.config.set_image_data_format("channels_last")
    keras.config.set_max_epochs(None)
    keras.config.set_max_steps_per_epoch(None)


def dtype_policy(precision: str) -> str:
    """Find Keras's dtype policy for a precision. Keras must be loaded.

    Parameters
    ----------
    precision : {"float32", "bfloat16", "auto"}
        auto: bfloat16 if the GPU, or without one the processor, has instructions for it; otherwise
        float32, which is then faster. On a CPU, JAX and PyTorch always get float32: networks that
        JAX 0.11.2 trained in bfloat16 gave predictions that are not finite.

    Returns
    -------
    {"float32", "mixed_bfloat16"}
    """
    if precision == "auto":
        precision = "bfloat16" if _computes_in_bfloat16() else "float32"
    return "mixed_bfloat16" if precision == "bfloat16" else "float32"


def _computes_in_bfloat16() -> bool:
    """Whether the GPU, or without one the CPU, has instructions for bfloat16."""
    import keras

    if capability := _gpu_capability():
        return capability >= (8, 0)
    if keras.backend.backend() != "tensorflow":
        return False
    try:
        flags = Path("/proc/cpuinfo").read_text("utf-8")
    except OSError:  # not Linux
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags


def _gpu_capability() -> tuple[int, ...] | None:
    """The compute capability of the GPU that Keras computes on, such as (8, 0); None without."""
    import keras

    backend = keras.backend.backend()
    if backend == "torch":
        import torch

        return torch.cuda.get_device_capability() if torch.cuda.is_available() else None
    if backend == "jax":
        import jax

        # As "8.0"; other devices than those of CUDA have none.
        capability = str(getattr(jax.devices()[0], "compute_capability", ""))
        numbers = capability.split(".")
        return tuple(map(int, numbers)) if all(map(str.isdecimal, numbers)) else None
    import tensorflow as tf

    for gpu in tf.config.list_physical_devices("GPU"):
        details = tf.config.experimental.get_device_details(gpu)
        return tuple(details.get("compute_capability", (0, 0)))
    return None


def _limit_tensorflow(threads: int) -> None:
    import tensorflow as tf

    try:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(1)
    except RuntimeError:
        logger.warning("TensorFlow is already running: its number of threads does not change")
    tf.config.experimental.enable_op_determinism()


def _limit_jax(threads: int) -> None:
    given = os.environ.get("XLA_FLAGS", "").split()
    if given and not given[0].startswith("-"):  # a file of flags, which nothing can be added to
        return
    wanted = [DETERMINISTIC, *([ONE_THREAD] if threads == 1 else [])]
    if missing := [flag for flag in wanted if flag not in given]:
        if "jax" in sys.modules:
            logger.warning("JAX is already running without %s", " ".join(missing))
        # Of two flags the last one counts, so that the user's stay in force.
        os.environ["XLA_FLAGS"] = " ".join([*missing, *given])


def _limit_torch(threads: int) -> None:
    import torch

    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True, warn_only=True)


LIMITS = {"tensorflow": _limit_tensorflow, "jax": _limit_jax, "torch": _limit_torch}
