"""What goes for a whole program: the floating type, and where compiled programs are kept."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from trasluz.errors import UserError, shown, unknown

FLOATS = ("float32", "float64")
# The floating type of the arrays of layers, by policy.
POLICIES = {"float32": "float32", "float64": "float64", "mixed_bfloat16": "float32"}


class _Config:
    floatx = "float32"
    policy: str | None = None
    most: int | None = None


def floatx() -> str:
    """Name the default floating type.

    >>> floatx()
    'float32'
    """
    return _Config.floatx


def set_floatx(value: str) -> None:
    """Choose the default floating type: "float32" for speed, "float64" for explaining.

    Raises:
        UserError: if it is neither.
    """
    if not isinstance(value, str) or value not in FLOATS:
        raise unknown("floating type", value, FLOATS)
    _Config.floatx = value


def dtype_policy() -> str:
    """Name the policy of layers that are given none.

    >>> dtype_policy()
    'float32'
    """
    return _Config.policy or floatx()


def given_policy() -> str | None:
    """Name the policy that was set; `None` if the default floating type goes."""
    return _Config.policy


def set_dtype_policy(policy: str | None) -> None:
    """Choose the policy of the layers made from now on.

    "mixed_bfloat16" keeps weights, activations, losses and the optimizer in float32, and rounds
    the factors of the layers' matrix products to bfloat16, forwards and backwards, adding up in
    float32: what accelerators are fastest at. `None` goes back to the default floating type.
    (Micikevicius et al. 2018, Mixed precision training; Kalamkar et al. 2019.)

    Raises:
        UserError: if there is no such policy.

    >>> import numpy as np
    >>> from trasluz import layers
    >>> set_dtype_policy("mixed_bfloat16")
    >>> layer = layers.Dense(1, kernel_initializer="ones", use_bias=False)
    >>> set_dtype_policy(None)
    >>> layer(np.array([[1 + 2**-9, 1.0]]))  # bfloat16 has eight digits, in the base of two
    array([[2.]], dtype=float32)
    """
    if policy is not None and (not isinstance(policy, str) or policy not in POLICIES):
        raise unknown("dtype policy", policy, POLICIES)
    _Config.policy = policy


def most_numbers() -> int:
    """Give how many numbers a weight, or what a layer gives for a row, may hold at most.

    It is what was set, else the environment's `TRASLUZ_MOST_NUMBERS`, else 2²⁸: a GiB of float32.
    What is larger is refused before memory is asked for it.

    Raises:
        UserError: if the environment says something else than a positive whole number.

    >>> most_numbers()
    268435456
    """
    if _Config.most is not None:
        return _Config.most
    given = os.environ.get("TRASLUZ_MOST_NUMBERS", "")
    if not given:
        return 2**28
    if not given.isdecimal() or len(given) > 18 or int(given) < 1:
        mend = "give a positive whole number, such as 1000000000, or leave it out"
        raise UserError(f"{shown(given)} is no bound", "TRASLUZ_MOST_NUMBERS", mend)
    return int(given)


def chose_most_numbers() -> bool:
    """Tell whether somebody chose how many numbers there may be."""
    return _Config.most is not None or bool(os.environ.get("TRASLUZ_MOST_NUMBERS"))


def set_most_numbers(most: int | None) -> None:
    """Choose how many numbers a weight, or a row of a layer's, may hold; `None` for the usual.

    Raises:
        UserError: if it is no positive whole number.
    """
    whole = hasattr(most, "__index__") and not isinstance(most, bool)
    if most is not None and (not whole or most < 1):
        raise UserError(f"{shown(most)} is no bound", "set_most_numbers", "give a whole number")
    _Config.most = None if most is None else int(most)


def cache_folder() -> Path | None:
    """Give the folder for what may be lost: `TRASLUZ_CACHE`, else the user's cache folder.

    `None` if `TRASLUZ_CACHE` is set and empty.
    """
    folder = os.environ.get("TRASLUZ_CACHE")
    if folder is not None:
        return Path(folder).expanduser() if folder else None
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or "~/AppData/Local"
    elif sys.platform == "darwin":
        base = "~/Library/Caches"
    else:
        base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "trasluz"
