"""What happens between steps: looking, saving, stopping.

A callback hears when epochs and batches begin and end, and may look at and change the model
through `self.model`. Every callback hears every epoch; hooks for batches cost something only
where a callback has them, and their logs are worked out only for one that listens right now.
"""

from trasluz.base.numbers import clock, duration, measure
from trasluz.callbacks.base import BATCH_HOOKS, Callback, Logs, overrides
from trasluz.callbacks.keeping import BackupAndRestore, ModelCheckpoint
from trasluz.callbacks.listed import CallbackList
from trasluz.callbacks.logs import CSVLogger, LambdaCallback, TensorBoard
from trasluz.callbacks.progress import History, ProgbarLogger
from trasluz.callbacks.watching import (
    EarlyStopping,
    LearningRateScheduler,
    Monitor,
    PruneTrial,
    ReduceLROnPlateau,
    TerminateOnNaN,
    takes_two,
)
from trasluz.metrics.lookup import GREATER_IS_BETTER, SMALLER_IS_BETTER

__all__ = [
    "BATCH_HOOKS",
    "GREATER_IS_BETTER",
    "SMALLER_IS_BETTER",
    "BackupAndRestore",
    "CSVLogger",
    "Callback",
    "CallbackList",
    "EarlyStopping",
    "History",
    "LambdaCallback",
    "LearningRateScheduler",
    "Logs",
    "ModelCheckpoint",
    "Monitor",
    "ProgbarLogger",
    "PruneTrial",
    "ReduceLROnPlateau",
    "TensorBoard",
    "TerminateOnNaN",
    "clock",
    "duration",
    "measure",
    "overrides",
    "takes_two",
]
