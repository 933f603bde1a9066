"""What models are fed with: arrays, frames, arrays that stay on disk, or an iterable of batches."""

from trasluz.data.arrays import (
    Arrays,
    Batch,
    OnDisk,
    as_array,
    floats_stay,
    take_rows,
    weights_of_classes,
)
from trasluz.data.parquet import ParquetStream, Piece, first_group
from trasluz.data.streams import Stream, is_stream

__all__ = [
    "Arrays",
    "Batch",
    "OnDisk",
    "ParquetStream",
    "Piece",
    "Stream",
    "as_array",
    "first_group",
    "floats_stay",
    "is_stream",
    "take_rows",
    "weights_of_classes",
]
