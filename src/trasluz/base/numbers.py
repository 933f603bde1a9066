"""Numbers as people read them: in tables, in figures, on lines that say how far it is."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from trasluz.base.messages import decimal_sign


def number(value: float | None) -> str:
    """Spell a number for a table with four significant digits.

    >>> number(0.123456), number(12345.6), number(None)
    ('0.1235', '12346', '–')
    """
    if value is None or value != value:
        return "–"
    return f"{value:.0f}" if abs(value) >= 10_000 else f"{value:.4g}"


def about(count: int) -> str:
    """Spell a count with four digits, however large it is.

    >>> about(1_500_000), about(10**5000)
    ('1.5e+06', '1e+5000')
    """
    return f"{count:.4g}" if count < 10**15 else f"1e+{math.log10(count):.0f}"


def in_language(digits: str) -> str:
    """Give digits a real minus, and the decimal sign of the language of messages.

    >>> in_language("-0.5")
    '−0.5'
    """
    return digits.replace("-", "−").replace(".", decimal_sign())


def measure(value: Any) -> str:
    """Write a measured number with four digits.

    >>> measure(0.25), measure(0.00001234)
    ('0.2500', '1.2340e-05')
    """
    value = float(np.mean(value))
    return f"{value:.4f}" if abs(value) > 1e-3 or value == 0 else f"{value:.4e}"


def duration(seconds: float) -> str:
    """Write how long a step takes.

    >>> duration(2), duration(0.012), duration(0.000034)
    ('2s', '12ms', '34us')
    """
    if seconds >= 1:
        return f"{seconds:.0f}s"
    return f"{seconds * 1e3:.0f}ms" if seconds >= 1e-3 else f"{seconds * 1e6:.0f}us"


def clock(seconds: float) -> str:
    """Write a time to wait.

    >>> clock(5), clock(75), clock(3700)
    ('5s', '1:15', '1:01:40')
    """
    whole = int(seconds)
    hours, minutes = whole // 3600, whole // 60
    if hours:
        return f"{hours}:{minutes % 60:02d}:{whole % 60:02d}"
    return f"{minutes}:{whole % 60:02d}" if minutes else f"{whole}s"
