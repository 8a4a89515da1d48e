"""A small module and a small program, written by hand: legal, and of no use to anyone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vectors.kit.canonical import canonical

if TYPE_CHECKING:
    from vectors.kit.package import Package

Json = Any

STEP_PLAIN = """\
// What a word becomes, on any device.
fn step(word: u32) -> u32 {
  return (word & 255u) + 1u;
}
"""

STEP_PACKED = """\
// The same by a language extension.
fn step(word: u32) -> u32 {
  return dot4U8Packed(word, 1u) + 1u;
}
"""

TOUCH = """\
// touch: target(i) = step(source(i))
struct TouchParameters {
  count: u32,
  factor: f32,
}

@group(0) @binding(0) var<storage, read> touch_source: array<u32>;
@group(0) @binding(1) var<storage, read_write> touch_target: array<u32>;
@group(1) @binding(0) var<uniform> touch_parameters: TouchParameters;

@compute @workgroup_size(64)
fn touch(@builtin(global_invocation_id) id: vec3<u32>) {
  if (id.x < touch_parameters.count) {
    touch_target[id.x] = step(touch_source[id.x]);
  }
}
"""


def section(name: str, text: str, *, portable: bool = True) -> str:
    """Return a section in its frame."""
    if portable:
        return f"//: begin {name}\n{text}//: end {name}\n"
    return f"/*: begin {name}\n{text}end {name} :*/\n"


MODULE = (
    section("step_plain", STEP_PLAIN)
    + section("touch", TOUCH)
    + section("step_packed", STEP_PACKED, portable=False)
)


def variant(name: str, sections: list[str], **members: list[str]) -> dict[str, Json]:
    """Return a variant with the given requirements only."""
    return {"name": name, "features": [], "language": [], "directives": [], "sections": sections, **members}


def dispatch(label: str, source: str, target: str, parameters: int = 0, tokens: Json = 1) -> dict[str, Json]:
    """Return a dispatch of `touch`."""
    return {
        "label": label,
        "entry_point": "touch",
        "bindings": [source, target],
        "parameters": parameters,
        "workgroups": [1, tokens, 1],
    }


def buffer(
    size: int, purpose: str = "activation", per_position: int = 0, init: str = "zero"
) -> dict[str, Json]:
    """Return a buffer."""
    return {"purpose": purpose, "bytes": size, "bytes_per_position": per_position, "init": init}


def program(package: Package, chunk: int = 3) -> dict[str, Json]:
    """Return a program for a package with a model."""
    model, tensors = package.metadata["model"], package.metadata["tensors"]
    parts = {tensor["name"]: tensor["parts"][0] for tensor in tensors}
    each_token = {"tokens_per_workgroup": 1}
    vocab, head_dim = model["vocab_size"], model["head_dim"]
    return {
        "version": "1.0",
        "chunk": chunk,
        "context_length": model["context_length"],
        "kv_cache": "f16",
        "variants": [
            variant("portable", ["step_plain", "touch"]),
            variant(
                "packed-dot",
                ["step_packed", "touch"],
                language=["packed_4x8_integer_dot_product"],
                directives=["requires packed_4x8_integer_dot_product;"],
            ),
        ],
        "weights": {
            name: {"shard": 0, "offset": parts[name]["offset"], "size": 16} for name in ("embedding", "norm")
        },
        "buffers": {
            "state": buffer(256, "state"),
            "sampling": buffer(256, "state"),
            "tokens": buffer(4 * chunk),
            "x": buffer(4 * chunk * model["hidden_size"]),
            "logits": buffer(4 * vocab),
            "all_logits": buffer(4 * chunk * vocab),
            "keys.0": buffer(0, "kv_cache", 2 * head_dim * model["num_kv_heads"]),
            "rope": buffer(0, "table", 4 * head_dim, "rope"),
        },
        "pipelines": {"touch": ["read", "read_write"]},
        "parameters": [[4], [5, {"f32": 1e-05}], []],
        "passes": {
            "prefill": [
                dispatch("embedding", "embedding", "x", 0, each_token),
                dispatch("layers.0.attention.rope", "rope", "keys.0", 2, each_token),
            ],
            "last": [dispatch("norm", "x", "logits", 1)],
            "logits": [dispatch("norm", "x", "all_logits", 1, each_token)],
            "greedy": [dispatch("choice", "logits", "state")],
            "sample": [
                dispatch("choice.sample", "logits", "state"),
                dispatch("choice", "sampling", "tokens"),
            ],
            "decode": [dispatch("embedding", "embedding", "x"), dispatch("norm", "x", "logits", 1)],
        },
    }


def with_program(package: Package, value: Json | None = None, module: str | bytes = MODULE) -> Package:
    """Attach a module and a program, by default those of this file."""
    module = module.encode() if isinstance(module, str) else module
    text = canonical(program(package) if value is None else value).encode()
    package.attach("module", "vector.wgsl", module)
    return package.attach("program", "program.json", text)
