"""Where arrays live: NumPy at once, XLA when asked. The only file that names jax.

Everything above works on any array that knows its namespace (`x.__array_namespace__()`), so this
file holds only what the two namespaces do not share: indexed writes, `erf`, loops, compiling.
"""

from __future__ import annotations

import contextlib
import importlib.util
import math
import os
import sys
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache, wraps
from pathlib import Path
from typing import Any

import numpy as np

from trasluz import config
from trasluz.base.forking import runs_threads
from trasluz.base.tree import leaves, tree_map
from trasluz.base.undisturbed import undisturbed
from trasluz.errors import UserError, unknown

ENGINES = ("numpy", "xla")
CHOICES = ("auto", *ENGINES)  # what can be asked for
# From so many multiplications on, NumPy's library (OpenBLAS) works at a product with several
# threads; and from so many on it should. Those between gain at most a third by them, and take ten
# times as long where other programs are running, since the threads wait for each other.
_THREADED, _FOR_THREADS = 2**18, 1e7
_KEPT_PROGRAMS = 2**28
_ALIGNED = 64


def namespace(*args: Any) -> Any:
    """Find the array namespace of the arguments: NumPy unless one of them lives elsewhere."""
    for a in args:
        if type(a) is not np.ndarray and hasattr(a, "__array_namespace__"):
            xp = a.__array_namespace__()
            if xp is not np:
                return xp
    return np


def function(name: str) -> Callable[..., Any]:
    """Give the function of a name, in whatever namespace its arguments are."""
    own = getattr(np, name)

    @wraps(own)
    def call(*args: Any, **params: Any) -> Any:
        xp = namespace(*args)
        return own(*args, **params) if xp is np else getattr(xp, name)(*args, **params)

    return call


def has_xla() -> bool:
    """Tell whether jax is installed, without importing it."""
    return importlib.util.find_spec("jax") is not None


@cache
def _jax() -> Any:
    try:
        with undisturbed():
            import jax
    except ImportError as error:
        raise UserError(
            "the engine 'xla' needs jax, which is not installed",
            mend="pip install 'trasluz[xla]', or use engine='numpy'",
        ) from error
    if jax.config.jax_compilation_cache_dir is None and (folder := _program_folder()):
        jax.config.update("jax_compilation_cache_dir", str(folder))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.1)
    return jax


def on_processor() -> bool:
    """Tell whether XLA computes on the processor itself, with no accelerator."""
    return bool(_jax().default_backend() == "cpu")


def _program_folder() -> Path | None:
    """Give the folder in which XLA keeps compiled programs from one process to the next.

    What was written longest ago is removed once they fill more than `_KEPT_PROGRAMS` bytes.
    """
    cache = config.cache_folder()
    if cache is None:
        return None
    folder = cache / "xla"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        written = {file: file.stat() for file in folder.iterdir()}
        size = sum(stat.st_size for stat in written.values())
        for file in sorted(written, key=lambda file: written[file].st_mtime):
            if size <= _KEPT_PROGRAMS:
                break
            size -= written[file].st_size
            file.unlink()
    except (OSError, RuntimeError):  # no home, no right to write, another process tidies up
        return None
    return folder if os.access(folder, os.W_OK) else None


@cache
def _scipy_erf() -> Any:
    from scipy.special import erf

    return erf


def erf(x: Any) -> Any:
    """Error function, from SciPy or from XLA."""
    return _scipy_erf()(x) if namespace(x) is np else _jax().scipy.special.erf(x)


def convolve(x: Any, w: Any, strides: Any, pads: Any, dilation: Any, spread: Any) -> Any:
    """Slide a kernel over places on XLA; see `windows.convolve`."""
    letters = "DHW"[-len(strides) :]
    layout = f"N{letters}C", f"{letters}IO", f"N{letters}C"
    return _jax().lax.conv_general_dilated(
        x, w, strides, pads, lhs_dilation=spread, rhs_dilation=dilation, dimension_numbers=layout
    )


def product(a: Any, b: Any, precision: str | None = None) -> Any:
    """Matrix product; with "bfloat16" of float32 factors rounded to it, added up in float32.

    bfloat16 is float32 without the last sixteen bits of its fraction; NumPy, which does not know
    it, rounds to the nearest of those numbers, to even where two are as near.
    """
    if precision is None or not a.dtype == b.dtype == np.float32:
        return a @ b
    if namespace(a, b) is not np:
        half = lambda x: x.astype(precision)  # noqa: E731
        return _jax().numpy.matmul(half(a), half(b), preferred_element_type=a.dtype)
    return _rounded(a) @ _rounded(b)


def _rounded(x: Any) -> Any:
    """Round float32 to bfloat16, in float32."""
    bits = np.ascontiguousarray(x).view(np.uint32)
    last = bits >> np.uint32(16) & np.uint32(1)
    kept = (bits + np.uint32(0x7FFF) + last) & np.uint32(0xFFFF0000)
    return np.where(np.isnan(x), x, kept.view(np.float32))


def place(x: Any, index: Any, shape: tuple[int, ...]) -> Any:
    """Put `x` at `index` of an array of zeros; what lands on the same entry adds up."""
    xp = namespace(x, *(index if isinstance(index, tuple) else (index,)))
    if xp is not np:
        return xp.zeros(shape, x.dtype).at[index].add(x)
    zeros = np.zeros(shape, np.asarray(x).dtype)
    np.add.at(zeros, index, x)
    return zeros


def place_slice(x: Any, index: Any, shape: tuple[int, ...]) -> Any:
    """Put `x` at a basic index (whole numbers and slices) of an array of zeros."""
    xp = namespace(x)
    if xp is not np:
        widths = _around(index, shape)
        if widths is None:
            return xp.zeros(shape, x.dtype).at[index].set(x)
        return _jax().lax.pad(x, xp.zeros((), x.dtype), widths)
    zeros = np.zeros(shape, np.asarray(x).dtype)
    zeros[index] = x
    return zeros


def take(x: Any, i: Any, axis: int, table: str = "") -> Any:
    """Look entries up along an axis.

    In a table that has a name, an index outside is a mistake, and none counts from the end: NumPy
    tells it, XLA, which cannot, gives NaN.
    """
    xp = namespace(x, i)
    if not table:
        return xp.take(x, i, axis=axis)
    rows = x.shape[axis]
    if xp is not np:
        return xp.take(x, xp.where(i < 0, rows, i), axis=axis, mode="fill")
    check_indices(i, rows, table)
    return np.take(x, i, axis=axis)


def check_indices(i: Any, rows: int, where: str) -> None:
    """Make sure that numbers, which lie in memory, are rows of a table.

    Raises:
        UserError: if one is not.
    """
    if not i.size or (i.min() >= 0 and i.max() < rows):  # NaN is neither
        return
    raise UserError(
        f"the indices go from {i.min()} to {i.max()}, the table has {rows} rows",
        where,
        "give a larger table, or number the items from 0",
    )


def slice_at(x: Any, at: Any, shape: tuple[int, ...]) -> Any:
    """Read a part of an array at indices that are computed, on XLA."""
    return _jax().lax.dynamic_slice(x, at, shape)


def update_at(x: Any, new: Any, at: Any) -> Any:
    """Write a part of an array at indices that are computed, on XLA."""
    return _jax().lax.dynamic_update_slice(x, new.astype(x.dtype), at)


def _around(index: Any, shape: tuple[int, ...]) -> list[tuple[int, int, int]] | None:
    """Say how many zeros go before, behind and between entries that slices place, by axis.

    `None` if that cannot be said: writing takes twice as long as padding, but does all.
    """
    if not isinstance(index, tuple) or not all(isinstance(part, slice) for part in index):
        return None
    parts = (*index, *[slice(None)] * (len(shape) - len(index)))
    places = [range(n)[part] for n, part in zip(shape, parts, strict=True)]
    if any(not at or at.step < 0 for at in places):
        return None
    return [(at[0], n - 1 - at[-1], at.step - 1) for at, n in zip(places, shape, strict=True)]


def sorted_places(numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sort whole numbers from 0 to 2³² − 1, and say at which place each stood; on NumPy alone.

    Number and place share a word: NumPy sorts words far faster than it finds an order.

    >>> sorted_places(np.array([7, 3, 5]))
    (array([3, 5, 7]), array([1, 2, 0]))
    """
    words = numbers.astype(np.uint64) << np.uint64(32)
    words |= np.arange(numbers.shape[-1], dtype=np.uint64)
    words.sort()
    places = words & np.uint64(0xFFFFFFFF)
    return (words >> np.uint64(32)).astype(np.int64), places.astype(np.int64)


def scan(
    body: Callable[[Any, Any, Any], tuple[Any, Any]],
    carry: Any,
    xs: Any,
    constants: Any,
    reverse: bool,
) -> tuple[Any, Any]:
    """Fold `body(carry, x, constants) -> (carry, y)` over the leading axis of `xs`.

    A loop on NumPy; one `lax.scan` on XLA, so that nothing is unrolled.
    """
    everything = leaves((carry, xs, constants))
    if namespace(*everything) is not np:
        jnp = _jax().numpy
        return _jax().lax.scan(
            lambda c, x: body(c, x, constants), tree_map(jnp.asarray, carry), xs, reverse=reverse
        )
    length = len(leaves(xs)[0])
    outputs = []
    for i in range(length - 1, -1, -1) if reverse else range(length):
        carry, y = body(carry, tree_map(lambda x, i=i: x[i], xs), constants)
        outputs.append(y)
    if reverse:
        outputs.reverse()
    return carry, tree_map(lambda *column: np.stack(column), outputs[0], *outputs[1:])


def loop(going: Callable[[Any], Any], body: Callable[[Any], Any], carry: Any) -> Any:
    """Apply `body` to the carry as long as `going(carry)` is true.

    On XLA the number of turns need not be known when it is compiled, so one program serves for
    any number of them.
    """
    if namespace(*leaves(carry)) is not np:
        return _jax().lax.while_loop(going, body, carry)
    while going(carry):
        carry = body(carry)
    return carry


def rows(tree: Any, order: Any, first: Any, size: int) -> Any:
    """Give so many rows from `first` on of each array, in an order or (`None`) as they stand."""
    if namespace(*leaves(tree), first) is np:
        part = slice(int(first), int(first) + size)
        return tree_map(lambda a: a[part if order is None else order[part]], tree)
    cut, shared = _jax().lax.dynamic_slice_in_dim, _shared()
    if order is None:
        return tree_map(lambda a: shared(cut(a, first, size)), tree)
    chosen = shared(cut(order, first, size))
    return tree_map(lambda a: shared(a.at[chosen].get(mode="promise_in_bounds")), tree)


@dataclass(frozen=True)
class DeviceMesh:
    """XLA on several devices, of this process or of many: an engine like "xla".

    The rows of a batch are split among the devices; parameters, optimizer state and metrics are on
    each. The step is written as for one: what a sum over rows needs of other devices, XLA's
    partitioner adds. Rows need not divide evenly.

    Args:
        mesh: the devices, along one axis.
    """

    mesh: Any

    def placed(self, *axes: str) -> Any:
        """Say where an array lies: on every device, or split along "rows"."""
        sharding = _jax().sharding
        return sharding.NamedSharding(self.mesh, sharding.PartitionSpec(*axes))

    def put(self, x: Any, *axes: str) -> Any:
        """Place an array that all processes hold alike; each copies what its own devices need."""
        x = np.asarray(x)
        return _jax().make_array_from_callback(x.shape, self.placed(*axes), lambda part: x[part])


# The devices that what is being traced will run on: `rows` splits a batch among them.
_SPREAD: ContextVar[DeviceMesh | None] = ContextVar("spread", default=None)


def device_mesh(devices: Any) -> DeviceMesh:
    """Make an engine of several devices.

    Args:
        devices: "all", how many, or a list of their numbers (or of jax's devices).

    Raises:
        UserError: if there are fewer, or those of other processes would have nothing to do.
    """
    there = _jax().devices()
    kind = f"{len(there)} of the kind {there[0].platform!r}"
    if devices == "all":
        chosen = there
    elif isinstance(devices, (int, np.integer)) and not isinstance(devices, bool):
        chosen = there[: max(int(devices), 0)] if devices <= len(there) else []
    elif isinstance(devices, (list, tuple)):
        numbered = dict(enumerate(there))
        chosen = [numbered.get(d) if isinstance(d, int) else d for d in devices]
    else:
        chosen = []
    if not chosen or len({*chosen, None}) != len(chosen) + 1:
        raise UserError(
            f"devices is {devices!r}, and there are {kind}",
            mend="give 'all', a number up to that, or a list of numbers from 0, each once; "
            "XLA_FLAGS=--xla_force_host_platform_device_count=4 makes four of a processor",
        )
    if {d.process_index for d in chosen} != {d.process_index for d in there}:
        raise UserError(
            f"devices is {devices!r}, which leaves some processes without any",
            mend="give devices='all' where several processes train together",
        )
    return DeviceMesh(_jax().sharding.Mesh(np.array(chosen), ("rows",)))


def devices() -> list[str]:
    """List the devices that `spread` can choose from, in the order of their numbers."""
    return [str(device) for device in _jax().devices()]


def _shared() -> Callable[[Any], Any]:
    """Make what splits an array of a traced step among the devices, if it is to run on several."""
    engine = _SPREAD.get()
    if engine is None:
        return lambda x: x
    split = engine.placed("rows")
    return lambda x: _jax().lax.with_sharding_constraint(x, split)


def everywhere(x: Any) -> Any:
    """Let each device work an array out as a whole: to draw it takes less than to exchange it."""
    engine = _SPREAD.get()
    return x if engine is None else _jax().lax.with_sharding_constraint(x, engine.placed())


def split(tree: Any, engine: str | DeviceMesh) -> Any:
    """Give each device its rows of a batch; all rows, where they do not divide evenly."""
    if not isinstance(engine, DeviceMesh):
        return tree
    even = len(leaves(tree)[0]) % engine.mesh.size == 0
    with _width_of(tree):
        return tree_map(lambda x: engine.put(x, *(["rows"] if even else [])), tree)


def join(address: str, count: int, number: int, local: list[int] | None) -> None:
    """Make this process one of several whose devices compute together.

    Args:
        address: host and port of the first process.
        count: how many processes there are.
        number: which this one is.
        local: the accelerators it is to use; all that it sees if `None`.
    """
    jax = _jax()
    jax.distributed.initialize(address, count, number, local)
    with _without_stdout():  # where gloo says whom it has met
        gathered(np.zeros(()))
    if jax.default_backend() == "cpu":
        # The processes have met, and gloo itself tells of one that goes. The service through
        # which they met would end the others from C++, with a stack trace and no exception.
        jax.distributed.shutdown()


@contextlib.contextmanager
def _without_stdout() -> Iterator[None]:
    """Let what libraries write to standard output go nowhere."""
    kept, nowhere = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 1)
        yield
    finally:
        os.dup2(kept, 1)
        os.close(nowhere)
        os.close(kept)


def gathered(x: np.ndarray) -> np.ndarray:
    """Gather an array of each process, along a first axis; every process has to ask for it."""
    engine, program = _gathering()
    of = [device.process_index for device in engine.mesh.devices]
    mine = engine.placed("rows")
    held = _jax().make_array_from_callback((len(of), *x.shape), mine, lambda _: x[None])
    return np.asarray(program(held))[np.unique(of, return_index=True)[1]]


@cache
def _gathering() -> tuple[DeviceMesh, Callable[..., Any]]:
    engine = device_mesh("all")
    return engine, compiled(lambda held: held, engine)


@contextlib.contextmanager
def _width_of(tree: Any) -> Iterator[None]:
    """Let XLA keep float64 when any array of the tree is float64."""
    runs_threads("XLA")
    wide = any(getattr(x, "dtype", None) == np.float64 for x in _jax().tree.leaves(tree))
    with _jax().enable_x64(True) if wide else contextlib.nullcontext():
        yield


def compiled(f: Callable[..., Any], engine: str | DeviceMesh) -> Callable[..., Any]:
    """Give `f` as the engine runs it: itself on NumPy, compiled once a shape on XLA.

    Args:
        f: a pure function of trees of arrays.
        engine: "numpy", "xla", or several devices.
    """
    if engine == "numpy":
        return f
    if isinstance(engine, DeviceMesh):
        return _compiled_for(f, engine)
    if engine != "xla":
        raise unknown("engine", engine, ENGINES)
    program = _jax().jit(f, compiler_options=_compiler_options())

    def run(*args: Any) -> Any:
        with _width_of(args):
            return program(*args)

    return run


def outlined(f: Callable[..., Any], *args: Any) -> Any:
    """Run `f` on shapes alone, as compiling does: zeros in place of what it gives."""
    with _width_of(args):
        shapes = _jax().eval_shape(f, *args)
        return tree_map(lambda s: np.zeros(s.shape, s.dtype), shapes)


@cache
def _compiler_options() -> dict[str, str]:
    """Say which library computes what in our programs on a processor; theirs stay as they are.

    XLA has two for convolutions. With YNNPACK, its usual one, steps of convolutional networks take
    1.2 to 1.4 times as long as with Eigen (docs/speed.md); products and sums stay with YNNPACK. An
    XLA that does not know the option is left as it is.
    """
    if not on_processor():
        return {}
    kinds = ("DOT", "INDIVIDUAL_DOT", "REDUCE")  # without INDIVIDUAL_CONVOLUTION
    names = ",".join(f"LIBRARY_FUSION_TYPE_{kind}" for kind in kinds)
    options = {"xla_cpu_experimental_ynn_fusion_type": names}
    try:
        _jax().jit(lambda: 0, compiler_options=options).lower().compile()
    except (RuntimeError, ValueError, TypeError):
        return {}
    return options


def _compiled_for(f: Callable[..., Any], engine: DeviceMesh) -> Callable[..., Any]:
    """Compile for several devices; what comes out is on each of them."""
    program = _jax().jit(f, out_shardings=engine.placed(), compiler_options=_compiler_options())

    def run(*args: Any) -> Any:
        kept = _SPREAD.set(engine)
        try:
            with _width_of(args):
                return program(*args)
        finally:
            _SPREAD.reset(kept)

    return run


_one_thread: list[bool] = []  # whether that was asked for


@cache
def _blas() -> Any:
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def blas_threads(largest: float) -> contextlib.AbstractContextManager[Any]:
    """Let NumPy work at products on one thread for a while where several would rather hinder.

    Args:
        largest: how many multiplications the largest takes.
    """
    if _THREADED <= largest < _FOR_THREADS:
        return _blas().limit(limits=1, user_api="blas")
    return contextlib.nullcontext()


def threads() -> dict[str, int]:
    """Count what sums of products may be parted by: cores, and threads of NumPy's library."""
    affinity = getattr(os, "sched_getaffinity", None)
    cores = len(affinity(0)) if affinity else os.cpu_count() or 1
    if os.environ.get("NPROC") == "1" and _one_thread:
        return {"cores": 1, "threads": 1}  # more make no difference
    blas = [lib["num_threads"] for lib in _blas().info() if lib["user_api"] == "blas"]
    return {"cores": cores, "threads": max(blas, default=1)}


def compute_on_one_thread() -> None:
    """Let NumPy and XLA add up in one order, however many cores there are, from now on.

    Raises:
        UserError: if XLA is running already: it parts its work by the threads it began with.
    """
    if os.environ.get("NPROC") != "1":
        if "jax" in sys.modules and _jax()._src.xla_bridge.backends_are_initialized():
            raise UserError(
                "XLA is running already, and parts its work among threads",
                "deterministic",
                "ask for it before anything is computed on XLA, first thing in the program",
            )
        os.environ["NPROC"] = "1"  # how many threads XLA takes for its work on a processor
        flags = os.environ.get("XLA_FLAGS", "")
        os.environ["XLA_FLAGS"] = f"{flags} --xla_gpu_deterministic_ops=true".strip()
    _blas().limit(limits=1, user_api="blas")
    _one_thread.append(True)


def vmapped(f: Callable[..., Any], axes: tuple[int | None, ...]) -> Callable[..., Any]:
    """Let `f` compute many cases at once, fit to be compiled on XLA.

    Args:
        f: a pure function of trees of arrays.
        axes: for each argument, the axis along which its arrays hold the cases, or `None` where
            all cases share them. The results hold them along the first.
    """
    return _jax().vmap(f, in_axes=axes)


def room(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """Make an array to be filled, lying in memory so that XLA on a CPU can take it as it is."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    raw = np.empty(size + _ALIGNED, np.uint8)
    start = -raw.ctypes.data % _ALIGNED
    return raw[start : start + size].view(dtype).reshape(shape)


def to_engine(tree: Any, engine: str | DeviceMesh, lent: bool = False) -> Any:
    """Move arrays to where the engine computes.

    Args:
        tree: the arrays.
        engine: "numpy", "xla", or several devices, each of which gets all of them.
        lent: whether nobody writes to them as long as they are in use: one copy less then.
    """
    if engine == "numpy":
        return tree
    with _width_of(tree):
        if isinstance(engine, DeviceMesh):
            return tree_map(lambda x: engine.put(x if lent else np.array(x)), tree)
        there = tree_map(lambda x: _jax().device_put(x, may_alias=lent), tree)
        return there if lent else _jax().block_until_ready(there)  # copies are made on the side


def to_numpy(tree: Any) -> Any:
    """Copy arrays back as NumPy arrays that nothing else writes to."""
    return tree_map(lambda x: x if type(x) is np.ndarray else np.array(x), tree)
