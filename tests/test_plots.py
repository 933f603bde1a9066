"""Pictures are drawn without a screen."""

import io

import numpy as np
from matplotlib.image import imread

from trasluz.drawing.curves import learning_curve
from trasluz.drawing.figure import as_png, new_figure, tick_text


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


def test_dollar_signs_in_names_are_no_formulas_and_those_of_ticks_are():
    figure, ((axes,),) = new_figure(1, 1)
    axes.set(xscale="log", xlim=(0.02, 0.09), xlabel="$\\frac$", ylabel="a\x1b[2J")
    axes.set_yticks([0, 1], [tick_text("two$ $signs^{"), "b"])
    assert as_png(figure, "pri$ce$s^{").startswith(b"\x89PNG")
    assert figure.get_suptitle() == "pri$ce$s^{" and axes.get_ylabel() == r"a\u001b[2J"
    assert not axes.xaxis.label.get_parse_math()
    formulas = [label for label in axes.get_xticklabels(which="both") if label.get_text()]
    assert formulas and all(label.get_parse_math() for label in formulas)
