"""Keras on jax as a peer that keeps float64, where its own promotion falls back to float32."""

import contextlib
import os
from unittest import mock

os.environ.setdefault("KERAS_BACKEND", "jax")


@contextlib.contextmanager
def keras_in(dtype):
    """Let Keras compute in a floating type, and give it."""
    import jax
    import keras
    from keras.src.backend.common import dtypes

    narrow = {} if dtype == "float64" else dtypes.BIT64_TO_BIT32_DTYPE
    keras.config.set_floatx(dtype)
    try:
        with (
            jax.enable_x64(dtype == "float64"),
            mock.patch.object(dtypes, "BIT64_TO_BIT32_DTYPE", narrow),
        ):
            yield keras
    finally:
        keras.config.set_floatx("float32")
