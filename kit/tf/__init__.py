"""The only part of the kit that imports TensorFlow.

The import loads TensorFlow quietly and sets what must be set before TensorFlow's first op:

- segmentation-models takes Keras 3's names (SM_FRAMEWORK=tf.keras).
- There is one inter-op thread. With it, training on a CPU gave the same bytes in every run and took
  no longer.
- oneDNN is on. TensorFlow leaves it off on CPUs without AVX512_VNNI or the like, where it makes
  training 1.4 times as fast.
- float32 stays float32 on newer GPUs too. In TF32 the optimizer Muon goes wrong; --mixed asks for
  speed.
"""

import contextlib
import os
import sys
import warnings


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
    os.environ["SM_FRAMEWORK"] = "tf.keras"
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
        import tensorflow as tf

        from .network.precision import starts_onednn
    tf.get_logger().setLevel("ERROR")
    tf.config.experimental.enable_tensor_float_32_execution(False)
    try:
        tf.config.threading.set_inter_op_parallelism_threads(1)
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
