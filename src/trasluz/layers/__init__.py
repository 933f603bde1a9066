"""Layers under Keras's names; the place of each is the file its family names."""

from trasluz.layers.activation import ELU, Activation, LeakyReLU, PReLU, ReLU, Softmax
from trasluz.layers.base import Layer, registry
from trasluz.layers.core import Dense, Embedding, Identity, InputLayer, Rescaling, SharedBias
from trasluz.layers.merging import (
    Add,
    Average,
    Concatenate,
    Maximum,
    Minimum,
    Multiply,
    Subtract,
    add,
    average,
    concatenate,
    maximum,
    minimum,
    multiply,
    subtract,
)
from trasluz.layers.normalization import BatchNormalization, LayerNormalization, Normalization
from trasluz.layers.recurrent import SimpleRNN
from trasluz.layers.regularization import Dropout, GaussianDropout, GaussianNoise
from trasluz.layers.reshaping import Flatten, Permute, RepeatVector, Reshape
from trasluz.state.registry import serialize
from trasluz.state.symbolic import Input

deserialize = registry.get

__all__ = [
    "ELU",
    "Activation",
    "Add",
    "Average",
    "BatchNormalization",
    "Concatenate",
    "Dense",
    "Dropout",
    "Embedding",
    "Flatten",
    "GaussianDropout",
    "GaussianNoise",
    "Identity",
    "Input",
    "InputLayer",
    "Layer",
    "LayerNormalization",
    "LeakyReLU",
    "Maximum",
    "Minimum",
    "Multiply",
    "Normalization",
    "PReLU",
    "Permute",
    "ReLU",
    "RepeatVector",
    "Rescaling",
    "Reshape",
    "SharedBias",
    "SimpleRNN",
    "Softmax",
    "Subtract",
    "add",
    "average",
    "concatenate",
    "deserialize",
    "maximum",
    "minimum",
    "multiply",
    "serialize",
    "subtract",
]
