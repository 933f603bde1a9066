"""A search for settings: the trials of an Optuna study, taken by any number of processes.

A study lies in a database, and every process that searches takes trials from it until there are
as many as asked for. A trial's seed follows from its turn, the first being 0; a trial whose process
is gone is tried again in the same turn, with the same settings.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from trasluz.base.arguments import checks_arguments
from trasluz.base.digest import digest
from trasluz.base.messages import problem
from trasluz.base.tree import leaves
from trasluz.callbacks.progress import StatusLine
from trasluz.callbacks.watching import EarlyStopping, PruneTrial
from trasluz.errors import unknown
from trasluz.models import intake
from trasluz.studies.member import Member, Settings, check_names, named, own_random_numbers
from trasluz.studies.storage import guarded, import_optuna, open_storage, storage_address
from trasluz.training.finite import NonFiniteError

_ENOUGH = 10  # trials to say which settings matter
_TRIES = 4  # of one trial, before it counts as lost
_REPORTS = 20  # of a trial, at most: each asks the database


@checks_arguments("batch_size", "epochs", "heartbeat", "trials")
def search(
    model: Any,
    x: Any,
    y: Any,
    space: Mapping[str, Any],
    trials: int = 50,
    storage: Any = None,
    study: str = "search",
    *,
    epochs: int = 1,
    batch_size: int | None = 32,
    validation_data: Any = None,
    sample_weight: Any = None,
    shuffle: bool = True,
    callbacks: Sequence[Any] = (),
    monitor: str | None = None,
    mode: str = "auto",
    seed: int = 0,
    sampler: Any = None,
    pruner: Any = None,
    heartbeat: int = 30,
    about: Mapping[str, Any] | None = None,
    verbose: Any = "auto",
    progress: Callable[[Search], Any] | None = None,
) -> Search:
    """Look for the settings whose trained model measures best; needs the extra `search`.

    Each trial is a training: settings are drawn from the space, by what earlier trials reached,
    and the model is made, fitted and measured. One that falls behind the median of the others is
    given up early. Call it again, or in other processes and on other machines at the same time,
    with the same storage and name, and they go on together until the study has its trials.

    Args:
        model: a compiled model, or a function that gives one and takes settings as arguments.
        x: inputs, in memory.
        y: targets.
        space: for each setting a list of values, or one of `optuna.distributions`. Settings have
            the names that `fit_many` knows: `"learning_rate"`, `"batch_size"`, `"l2"`, arguments of
            the function, fields of layers as in `"dense/units"`.
        trials: how many in the end, in all processes together.
        storage: the address of a database, such as `"sqlite:///study.db"` or
            `"postgresql+psycopg://user@host/name"`; or a storage of Optuna's; in memory if none.
        study: the name of the study in the storage.
        epochs: how many passes over the rows.
        batch_size: rows a step.
        validation_data: `(x, y)` that models are measured on; the training rows if not given.
        sample_weight: weight of each row in the loss.
        shuffle: whether each epoch takes the rows in another order.
        callbacks: heard by every training, one after the other.
        monitor: what is to become best: `val_loss`, or `loss` without validation data.
        mode: "min", "max", or "auto" to tell from the name.
        seed: the n-th trial, counted from 0, trains from seed + n, and its settings are drawn from
            that.
        sampler: chooses settings; `optuna.samplers.TPESampler` if not given.
        pruner: gives trials up; `optuna.pruners.MedianPruner` if not given.
        heartbeat: how often, in seconds, a process says that it is there; a trial of one that has
            been silent for twice as long is tried again.
        about: what else has to be the same when the study is taken up again: names and values.
        verbose: 0 is silent; else how far it is.
        progress: hears of every trial that ends, in place of what `verbose` prints.

    Returns:
        The `Search`, with the study. Ctrl-C ends it early; its trial is taken up again later.

    Raises:
        UserError: if settings, data or storage do not fit.

    >>> from trasluz import Sequential, layers
    >>> line = Sequential([layers.Input((1,)), layers.Dense(1)])
    >>> line.compile("sgd", "mse", engine="numpy")
    >>> x = np.linspace(-1, 1, 8)[:, None]
    >>> found = search(line, x, 2 * x, {"learning_rate": [0.01, 0.3]}, 6, epochs=9, verbose=0)
    >>> found.study.best_params, found.done
    ({'learning_rate': 0.3}, 6)
    """
    if not isinstance(trials, (int, np.integer)) or trials < 1:
        raise problem("search-trials", trials=repr(trials))
    result = Search(
        model, x, y, space, int(trials), seed, monitor, mode, callbacks,
        epochs=epochs, batch_size=batch_size, validation_data=validation_data,
        sample_weight=sample_weight, shuffle=shuffle,
    )  # fmt: skip
    line = StatusLine()

    def show(result: Search) -> None:
        if verbose:
            line.show(_news(result))

    try:
        result.open(storage, study, sampler, pruner, heartbeat, dict(about or {}))
        result.run(progress or show)
    finally:
        result.release()
    if verbose and not progress:
        line.end()
    return result


def distribution(low: float, high: float, log: bool = False) -> Any:
    """Give Optuna's distribution of the numbers from low to high, whole ones if both are whole.

    >>> distribution(8, 128, log=True)
    IntDistribution(high=128, log=True, low=8, step=1)
    """
    kinds = import_optuna().distributions
    whole = isinstance(low, int) and isinstance(high, int)
    return (kinds.IntDistribution if whole else kinds.FloatDistribution)(low, high, log=log)


class Search:
    """What `search` works on and gives back.

    Attributes:
        study: Optuna's own; its trials have what was tried and reached.
        interrupted: whether Ctrl-C ended it.
        waiting: how many trials of other processes it waits for.
    """

    study: Any
    storage: Any = None

    def __init__(
        self,
        model: Any,
        x: Any,
        y: Any,
        space: Mapping[str, Any],
        trials: int,
        seed: int,
        monitor: str | None,
        mode: str,
        callbacks: Sequence[Any],
        **job: Any,
    ) -> None:
        self.optuna = import_optuna()
        sources = list(named(model).values())
        if len(sources) > 1 or "seed" in space:
            raise problem("search-one-model")
        self.source = sources[0]
        check_names(self.source, space)
        self.space = {name: self._distribution(name, choices) for name, choices in space.items()}
        self.trials, self.seed, self.callbacks, self.job = trials, seed, list(callbacks), job
        self.held_out = job["validation_data"]
        self.monitor = monitor or ("loss" if self.held_out is None else "val_loss")
        self.interrupted, self.waiting = False, 0
        with own_random_numbers():  # what does not fit is found before the study is made
            first = Member(self.source, self._drawn(_Lowest(), 0), (), ()).made()
            data = intake.arrays(first, x, y, job["sample_weight"])
            few = data.rows(slice(0, 2))
            known = first.evaluate(few.x, few.y, verbose=0, return_dict=True)
        self.x, self.y, self.example = x, y, data.rows(slice(0, 1)).x
        parts = [data, intake.held_in_memory(first, self.held_out)]
        arrays = [leaves(part and (part.x, part.y, part.w)) for part in parts]
        self.digest = digest(*(one for part in arrays for one in (*part, "|")))
        names = [*known, *(f"val_{name}" for name in known if self.held_out is not None)]
        if self.monitor not in names:
            raise unknown("measure", self.monitor, names)
        self.greater = EarlyStopping(self.monitor, mode=mode).greater_is_better()

    def _distribution(self, name: str, choices: Any) -> Any:
        if isinstance(choices, self.optuna.distributions.BaseDistribution):
            return choices
        if isinstance(choices, str) or not np.iterable(choices) or not len(list(choices)):
            raise problem("search-space", name, given=repr(choices))
        return self.optuna.distributions.CategoricalDistribution(list(choices))

    def open(
        self, storage: Any, name: str, sampler: Any, pruner: Any, heartbeat: int, about: Settings
    ) -> None:
        """Open the study, or make it, and see to it that it is the same search.

        Raises:
            UserError: if it is not, or the storage cannot be reached.
        """
        optuna = self.optuna
        self.storage, self.heartbeat = open_storage(storage, heartbeat), heartbeat
        self.sampler, self.watched = sampler, hasattr(self.storage, "record_heartbeat")
        warmup = self.job["epochs"] // 5
        self.address = storage_address(storage) if isinstance(storage, str) else ""
        space = {k: optuna.distributions.distribution_to_json(d) for k, d in self.space.items()}
        with guarded(self.address):
            self.study = optuna.create_study(
                storage=self.storage,
                study_name=name,
                direction="maximize" if self.greater else "minimize",
                pruner=pruner or optuna.pruners.MedianPruner(5, n_warmup_steps=warmup),
                load_if_exists=True,
            )
            asked = {
                "space": space, "data": self.digest, "monitor": self.monitor, "seed": self.seed,
                "epochs": self.job["epochs"], "batch_size": self.job["batch_size"], **about,
            }  # fmt: skip
            asked = json.loads(json.dumps(asked, default=str))
            before = self.study.user_attrs.get("asked")
            if before is None and self.study.get_trials(deepcopy=False):
                raise problem("search-foreign", name)
            if before is None:
                self.study.set_user_attr("asked", asked)
        for key in asked if before is not None else ():
            if before.get(key) != asked[key]:
                was, now = (_shown(settings.get(key)) for settings in (before, asked))
                raise problem("search-differs", name, setting=key, was=was, now=now)

    def run(self, progress: Callable[[Search], Any]) -> None:
        """Take trials until all are done; wait for those of other processes."""
        try:
            with guarded(self.address), own_random_numbers():
                progress(self)
                while (taken := self._take(progress)) is not None:
                    self._train(*taken)
                    progress(self)
        except KeyboardInterrupt:
            self.interrupted = True

    def release(self) -> None:
        """Close what is open to the database; whoever asks the study again opens it anew."""
        if (engine := getattr(self.storage, "engine", None)) is not None:
            self.storage.remove_session()
            engine.dispose()

    def places(self) -> list[list[Any]]:
        """List for each place its trials: the first one, and those that tried it again."""
        tried: dict[int, list[Any]] = {}
        with guarded(self.address):
            for trial in self.study.get_trials(deepcopy=False):
                tried.setdefault(_place(trial), []).append(trial)
        return [tried[place] for place in sorted(tried)][: self.trials]

    def standing(self) -> list[Any]:
        """List for each place the trial that counts: one that did not fail, if there is one."""
        failed = self.optuna.trial.TrialState.FAIL
        return [next((t for t in tried if t.state != failed), tried[-1]) for tried in self.places()]

    @property
    def done(self) -> int:
        """How many trials have come to an end."""
        return sum(trial.state.name in _ENDED for trial in self.standing())

    @property
    def leading(self) -> Any:
        """Optuna's best trial so far, if one has come to an end."""
        complete = self.optuna.trial.TrialState.COMPLETE
        ended = [trial for trial in self.standing() if trial.state == complete]
        return (max if self.greater else min)(ended, key=lambda t: t.value) if ended else None

    @property
    def best(self) -> Any:
        """Optuna's best trial.

        Raises:
            UserError: if no trial has come to an end.
        """
        leading = self.leading
        if leading is None:
            raise problem("search-none", self.study.study_name)
        return leading

    def importances(self) -> dict[str, float]:
        """Give the part that each setting has in how good trials are, the largest first.

        It takes as many trials as `_ENOUGH` to say something; with fewer there is nothing.
        """
        complete = self.optuna.trial.TrialState.COMPLETE
        values = [trial.value for trial in self.standing() if trial.state == complete]
        if len(values) < _ENOUGH or len(set(values)) < 2:
            return {}
        with guarded(self.address):
            shares = self.optuna.importance.get_param_importances(self.study)
        return {name: float(share) for name, share in shares.items()}

    def _take(self, progress: Callable[[Search], Any]) -> tuple[int, int] | None:
        """Take a trial: its id, and its turn. There is none when all are done."""
        state = self.optuna.trial.TrialState
        while True:
            self.optuna.storages.fail_stale_trials(self.study)
            places, self.waiting = self.places(), 0
            for turn, tried in enumerate(places):
                held = next((trial for trial in tried if trial.state != state.FAIL), None)
                if held is None and _tries(tried[-1]) < _TRIES:
                    self._again(tried[-1], [*_history(tried[-1]), tried[-1].number])
                    break
                if held is not None and held.state == state.WAITING:
                    if self._taken(held._trial_id):
                        return held._trial_id, turn
                    break
                self.waiting += held is not None and held.state == state.RUNNING and self.watched
            else:
                if len(places) < self.trials:
                    self.study.add_trial(self.optuna.create_trial(state=state.WAITING))
                elif not self.waiting:
                    return None
                else:
                    progress(self)
                    time.sleep(min(1.0, self.heartbeat))

    def _taken(self, trial_id: int) -> bool:
        """Try to take a trial; another process may be faster."""
        if self.watched:  # from now on: whoever is killed after taking it was there
            self.storage.record_heartbeat(trial_id)
        try:
            running = self.optuna.trial.TrialState.RUNNING
            return bool(self.storage.set_trial_state_values(trial_id, running))
        except self.optuna.exceptions.UpdateFinishedTrialError:
            return False

    def _again(self, trial: Any, history: list[int]) -> None:
        """Let a trial be tried again, in its place and with its settings."""
        self.study.add_trial(
            self.optuna.create_trial(
                state=self.optuna.trial.TrialState.WAITING,
                params=trial.params,
                distributions=trial.distributions,
                system_attrs={"failed_trial": _place(trial), "retry_history": history},
            )
        )

    @contextlib.contextmanager
    def _beating(self, trial_id: int) -> Iterator[None]:
        """Say now and then that the process is there, where the storage listens to it."""
        if not self.watched:
            yield
            return
        over = threading.Event()

        def beat() -> None:
            while not over.wait(self.heartbeat):
                with contextlib.suppress(Exception):  # the next one may get through
                    self.storage.record_heartbeat(trial_id)

        thread = threading.Thread(target=beat, daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def _train(self, trial_id: int, turn: int) -> None:
        """Train for a trial, and say what it reached."""
        seed = self._seed(turn)
        self.study.sampler = self.sampler or self.optuna.samplers.TPESampler(seed=seed)
        trial, state = self.optuna.trial.Trial(self.study, trial_id), self.optuna.trial.TrialState
        every = math.ceil(self.job["epochs"] / _REPORTS)
        try:
            with self._beating(trial_id):
                trial.set_user_attr("process", f"{socket.gethostname()} {os.getpid()}")
                watching = PruneTrial(trial, self.monitor, every)
                value = self._measured(self._fitted(self._drawn(trial, seed), [watching]))
            if not math.isfinite(value):
                raise NonFiniteError("the measure is not finite")
            self.study.tell(trial, value, skip_if_finished=True)
        except self.optuna.TrialPruned:
            self.study.tell(trial, state=state.PRUNED, skip_if_finished=True)
        except NonFiniteError:
            with contextlib.suppress(self.optuna.exceptions.UpdateFinishedTrialError):
                trial.set_user_attr("diverged", True)
            self.study.tell(trial, state=state.PRUNED, skip_if_finished=True)
        except self.optuna.exceptions.UpdateFinishedTrialError:
            pass  # this process was silent for too long, and another one has tried it again
        except BaseException as error:
            self.study.tell(trial, state=state.FAIL, skip_if_finished=True)
            if isinstance(error, KeyboardInterrupt):
                self._again(tried := self.storage.get_trial(trial_id), _history(tried))
            raise

    def _seed(self, turn: int) -> int:
        """Give the seed of the trial whose turn it is."""
        return (self.seed + turn) % 2**32

    def _drawn(self, trial: Any, seed: int) -> Settings:
        """Draw the settings of a trial."""
        kinds = self.optuna.distributions
        drawn: Settings = {}
        for name, d in self.space.items():
            if isinstance(d, kinds.CategoricalDistribution):
                drawn[name] = trial.suggest_categorical(name, d.choices)
            elif isinstance(d, kinds.IntDistribution):
                drawn[name] = trial.suggest_int(name, d.low, d.high, step=d.step, log=d.log)
            else:
                drawn[name] = trial.suggest_float(name, d.low, d.high, step=d.step, log=d.log)
        return {**drawn, "seed": seed}

    def _fitted(self, settings: Settings, listening: Sequence[Any]) -> Any:
        """Make a model and train it."""
        model = Member(self.source, settings, (), ()).built(self.example)
        size = settings.get("batch_size", self.job["batch_size"])
        with np.errstate(all="ignore"):
            model.fit(
                self.x, self.y, **{**self.job, "batch_size": size},
                callbacks=[*self.callbacks, *listening], verbose=0,
            )  # fmt: skip
        return model

    def _measured(self, model: Any) -> float:
        """Measure a model as it is after its training, which may have given it earlier weights."""
        rows = (self.x, self.y) if self.held_out is None else self.held_out
        names = dict(zip(("x", "y", "sample_weight"), rows, strict=False))
        measures = model.evaluate(**names, verbose=0, return_dict=True)
        return float(measures[self.monitor.removeprefix("val_")])

    def settings(self, trial: Any = None) -> Settings:
        """Give the settings of a trial, the best one if none is given, with its seed."""
        trial = trial or self.best
        turns = [place[0].number for place in self.places()]
        return {**trial.params, "seed": self._seed(turns.index(_place(trial)))}

    def model(self, trial: Any = None) -> Any:
        """Train the model of a trial again as it was, the best one's if none is given."""
        with own_random_numbers():
            return self._fitted(self.settings(trial), [])

    def __repr__(self) -> str:
        return f"<Search {self.study.study_name!r}: {self.done} of {self.trials} trials>"


_ENDED = ("COMPLETE", "PRUNED")


def _place(trial: Any) -> int:
    """Give the number that a trial had when it was first tried."""
    return int(trial.system_attrs.get("failed_trial", trial.number))


def _history(trial: Any) -> list[int]:
    """List the trials that ended without a word in its place."""
    return list(trial.system_attrs.get("retry_history", []))


def _tries(trial: Any) -> int:
    return len(_history(trial)) + 1


class _Lowest:
    """A trial that takes the first of all values."""

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        """Give the first."""
        return choices[0]

    def suggest_float(self, name: str, low: Any, high: Any, **_: Any) -> Any:
        """Give the lowest."""
        return low

    suggest_int = suggest_float


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= 80 else text[:79] + "…"


def _news(result: Search) -> str:
    """Say how far it is."""
    best = result.leading
    news = f", best {result.monitor} {best.value:.4g} (trial {best.number})" if best else ""
    return f"{result.done} of {result.trials} trials{news}"
