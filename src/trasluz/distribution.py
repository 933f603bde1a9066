"""Several processes, or hosts, that train one model together.

Each runs the same program on the same data and takes its share of every batch. They meet once:
all connect to the first, which tells them where jax's coordinator is. The connections stay open,
for when one of them closes, that process is gone, and the others have to be told which.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import select
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from trasluz.autodiff import backend
from trasluz.errors import UserError

__all__ = ["LostProcess", "initialize", "list_devices", "process_count", "process_index"]

LOST = 75  # the exit code where a process is gone: "try again", in the terms of sysexits.h
_PATIENCE = 120.0  # seconds to wait for the others to come
_GRACE = 10.0  # seconds that a process has to notice itself that another is gone
_NEWS = 5.0  # seconds in which it is known which one
# A host without power closes nothing: after so many seconds without a sign it counts as gone.
_KEEPALIVE = {"TCP_KEEPIDLE": 5, "TCP_KEEPALIVE": 5, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 2}
_NETWORK = re.compile("gloo|nccl|coordination|collective", re.IGNORECASE)

_ADDRESS = "JAX_COORDINATOR_ADDRESS"
_COUNTS = ("JAX_NUM_PROCESSES", "WORLD_SIZE", "OMPI_COMM_WORLD_SIZE", "SLURM_NTASKS")
_NUMBERS = ("JAX_PROCESS_ID", "RANK", "OMPI_COMM_WORLD_RANK", "SLURM_PROCID")
_LOCAL = ("LOCAL_RANK", "OMPI_COMM_WORLD_LOCAL_RANK", "SLURM_LOCALID")


class LostProcess(UserError):
    """A process of those that train together is gone; the others cannot go on without it.

    Attributes:
        number: which one; -1 where that is not known.
        total: of how many.
        epoch: in which epoch, from 1; 0 where none had begun.
    """

    number, total, epoch = -1, 0, 0


class Place(NamedTuple):
    """Where a process stands among those that train together."""

    address: str
    total: int
    number: int
    local: int | None = None  # its number on its own host

    @property
    def host(self) -> str:
        """The host of the first process."""
        return self.address.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        """The port where it waits for the others."""
        return int(self.address.rpartition(":")[2])


def place_in(environment: Mapping[str, str], **given: Any) -> Place:
    """Find out where a process stands from what launchers set.

    The address is `JAX_COORDINATOR_ADDRESS`, else `MASTER_ADDR` and `MASTER_PORT` (torchrun), else
    that of Slurm or Open MPI; the count and the number likewise.

    Args:
        environment: the variables.
        given: `address`, `total` or `number`, where they are known.

    Raises:
        UserError: if something is missing or does not go together; the variables are named.

    >>> place_in({"MASTER_ADDR": "a", "MASTER_PORT": "29500", "WORLD_SIZE": "4", "RANK": "3"})
    Place(address='a:29500', total=4, number=3, local=None)
    """
    address = given.get("address") or _address(environment)
    if address is None:
        raise UserError(
            "where the first process is, is not known",
            _ADDRESS,
            "set it to host:port of that process, or MASTER_ADDR and MASTER_PORT, or start with "
            "torchrun or srun",
        )
    count = _whole(environment, _COUNTS, given.get("total"), "how many processes there are")
    number = _whole(environment, _NUMBERS, given.get("number"), "which process this is")
    if not 0 <= number < count:
        raise UserError(
            f"process {number} of {count} cannot be: they are counted from 0",
            " and ".join(
                _first_set(environment, names) or names[0] for names in (_NUMBERS, _COUNTS)
            ),
            f"give each process a number from 0 to {max(count - 1, 0)} of its own",
        )
    if not re.fullmatch(r".+:\d{1,5}", address) or int(address.rpartition(":")[2]) > 65535:
        raise UserError(
            f"{address!r} is not host:port",
            _ADDRESS,
            "e.g. JAX_COORDINATOR_ADDRESS=node1:1234",
        )
    local = None if "JAX_LOCAL_DEVICE_IDS" in environment else _first_set(environment, _LOCAL)
    return Place(address, count, number, None if local is None else int(environment[local]))


def _first_set(environment: Mapping[str, str], names: tuple[str, ...]) -> str | None:
    return next((name for name in names if environment.get(name)), None)


def _whole(environment: Mapping[str, str], names: tuple[str, ...], given: Any, what: str) -> int:
    name = _first_set(environment, names)
    text = environment[name] if given is None and name else given
    if text is None:
        others = ", ".join(names[1:])
        raise UserError(
            f"{what}, is not known", names[0], f"set it; {others} would do too, launchers set them"
        )
    try:
        return int(text)
    except ValueError:
        raise UserError(
            f"{text!r} is not a whole number",
            name or what,
            "give a number such as 2, or leave it out",
        ) from None


def _address(environment: Mapping[str, str]) -> str | None:
    if address := environment.get(_ADDRESS):
        return address
    if host := environment.get("MASTER_ADDR"):
        port = environment.get("MASTER_PORT", "")
        # torchrun itself listens on that port; the next one is for what it starts.
        agent = environment.get("TORCHELASTIC_USE_AGENT_STORE") == "True" and port.isdigit()
        return f"{host}:{int(port) + 1 if agent else port}"
    if node := re.match(r"([^,\[]+)(?:\[([^,\-\]]+))?", environment.get("SLURM_STEP_NODELIST", "")):
        return f"{node[1]}{node[2] or ''}:{_port(int(environment.get('SLURM_JOB_ID', '0')))}"
    uri = environment.get("OMPI_MCA_orte_hnp_uri", "")
    if first := re.search(r"tcp://(.+?)[,:]|tcp6://\[(.+?)[,\]]", uri):
        return f"{first[1] or f'[{first[2]}]'}:{_port(int(uri.split('.')[0]) >> 12)}"
    return None


def _port(job: int) -> int:
    """Give a port to a job that has only a number, as jax does."""
    return 61440 + job % 4096


class _Company:
    """The processes that have met, and the connections between the first and each other.

    Args:
        place: where this process stands.
        lines: the open connections, by the process at their other end.
    """

    def __init__(self, place: Place, lines: dict[int, socket.socket]) -> None:
        self.place, self.lines = place, lines
        self.lost: int | None = None
        self.known = threading.Event()  # that one is lost
        self.epoch: Callable[[], int] | None = None  # tells which one is trained, while they train
        for line in lines.values():
            _keep_alive(line)
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        """Wait until a connection closes or brings news; then the others are told."""
        numbers = {line: number for number, line in self.lines.items()}
        while numbers and self.lost is None:
            for line in select.select(list(numbers), [], [])[0]:
                try:
                    news = line.recv(64)
                except OSError:
                    news = b""
                self.lost = int(news) if news.strip() else numbers[line]
        self.known.set()
        for number, line in self.lines.items():
            if number != self.lost:
                with contextlib.suppress(OSError):
                    line.sendall(f"{self.lost}\n".encode())
        time.sleep(_GRACE)
        if self.epoch is not None:  # what it waits for will never come, and cannot be interrupted
            sys.stderr.write(f"{self.error()}\n")
            sys.stderr.flush()
            os._exit(LOST)

    def error(self) -> LostProcess:
        """Say who is gone, as soon as that is known, and what to do."""
        self.known.wait(_NEWS)
        lost, total = -1 if self.lost is None else self.lost, self.place.total
        epoch = self.epoch() + 1 if self.epoch else 0
        error = LostProcess(
            f"{f'one of {total} processes' if lost < 0 else f'process {lost} of {total}'} is gone"
            + (f" (in epoch {epoch})" if epoch else ""),
            f"process {self.place.number}",
            "see what it said itself, and start all of them again: the callback BackupAndRestore "
            "goes on from the last checkpoint",
        )
        error.number, error.total, error.epoch = lost, total, epoch
        return error


class _Here:
    """The company of this process; `None` while it is alone."""

    company: _Company | None = None


def _keep_alive(line: socket.socket) -> None:
    line.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEPALIVE.items():
        if hasattr(socket, name):
            line.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def process_index() -> int:
    """Tell which of the processes this is; the first, 0, speaks and writes files."""
    return _Here.company.place.number if _Here.company else 0


def process_count() -> int:
    """Tell how many processes train together."""
    return _Here.company.place.total if _Here.company else 1


def list_devices() -> list[str]:
    """List the devices of all processes, in the order of their numbers in `fit(devices=[…])`."""
    return backend.devices()


def initialize(
    job_addresses: str | None = None,
    num_processes: int | None = None,
    process_id: int | None = None,
    timeout: float = _PATIENCE,
) -> None:
    """Meet the other processes; `fit(devices="all")` trains on the devices of all afterwards.

    To be called before anything is computed on XLA. What is not given is read from the
    environment: see `place_in`.

    Args:
        job_addresses: host and port of the first process, the same for all.
        num_processes: how many there are.
        process_id: which one this is, from 0.
        timeout: how many seconds to wait for the others.

    Raises:
        UserError: if something is missing, does not go together, or somebody does not come.
    """
    if _Here.company is not None:
        raise UserError("the processes have met already", mend="call initialize once")
    given = {"address": job_addresses, "total": num_processes, "number": process_id}
    place = place_in(os.environ, **given)
    lines, port = _met(place, timeout)
    local = None if place.local is None else [place.local]
    host = place.address.rpartition(":")[0]
    backend.join(f"{host}:{port}", place.total, place.number, local)
    _Here.company = _Company(place, lines)


def _met(place: Place, timeout: float) -> tuple[dict[int, socket.socket], int]:
    """Meet the others: the connections, and the port for jax's coordinator."""
    end = time.monotonic() + timeout
    with contextlib.ExitStack() as opened:
        if place.number:
            line = opened.enter_context(_connected(place, end, timeout))
            line.sendall(json.dumps(place[1:3]).encode() + b"\n")
            lines, port = {0: line}, _told(line, place)
        else:
            lines = _all_come(place, end, timeout, opened)
            with socket.create_server(("", 0)) as free:
                port = free.getsockname()[1]
            for line in lines.values():
                line.sendall(f"{port}\n".encode())
        opened.pop_all()
    return lines, port


def _told(line: socket.socket, place: Place) -> int:
    """Hear from the first process that all are there, or what is wrong."""
    answer = json.loads(line.makefile().readline() or '"process 0 is gone: see what it said"')
    if not isinstance(answer, int):
        raise UserError(answer, f"process {place.number}", "start all processes anew")
    return answer


def _all_come(
    place: Place, end: float, timeout: float, opened: contextlib.ExitStack
) -> dict[int, socket.socket]:
    """Wait, as the first, until every other process has come."""
    lines: dict[int, socket.socket] = {}
    with _listening(place) as server:
        while missing := sorted({*range(1, place.total)} - {*lines}):
            server.settimeout(max(end - time.monotonic(), 0.01))
            try:
                line = opened.enter_context(server.accept()[0])
            except TimeoutError:
                raise UserError(
                    f"of {place.total} processes, {len(lines) + 1} came within {timeout:.0f} s; "
                    f"missing: {', '.join(map(str, missing))}",
                    place.address,
                    "start all of them, on hosts that reach this address",
                ) from None
            line.settimeout(_NEWS)
            try:
                total, number = json.loads(line.makefile().readline())
            except (OSError, TypeError, ValueError):  # somebody else knocked
                continue
            line.settimeout(None)
            if total != place.total or number not in missing:
                again = ", where that one is already" if number in lines else ""
                wrong = f"process {number} of {total} came to the first of {place.total}{again}"
                for one in (*lines.values(), line):
                    one.sendall(json.dumps(wrong).encode() + b"\n")
                mend = "tell all of them the same number of processes, and each its own number"
                raise UserError(wrong, place.address, mend)
            lines[number] = line
    return lines


def _listening(place: Place) -> socket.socket:
    both = socket.has_dualstack_ipv6()
    try:
        return socket.create_server(
            ("", place.port),
            family=socket.AF_INET6 if both else socket.AF_INET,
            dualstack_ipv6=both,
        )
    except OSError as error:
        raise UserError(
            f"the port cannot be listened on ({error.strerror})",
            place.address,
            "choose one that is free, the same for all processes",
        ) from error


def _connected(place: Place, end: float, timeout: float) -> socket.socket:
    while True:
        try:
            return socket.create_connection((place.host, place.port))
        except OSError as error:
            if time.monotonic() > end:
                raise UserError(
                    f"the first process did not answer within {timeout:.0f} s ({error})",
                    place.address,
                    "start process 0 on that host, and check the address",
                ) from error
            time.sleep(0.1)


@contextlib.contextmanager
def together(epoch: Callable[[], int]) -> Iterator[None]:
    """Train with the others: only the first is heard, and all say so where one is gone.

    Args:
        epoch: tells which epoch is trained.

    Raises:
        LostProcess: if another process is gone.
    """
    company = _Here.company
    if company is None:
        yield
        return
    company.epoch = epoch
    try:
        with _unheard() if company.place.number else contextlib.nullcontext():
            yield
            meet()
    except Exception as error:
        if is_loss(error):
            raise company.error() from error
        raise
    finally:
        company.epoch = None


@contextlib.contextmanager
def _unheard() -> Iterator[None]:
    with open(os.devnull, "w", encoding="utf-8") as nowhere, contextlib.redirect_stdout(nowhere):
        yield


def is_loss(error: BaseException) -> bool:
    """Tell whether an error is that of a computation which others were to take part in."""
    return (
        _Here.company is not None
        and not isinstance(error, UserError)
        and _NETWORK.search(str(error)) is not None
    )


def meet() -> None:
    """Wait for the other processes."""
    longest(0.0)


def longest(seconds: float) -> float:
    """Give the longest of what the processes have measured: they have to act alike on it."""
    return float(_gathered(np.array(seconds, np.float32)).max())


def agree(what: dict[str, bytes]) -> None:
    """Make sure that all processes start from the same.

    Args:
        what: digests, by the name of what they stand for.

    Raises:
        UserError: if those of another process differ from the first's.
    """
    gathered = _gathered(np.array([np.frombuffer(digest, np.uint8) for digest in what.values()]))
    for number, digests in enumerate(gathered):
        for name, own, first in zip(what, digests, gathered[0], strict=True):
            if not np.array_equal(own, first):
                raise UserError(
                    f"the {name} of process {number} differ from those of process 0",
                    mend="give all processes the same program, data, seed "
                    "(utils.set_random_seed) and checkpoint",
                )


def _gathered(own: np.ndarray) -> np.ndarray:
    """Gather an array of each process, along a first axis."""
    company = _Here.company
    if company is None:
        return own[None]
    try:
        return backend.gathered(own)
    except Exception as error:
        if is_loss(error):
            raise company.error() from error
        raise
