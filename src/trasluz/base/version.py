"""Which version this is: files say which wrote them."""

__version__ = "0.1.0"
