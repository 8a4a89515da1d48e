"""LLQ: INT4 Llama weights that WebGPU executes as stored. The reference implementation of `spec/`.

import llq_format
with llq_format.open("smollm2-llq") as package:
    weights = package.get_tensor("layers.0.attention.qkv")  # float32 [rows, cols]
"""

from llq_format.format.dequantize import dequantize
from llq_format.format.packing import pack, unpack
from llq_format.format.quantize import PackedTensor, QuantizeError, quantize
from llq_format.metadata.findings import Finding, LLQError, Place
from llq_format.metadata.metadata import Metadata
from llq_format.metadata.model import Model
from llq_format.metadata.tokenizer import TokenizerFiles
from llq_format.package.reader import Package, open  # noqa: A004  # the name that readers of formats have
from llq_format.package.record_writer import TensorPlan
from llq_format.package.writer import PackageWriter, save
from llq_format.validation.validate import validate

__all__ = [
    "Finding",
    "LLQError",
    "Metadata",
    "Model",
    "Package",
    "PackageWriter",
    "PackedTensor",
    "Place",
    "QuantizeError",
    "TensorPlan",
    "TokenizerFiles",
    "dequantize",
    "open",
    "pack",
    "quantize",
    "save",
    "unpack",
    "validate",
]
