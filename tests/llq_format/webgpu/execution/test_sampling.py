"""The buffer of sampled choice, and tokens drawn on a device from given logits."""

import struct

import numpy as np
import pytest

from llq_format.reference.sampling import Sampling, choose
from llq_format.webgpu.execution.executor import Executor
from llq_format.webgpu.execution.opening import Executable, open_device
from llq_format.webgpu.execution.sampling import sample, sampling_words
from llq_format.webgpu.planning.module import kernel_sections
from llq_format.webgpu.planning.operations import sampling_program


def test_words_hold_every_seed_and_the_largest_top_k() -> None:
    words = struct.unpack("<fIfII", sampling_words(Sampling(0.5, 3, 0.25, 0x0123456789ABCDEF)))
    assert words == (0.5, 3, 0.25, 0x89ABCDEF, 0x01234567)
    assert [
        struct.unpack_from("<I", sampling_words(Sampling(1.0, top_k)), 4)[0]
        for top_k in (None, 2**32 - 1, 2**32, 2**32 + 1)
    ] == [0, 2**32 - 1, 2**32 - 1, 2**32 - 1]


@pytest.mark.gpu
def test_a_device_draws_the_tokens_of_the_reference() -> None:
    logits = np.array([1, 3, 2, 3, -1, 0.5], np.float32)
    program = sampling_program(len(logits))
    device = open_device(Executable(program, kernel_sections()))
    executor = Executor(None, program, device, 1)
    executor.write("logits", logits)
    parameters = Sampling(2.0, 5, 0.95, 2**64 - 1)
    expected = [choose(logits.astype(np.float64), parameters, position) for position in range(6, 18)]
    assert sample(executor, parameters, 6, 12) == expected
