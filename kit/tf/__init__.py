"""The only part of the kit that imports TensorFlow.

The import loads TensorFlow quietly and sets what must be set before TensorFlow's first op:

- Keras 3 computes with TensorFlow, and segmentation-models takes its names
  (kit.system.variables.PINNED). What comes too late is refused. Keras's other settings are the
  caller's; kit.tf.environment sets them aside while the kit computes.
- There is one inter-op thread. With it, training on a CPU gave the same bytes in every run and took
  no longer.
- oneDNN is on. TensorFlow leaves it off on CPUs without AVX512_VNNI or the like, where it makes
  training 1.4 times as fast.
- On a CPU, TensorFlow's arithmetic optimization is off. It joins sums of gradients into AddN, whose
  order depends on the time that other operations take.
- float32 stays float32 on newer GPUs too. In TF32 the optimizer Muon goes wrong; --mixed asks for
  speed.
"""

import contextlib
import os
import sys
import warnings

from ..errors import KitError
from ..system.variables import PINNED, pin_variables


@contextlib.contextmanager
def _quiet():
    """Silences standard error.

    TensorFlow's libraries write there while they load, before any log level takes effect.
    """
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _prepare() -> None:
    late = "tensorflow" in sys.modules and "TF_ENABLE_ONEDNN_OPTS" not in os.environ
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # 3: fatal errors only
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    if not late:  # TensorFlow reads it once, while it loads
        os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    pin_variables()
    if (
        "segmentation_models" in sys.modules
        and sys.modules["segmentation_models"].framework() != "tf.keras"
    ):
        print(
            "kit: segmentation_models was imported before the kit with another framework; "
            "import kit.tf first",
            file=sys.stderr,
        )
    with _quiet():
        import keras
        import tensorflow as tf

        from .network.precision import starts_onednn
    if keras.config.backend() != PINNED["KERAS_BACKEND"] or tf.keras.__version__[:2] == "2.":
        raise KitError(
            "Keras was imported before the kit and is another than the kit's: backend "
            f"{keras.config.backend()}, tf.keras {tf.keras.__version__}; start Python again with "
            + " ".join(f"{name}={value}" for name, value in PINNED.items())
        )
    tf.get_logger().setLevel("ERROR")
    tf.config.experimental.enable_tensor_float_32_execution(False)
    if not tf.config.list_physical_devices("GPU"):
        tf.config.optimizer.set_experimental_options({"arithmetic_optimization": False})
    asked = tf.config.threading.get_inter_op_parallelism_threads()
    try:
        tf.config.threading.set_inter_op_parallelism_threads(1)
        if asked > 1:
            print(f"kit: inter-op threads are 1 now, not {asked}: equal seeds give equal bytes so")
    except RuntimeError:
        print(
            "kit: TensorFlow ran before the kit was imported, so its threads stay as they are "
            "and two runs may differ",
            file=sys.stderr,
        )
    if late and not starts_onednn() and not tf.config.list_physical_devices("GPU"):
        print(
            "kit: TensorFlow was imported before the kit, so it trains slowly, without oneDNN; "
            "set TF_ENABLE_ONEDNN_OPTS=1 first",
            file=sys.stderr,
        )


_prepare()

# Whoever loads a whole `.keras` file of the kit's network needs its layers, losses and optimizer.
from .network import losses, unet  # noqa: E402, F401
from .training import muon  # noqa: E402, F401
