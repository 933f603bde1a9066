"""Pictures are drawn without a screen."""

import io

import numpy as np
from matplotlib.image import imread

from trasluz.drawing.curves import learning_curve


def pixels(png):
    return imread(io.BytesIO(png))


def test_a_learning_curve_draws_both_parts():
    history = {"loss": [3.0, 2.0, 1.5], "val_loss": [3.5, 2.5, 2.4]}
    both = pixels(learning_curve(history, title="a title"))
    alone = pixels(learning_curve({"loss": history["loss"]}, title="a title"))
    orange = np.array([0xD5, 0x5E, 0x00]) / 255
    assert (np.abs(both[..., :3] - orange).max(axis=-1) < 0.02).sum() > 100
    assert (np.abs(alone[..., :3] - orange).max(axis=-1) < 0.02).sum() == 0


def test_each_metric_has_its_own_axes():
    one = pixels(learning_curve({"loss": [1.0]}))
    two = pixels(learning_curve({"loss": [1.0], "accuracy": [0.5], "learning_rate": [0.1]}))
    assert two.shape[1] == 2 * one.shape[1]


def test_pyplot_and_its_windows_stay_away():
    import subprocess
    import sys

    program = (
        "import sys; from trasluz.drawing.curves import learning_curve; "
        "learning_curve({'loss': [1.0]});"
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
