"""Devices of the executor: choice, memory, labels and loss."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import wgpu

import llq_format
from llq_format.metadata.findings import LLQError
from llq_format.reference.generation import Choice, Sampling
from llq_format.webgpu.execution import opening
from llq_format.webgpu.execution.adapters import find_adapter
from llq_format.webgpu.execution.device_errors import DeviceError, DeviceLostError
from llq_format.webgpu.execution.executor import Executor
from llq_format.webgpu.execution.generation import generate
from llq_format.webgpu.execution.opening import (
    Executable,
    executable,
    executor_on,
    open_device,
    open_executor,
)
from llq_format.webgpu.execution.session import Session
from llq_format.webgpu.execution.weights import Weights
from llq_format.webgpu.planning.module import kernel_sections
from llq_format.webgpu.planning.operations import rounding_program
from tests.support.webgpu.executor_models import ADAPTER, executor_of, new_device, tiny_package

pytestmark = pytest.mark.gpu

PROMPT = [3, 1, 4, 1, 5, 9, 2, 6, 5, 35]
KERNELS = Executable(rounding_program("int8", 1, 1), kernel_sections())


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Iterator[llq_format.Package]:
    """Open a small model in several shards."""
    with tiny_package(tmp_path_factory.mktemp("devices")) as opened:
        yield opened


def test_an_unknown_adapter_is_reported_with_the_available_adapters() -> None:
    with pytest.raises(
        DeviceError, match=r"no WebGPU adapter matches 'voodoo2'; the adapters are: .*llvmpipe"
    ):
        find_adapter("voodoo2")


def test_no_adapter_at_all_is_reported_with_what_to_install() -> None:
    with (
        mock.patch.object(wgpu.gpu, "enumerate_adapters_sync", list),
        pytest.raises(DeviceError, match="mesa-vulkan-drivers"),
    ):
        find_adapter(None)


def test_software_adapters_are_found_by_what_people_call_them() -> None:
    assert "llvmpipe" in find_adapter("lavapipe").info["device"]
    assert "SwiftShader" in find_adapter("SwiftShader").info["device"]


def test_a_variant_that_the_adapter_lacks_is_refused() -> None:
    with pytest.raises(
        DeviceError, match="cannot execute variant 'shader-f16': it lacks one of the features"
    ):
        open_device(KERNELS, adapter="swiftshader", variant="shader-f16")
    with pytest.raises(DeviceError, match="no variant 'fastest'; the program has portable, packed-dot"):
        open_device(KERNELS, adapter=ADAPTER, variant="fastest")


@contextmanager
def swapped(section: str, old: str, new: str) -> Iterator[Executable]:
    """Break one of our kernels: the self-test does not test those of others."""
    sections = dict(kernel_sections())
    assert old in sections[section]
    sections[section] = sections[section].replace(old, new)
    with mock.patch.object(opening, "kernel_sections", return_value=sections):
        yield Executable(KERNELS.program, sections)


def test_a_variant_that_computes_wrongly_is_passed_over() -> None:
    with swapped("dot_packed", "dot4I8Packed(a, b)", "dot4I8Packed(b, a) + 1") as wrong:
        assert open_device(wrong, adapter=ADAPTER).variant.name == "portable"
        with pytest.raises(DeviceError, match=r"fails the self-test of every variant \(packed-dot\)"):
            open_device(wrong, adapter=ADAPTER, variant="packed-dot")


def test_a_variant_that_does_not_compile_is_passed_over() -> None:
    with swapped("dot_packed", "fn dot4(", "fn dot4((") as refused:
        assert open_device(refused, adapter=ADAPTER).variant.name == "portable"
        with pytest.raises(DeviceError, match="variant packed-dot of the module does not compile: expected"):
            open_device(refused, adapter=ADAPTER, variant="packed-dot")


def test_a_module_of_a_package_that_does_not_compile_is_a_violation() -> None:
    with swapped("rounding", "fn to_binary16(", "fn to_binary16((") as refused:
        files = replace(refused, module="model.wgsl")
        with pytest.raises(LLQError, match=r"LLQ-WGSL-5: model\.wgsl: found variant ") as error:
            open_device(files, adapter=ADAPTER)
    assert "expected" in error.value.finding.values["problem"]


@pytest.mark.parametrize(
    ("section", "old", "new"),
    [
        ("half_portable", "unpack2x16float(word)", "unpack2x16float(word).yx"),
        ("reduce_portable", "+", "-"),
        ("reduce_portable", "vec2(v, 0.0), lane).x", "vec2(v, 0.0), lane).x + v"),
        ("vector_int8", "127.0 / (power * ", "select(127.0, 0.0, largest > 0x1p+126) / (power * "),
        ("vector_int8", "largest >= 0x1p-100);", "largest >= 0x1p-98);"),
        ("rounding", "let r = inverseSqrt(a);", "let r = select(inverseSqrt(a), 0.0, a > 0x1p+120);"),
        ("activate", "exp(-min(abs(z), vec4(87.0)))", "exp(-min(abs(z), vec4(80.0)))"),
    ],
)
def test_the_self_test_sees_what_computes_wrongly(section: str, old: str, new: str) -> None:
    with (
        swapped(section, old, new) as wrong,
        pytest.raises(DeviceError, match=r"fails the self-test of every variant \(portable\)"),
    ):
        open_device(wrong, adapter=ADAPTER, variant="portable")


def test_weights_reach_the_device_that_passes_the_self_test(package: llq_format.Package) -> None:
    program = executable(package).program
    portable = open_device(executable(package), adapter=ADAPTER, variant="portable")
    expected = list(generate(executor_of(package, device=portable), PROMPT, 4))
    with (
        swapped("dot_packed", "dot4I8Packed(a, b)", "dot4I8Packed(b, a) + 1") as wrong,
        Weights(package, program) as weights,
    ):
        files = replace(wrong, program=program)
        device = open_device(files, adapter=ADAPTER, weights=weights)
        assert device.variant.name == "portable"
        executor = executor_on(package, files, device, None, weights)
    assert list(generate(executor, PROMPT, 4)) == expected


def test_a_lack_of_memory_reports_the_memory_needed(package: llq_format.Package) -> None:
    device = new_device()
    with (
        mock.patch.object(device, "buffer", side_effect=DeviceError("no memory for 'x'")),
        pytest.raises(DeviceError, match=r"no memory for 'x'; all buffers together need \d+ MB"),
    ):
        executor_of(package, device=device)


def test_two_executors_share_a_device(package: llq_format.Package) -> None:
    left, right = executor_of(package), executor_of(package)
    alone = list(generate(left, PROMPT, 6))
    first, second = generate(left, PROMPT, 6), generate(right, PROMPT[::-1], 6)
    reference = list(generate(executor_of(package), PROMPT[::-1], 6))
    pairs = list(zip(first, second, strict=True))
    assert [a for a, _ in pairs] == alone
    assert [b for _, b in pairs] == reference


def test_memory_adds_up(package: llq_format.Package) -> None:
    sizes: list[int] = []
    device = new_device()
    create = device.gpu.create_buffer

    def noted(**options: Any) -> Any:
        if options["label"] != "staging":  # in the memory of the host, and gone when all is uploaded
            sizes.append(options["size"])
        return create(**options)

    with mock.patch.object(device.gpu, "create_buffer", noted):
        executor = executor_of(package, device=device)
    memory = executor.memory()
    assert sum(memory.values()) == sum(sizes)
    assert memory["weights"] == sum(shard.byte_length for shard in package.metadata.shards)
    assert (
        memory["kv_cache"] == 2 * 2 * 2 * 32 * 4 * executor.context
    )  # layers, keys and values, heads, width, f32


@pytest.mark.parametrize("kind", ["create_buffer", "create_bind_group", "create_compute_pipeline"])
def test_everything_has_a_label(package: llq_format.Package, kind: str) -> None:
    device = new_device()
    labels: list[str] = []
    create = getattr(device.gpu, kind)

    def noted(**options: Any) -> Any:
        labels.append(options.get("label", ""))
        return create(**options)

    with mock.patch.object(device.gpu, kind, noted):
        list(generate(executor_of(package, device=device), PROMPT, 2))
    assert labels
    assert all(labels)


def test_dispatches_are_labelled_with_layer_and_operation(package: llq_format.Package) -> None:
    program = executable(package).program
    labels = [dispatch.label for run in program.passes.values() for dispatch in run]
    assert all(labels)
    assert any(label.startswith("layers.1.") for label in labels)


def test_a_damaged_shard_is_refused_before_anything_is_executed(tmp_path: Path) -> None:
    with tiny_package(tmp_path) as package:
        shard = package.directory / package.metadata.shards[1].file
        data = bytearray(shard.read_bytes())
        data[len(data) // 2] ^= 1
        shard.write_bytes(data)
        device = new_device()
        with (
            mock.patch.object(
                device.gpu, "create_command_encoder", wraps=device.gpu.create_command_encoder
            ) as encoded,
            pytest.raises(llq_format.LLQError, match="LLQ-HASH-1"),
        ):
            executor_of(package, device=device)
        assert {call.kwargs["label"] for call in encoded.call_args_list} == {"upload"}


def test_a_damaged_program_or_module_is_refused(tmp_path: Path) -> None:
    with tiny_package(tmp_path) as package:
        entry = package.metadata.program
        assert entry is not None
        path = package.directory / entry.file
        path.write_bytes(path.read_bytes().replace(b'"chunk":128', b'"chunk":127'))
        with pytest.raises(llq_format.LLQError, match="LLQ-HASH"):
            open_executor(package, adapter=ADAPTER)


def test_the_packages_own_module_is_executed(package: llq_format.Package) -> None:
    prepared = executable(package)
    assert prepared.sections is not kernel_sections()
    assert {name: prepared.sections[name] for name in kernel_sections()} == dict(kernel_sections())


def test_a_lost_device_is_reported(package: llq_format.Package) -> None:
    executor = executor_of(package, device=new_device())
    executor.forward(PROMPT)
    executor.device.gpu.destroy()
    for action in (
        lambda: executor.forward([1]),
        lambda: executor.prefill([1]),
        lambda: executor.read("x", 4),
    ):
        with pytest.raises(DeviceLostError, match="the device was lost"):
            action()


class Losing:
    """Makes executors on devices of their own, and knows the last."""

    def __init__(self, package: llq_format.Package) -> None:
        self.package = package
        self.executors: list[Executor] = []

    def __call__(self) -> Executor:
        """Make one more."""
        self.executors.append(executor_of(self.package, device=new_device()))
        return self.executors[-1]


@pytest.mark.parametrize("choice", [None, Choice(Sampling(1.5, seed=11))], ids=["greedy", "drawn"])
@pytest.mark.parametrize("after", [1, 4])
def test_generation_continues_after_one_loss(
    package: llq_format.Package, choice: Choice | None, after: int
) -> None:
    undisturbed = list(generate(executor_of(package), PROMPT, 8, (), choice))
    make = Losing(package)
    stream = Session(make).generate(PROMPT, 8, (), choice)
    tokens = list(islice(stream, after))
    make.executors[-1].device.gpu.destroy()
    assert [*tokens, *stream] == undisturbed
    assert len(make.executors) == 2


def test_a_second_loss_is_an_error(package: llq_format.Package) -> None:
    make = Losing(package)
    stream = Session(make).generate(PROMPT, 12)
    next(stream)
    make.executors[-1].device.gpu.destroy()
    next(stream)
    make.executors[-1].device.gpu.destroy()
    with pytest.raises(DeviceLostError):
        list(stream)


def test_a_new_plan_leaves_the_packages_program_alone(package: llq_format.Package) -> None:
    assert executable(package).program.kv_cache == "f16"
    assert executable(package, kv_cache="f32").program.kv_cache == "f32"
    assert executable(package, chunk=3).program.chunk == 3
