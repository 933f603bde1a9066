"""Where searches are kept: SQLite or any database that Optuna knows."""

from __future__ import annotations

import contextlib
import time
import warnings
from collections.abc import Iterator
from typing import Any

from trasluz.base.messages import problem

_PATIENCE = 60  # seconds to wait for a database that others write to
_ATTEMPTS = 5  # to open a storage that several processes may be making at the same time


def import_optuna() -> Any:
    """Import Optuna, or say how to get it."""
    try:
        import optuna
    except ModuleNotFoundError:
        raise problem("search-extra") from None
    return optuna


def open_storage(storage: Any, heartbeat: int) -> Any:
    """Open a storage, in which trials can be taken by one process alone.

    Raises:
        UserError: if it cannot be reached.
    """
    optuna = import_optuna()
    if storage in (None, "sqlite://", "sqlite:///:memory:"):
        return optuna.storages.InMemoryStorage()
    if not isinstance(storage, str):
        return storage
    from sqlalchemy import exc, pool

    local = storage.startswith("sqlite")
    kept: dict[str, Any] = {"pool_pre_ping": True}
    if local:
        kept = {"poolclass": pool.NullPool, "connect_args": {"timeout": _PATIENCE}}
    how = {"engine_kwargs": kept, "heartbeat_interval": heartbeat}
    with guarded(storage_address(storage)):
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                opened = optuna.storages.RDBStorage(storage, **how)
                break
            except exc.DBAPIError:
                if attempt == _ATTEMPTS:
                    raise
                time.sleep(0.1 * attempt)
            except (ImportError, exc.NoSuchModuleError) as error:
                raise problem(
                    "storage-driver", storage_address(storage), reason=str(error)
                ) from error
    if local:
        _one_writer(opened.engine)
    return opened


def _one_writer(engine: Any) -> None:
    """Let a transaction have SQLite's file to itself from its beginning, not from what it writes.

    Two processes that read one after the other that a trial is free, and then wrote, would both
    have it. (See SQLAlchemy's documentation of SQLite, on serializable isolation.)
    """
    from sqlalchemy import event

    @event.listens_for(engine, "connect")
    def by_hand(connection: Any, _: Any) -> None:
        connection.isolation_level = None

    @event.listens_for(engine, "begin")
    def at_once(connection: Any) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")


@contextlib.contextmanager
def guarded(address: str) -> Iterator[None]:
    """Keep Optuna's remarks away, and say of a database what is wrong with it."""
    optuna = import_optuna()
    from sqlalchemy import exc

    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            yield
    except (exc.SQLAlchemyError, optuna.exceptions.StorageInternalError) as error:
        reason = str(error.__cause__ or error).strip().split("\n")[0]
        raise problem("storage-lost", address, reason=reason) from error
    finally:
        optuna.logging.set_verbosity(level)


def storage_address(storage: str) -> str:
    """Write the address of a storage without its password.

    Raises:
        UserError: if it is none.
    """
    from sqlalchemy import engine, exc

    try:
        return engine.make_url(storage).render_as_string(hide_password=True)
    except (exc.ArgumentError, ValueError):
        raise problem("storage-wrong", storage.split("@")[-1]) from None
