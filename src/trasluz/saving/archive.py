"""The format of all files: named arrays and one document, with a checksum over everything."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from trasluz.base.digest import digest
from trasluz.errors import UserError

FORMAT = 1


def pack(arrays: dict[str, np.ndarray], document: dict[str, Any]) -> bytes:
    """Put arrays and a JSON document into the bytes of one file, with a checksum.

    Raises:
        UserError: if there is something in the document that JSON cannot write.
    """
    from safetensors.numpy import save

    arrays = {name: np.array(a, order="C") for name, a in arrays.items()}
    text = json.dumps({"format": FORMAT, **document}, default=_cannot_be_written)
    return save(arrays, {"trasluz": text, "sha256": _checksum(arrays, text)})


def _cannot_be_written(thing: Any) -> NoReturn:
    raise UserError(
        f"a file cannot hold {thing!r}",
        type(thing).__name__,
        "use a function with a name, or a class whose get_config() gives plain data",
    )


def unpack(path: Any) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Read what `pack` made from a file.

    Raises:
        UserError: if the file is missing, cut off, altered, of another kind or of a newer version.
    """
    from safetensors import SafetensorError, safe_open

    path = Path(path)
    if not path.is_file():
        raise UserError("there is no such file", str(path), "check the path")
    try:
        with safe_open(path, framework="np") as file:
            metadata = file.metadata() or {}
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (AttributeError, SafetensorError, TypeError, ValueError, OSError) as error:
        raise UserError(
            f"this is not a whole model file ({error})",
            str(path),
            "it may be cut off or of another kind: copy it again, or train again",
        ) from error
    if "trasluz" not in metadata:
        raise UserError(
            "a safetensors file without Trasluz's document",
            str(path),
            "load it with safetensors and hand the arrays to set_weights",
        )
    try:
        document = json.loads(metadata["trasluz"])
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict) or not isinstance(document.get("format"), int):
        raise _altered(path)
    if document["format"] > FORMAT:
        raise UserError(
            f"the file is of format {document['format']}, this version reads up to {FORMAT}",
            str(path),
            "install a newer version of trasluz",
        )
    if _checksum(arrays, metadata["trasluz"]) != metadata.get("sha256"):
        raise _altered(path)
    return arrays, document


def _altered(path: Path) -> UserError:
    return UserError(
        "the file was altered: its checksum does not fit", str(path), "use an intact copy"
    )


def _checksum(arrays: dict[str, np.ndarray], text: str) -> str:
    return digest(text, *(part for name in sorted(arrays) for part in (f"{name} ", arrays[name])))


def flat(tree: Any, prefix: str) -> dict[str, np.ndarray]:
    """Name the arrays of nested dicts by the keys on the way to them.

    >>> list(flat({"dense/kernel": {"m": np.zeros(1)}}, "slots"))
    ['slots|dense/kernel|m']
    """
    if not isinstance(tree, dict):
        return {prefix: np.asarray(tree)}
    names = {key: key.replace("%", "%25").replace("|", "%7C") for key in tree}
    return {k: v for key in tree for k, v in flat(tree[key], f"{prefix}|{names[key]}").items()}


def nested(arrays: dict[str, np.ndarray], prefix: str) -> dict[str, Any]:
    """Undo `flat`.

    >>> nested(flat({"a|b": {"100%": np.zeros(1)}}, "slots"), "slots")
    {'a|b': {'100%': array([0.])}}
    """
    tree: dict[str, Any] = {}
    for name, array in arrays.items():
        first, *keys = name.split("|")
        if first != prefix:
            continue
        keys = [key.replace("%7C", "|").replace("%25", "%") for key in keys]
        branch = tree
        for key in keys[:-1]:
            branch = branch.setdefault(key, {})
        if not keys or not isinstance(branch, dict):
            raise ValueError(f"the array {name!r} has no place")
        branch[keys[-1]] = array
    return tree
