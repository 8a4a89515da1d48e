"""Chapter Interpretation: its errata proved, its ids, verdicts and links checked.

The proofs use arithmetic written here from the article and the chapters' sentences, and the shader compiler
of wgpu (naga), which needs an adapter: a software one such as lavapipe will do (Debian: mesa-vulkan-drivers
and libvulkan1). One proof asks `node` about JavaScript. A missing tool fails the test: nothing is skipped.
"""

import importlib
import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from fractions import Fraction
from math import ceil
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from tests.support.repository import SPEC

pytestmark = pytest.mark.gpu

wgpu: Any = importlib.import_module("wgpu")  # it ships no types

CHAPTER = (SPEC / "interpretation.md").read_text(encoding="utf-8")

VERDICTS = {
    "adopted",
    "adopted, made exact",
    "narrowed",
    "erratum",
    "out of scope of 1.0",
    "informative, no requirement",
}
SECTIONS = [
    *("0", "1.1", "1.2", "1.3", "2.1", "2.2", "2.3", "3", "4.1", "4.2", "4.3", "5", "5.1", "5.2", "5.3"),
    *("6", "6.1", "6.2", "6.3", "6.4", "6.5", "6.6", "7", "7.1", "7.2", "7.3", "7.4", "7.5"),
    *("8.1", "8.2", "8.3", "9", "10", "11"),  # 0, 10 and 11: introduction, conclusion, resources
]

DEFAULT_LIMITS = {
    "min-storage-buffer-offset-alignment": 256,
    "max-compute-workgroup-storage-size": 16384,
    "max-compute-invocations-per-workgroup": 256,
    "max-compute-workgroup-size-x": 256,
}
MAX_BUFFER_SIZE = 268_435_456
MAX_UNIFORM_BINDING = 65_536
NO_OP = "\n@compute @workgroup_size(64) fn main() {}\n"


# ---- The chapter ----


class Claim(NamedTuple):
    """One row of the chapter's tables of claims."""

    id: str
    claim: str
    verdict: str
    llq: str
    other_formats: str


class Erratum(NamedTuple):
    """One row of the table of errata."""

    ids: list[str]
    wrong: str
    instead: str
    proof: str


def rows(text: str) -> Iterator[list[str]]:
    """Yield the cells of every table row that begins with claim ids."""
    for line in text.splitlines():
        if re.match(r"\| I-\d", line):
            yield [cell.strip() for cell in line.strip().strip("|").split(" | ")]


def split_chapter() -> tuple[str, str]:
    """Return the text before the table of errata, and from it on."""
    before, heading, after = CHAPTER.partition("\n## Errata\n")
    assert heading
    return before, after


def claims() -> list[Claim]:
    claims = [Claim(*cells) for cells in rows(split_chapter()[0])]
    assert len(claims) > 100
    return claims


def errata() -> list[Erratum]:
    errata = [Erratum(cells[0].split(", "), *cells[1:]) for cells in rows(split_chapter()[1])]
    assert len(errata) > 20
    return errata


def test_claim_ids_are_unique_and_numbered_in_order() -> None:
    ids = [claim.id for claim in claims()]
    assert len(ids) == len(set(ids))
    for section in SECTIONS:
        numbers = [int(i.rsplit("-", 1)[1]) for i in ids if i.rsplit("-", 1)[0] == f"I-{section}"]
        assert numbers == list(range(1, len(numbers) + 1)), section


def test_every_section_of_the_article_has_a_claim() -> None:
    sections = [claim.id.removeprefix("I-").rsplit("-", 1)[0] for claim in claims()]
    assert list(dict.fromkeys(sections)) == SECTIONS


def test_every_claim_has_a_verdict_and_an_answer() -> None:
    for claim in claims():
        assert claim.verdict in VERDICTS, claim.id
        assert all(claim), claim.id


def test_every_erratum_is_listed_with_its_proof() -> None:
    listed = [i for erratum in errata() for i in erratum.ids]
    assert sorted(listed) == sorted(claim.id for claim in claims() if claim.verdict == "erratum")
    for erratum in errata():
        proved = re.search(r"`test_\w+`", erratum.proof)
        assert proved or erratum.proof.startswith(("stated by", "by quotation")), erratum.ids


def test_every_test_that_the_chapter_names_exists() -> None:
    tests = set(re.findall(r"`(test_\w+)`", CHAPTER))
    assert len(tests) > 20
    assert tests <= set(globals())


def test_every_rule_that_is_linked_exists_where_the_link_points() -> None:
    registry = json.loads((SPEC / "rules.json").read_text(encoding="utf-8"))
    rules = {rule["id"] for rule in registry["rules"]}
    links = re.findall(r"\[(LLQ-[A-Z]+-\d+)\]\((\w+\.md)\)", CHAPTER)
    assert len(links) > 50
    for rule, chapter in links:
        assert rule in rules, rule
        assert f"**[{rule}]**" in (SPEC / chapter).read_text(encoding="utf-8"), (rule, chapter)
    assert len(links) == len(re.findall(r"LLQ-[A-Z]+-\d+", CHAPTER)), "a rule is named without a link"


def test_every_other_link_leads_somewhere() -> None:
    headings = {
        re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
        for title in re.findall(r"^#+ (.+)$", CHAPTER, flags=re.MULTILINE)
    }
    targets = re.findall(r"\]\(([^)]+)\)", CHAPTER)
    for target in targets:
        file, _, anchor = target.partition("#")
        assert not file or (SPEC / file).is_file(), target
        assert not anchor or file or anchor in headings, target  # of other files: test_specification
    ids = {claim.id for claim in claims()}
    assert set(re.findall(r"I-\d[\d.]*-\d+", CHAPTER)) <= ids


def test_the_chapter_requires_nothing() -> None:
    assert not re.search(r"\b(MUST|SHOULD|SHALL)\b", CHAPTER)


# ---- Packing: the worked example of chapter Bit-interleaved packing under each reading ----

Codes = list[list[int]]


def pack(codes: Codes) -> bytes:
    """Pack 64 x 64 codes as the chapter says: a plane of low bits, then a plane of high bits."""
    planes = bytearray(2048)
    for row in range(64):
        for col in range(64):
            e = 64 * row + col
            planes[e // 4] += codes[row][col] % 4 * 4 ** (e % 4)
            planes[1024 + e // 4] += codes[row][col] // 4 * 4 ** (e % 4)
    return bytes(planes)


def unpack(code_at: Callable[[int], int]) -> Codes:
    """Collect the codes that `code_at` finds for each element e, in row-major order."""
    return [[code_at(64 * row + col) for col in range(64)] for row in range(64)]


def field(data: bytes, index: int, bits: int) -> int:
    """Return field `index` of `bits` bits each, the first at the least significant bits of byte 0."""
    per_byte = 8 // bits
    return int(data[index // per_byte] // 2 ** (bits * (index % per_byte)) % 2**bits)


def field_msb(data: bytes, index: int, bits: int) -> int:
    """Return field `index` of `bits` bits each, the first at the most significant bits of byte 0."""
    per_byte = 8 // bits
    return field(data, index // per_byte * per_byte + per_byte - 1 - index % per_byte, bits)


def transposed(e: int) -> int:
    """Return the place of element e of a block if its elements are counted column by column."""
    return 64 * (e % 64) + e // 64


def split_half(data: bytes, e: int) -> int:
    """Return a nibble as ggml would store it: element i of a row next to element i + 32."""
    row, col = divmod(e, 64)
    return field(data, 2 * (32 * row + col % 32) + col // 32, 4)


def planes_of_a_row(data: bytes, e: int) -> int:
    """Read 'for each row': 16 bytes of low bits, then 16 bytes of high bits."""
    row, col = divmod(e, 64)
    return field(data, 128 * row + col, 2) + 4 * field(data, 128 * row + 64 + col, 2)


READINGS: dict[str, Callable[[bytes, int], int]] = {
    "nibble pairs, even column low": lambda d, e: field(d, e, 4),
    "nibble pairs, even column high": lambda d, e: field_msb(d, e, 4),
    "split halves": split_half,
    "four planes of one bit": lambda d, e: sum(2**b * field(d, 4096 * b + e, 1) for b in range(4)),
    "high plane first": lambda d, e: 4 * field(d, e, 2) + field(d, 4096 + e, 2),
    "most significant bits first": lambda d, e: field_msb(d, e, 2) + 4 * field_msb(d, 4096 + e, 2),
    "planes of each row": planes_of_a_row,
    "rows interleaved": lambda d, e: field(d, transposed(e), 2) + 4 * field(d, 4096 + transposed(e), 2),
}


def llq(data: bytes, e: int) -> int:
    return field(data, e, 2) + 4 * field(data, 4096 + e, 2)


EXAMPLE = [[(row + col) % 16 for col in range(64)] for row in range(64)]
LOPSIDED = [[(row + 3 * col) % 16 for col in range(64)] for row in range(64)]


def test_the_chapters_bytes_of_the_worked_example() -> None:
    data = pack(EXAMPLE)
    assert data[:32].hex() == "e4" * 16 + "39" * 16
    assert data[1024:1032].hex() == "0055aaff0055aaff"
    assert unpack(lambda e: llq(data, e)) == EXAMPLE


@pytest.mark.parametrize("reading", READINGS)
def test_each_rejected_packing_reads_other_codes(reading: str) -> None:
    data = pack(LOPSIDED)
    assert unpack(lambda e: llq(data, e)) == LOPSIDED
    assert unpack(lambda e: READINGS[reading](data, e)) != LOPSIDED
    if reading != "rows interleaved":  # the worked example is symmetric: transposition does not show in it
        example = pack(EXAMPLE)
        assert unpack(lambda e: READINGS[reading](example, e)) != EXAMPLE


def test_a_row_of_a_plane_is_one_vector_load() -> None:
    data = pack(LOPSIDED)
    for row in (0, 1, 63):
        words = np.frombuffer(data, "<u4", count=4, offset=16 * row)
        low = [int(words[col // 16]) >> 2 * (col % 16) & 3 for col in range(64)]
        assert low == [code % 4 for code in LOPSIDED[row]]


# ---- Quantization ----


def test_an_integer_zero_point_in_weight_units_cannot_reach_small_weights() -> None:
    """4.2: x = q * scale + zero_point, for every int8 and every legal scale, weights in -0.02 to 0.02."""
    scales = np.arange(0x0400, 0x7C00, dtype=np.uint16).view(np.float16).astype(np.float64)
    codes = np.arange(16)[:, None] * scales
    for zero_point in range(-128, 128):
        weights = codes + zero_point
        if zero_point == 0:
            assert not np.any(weights < 0), "no negative weight at all"
        else:
            assert np.max(np.sum(np.abs(weights) <= 0.02, axis=0)) <= 1, "one level for all weights"


def test_llq_inverts_the_usual_affine_formula() -> None:
    """Quantization as round(x / scale) + zero_point and weight = scale * (q - zero_point) undo each other."""
    for scale in (Fraction(1, 2), Fraction(1, 16384), Fraction(0x666, 16384)):
        for zero_point in (-128, -3, 0, 7, 8, 127):
            for q in range(16):
                weight = scale * (q - zero_point)
                assert round(weight / scale) + zero_point == q


def test_symmetric_without_eight_has_no_negative_weight() -> None:
    unsigned = [q - 0 for q in range(16)]
    with_eight = [q - 8 for q in range(16)]
    assert min(unsigned) == 0
    assert (min(with_eight), max(with_eight)) == (-8, 7)


def test_binary16_does_not_hold_the_weights() -> None:
    """9: 'Dequantize to FP16' rounds: 1.0009765625 * 3 lies between two binary16 values."""
    exact = np.float32(np.uint16(0x3C01).view(np.float16)) * np.float32(3)
    assert exact == Fraction(1025, 1024) * 3
    assert np.float32(np.float16(exact)) != exact


def test_a_group_of_64_is_not_a_block_of_64_by_64() -> None:
    """6.3: `--group_size 64` of AWQ means one scale for 64 inputs of one row."""
    rows, cols = 4096, 4096
    groups = rows * (cols // 64)
    blocks = (rows // 64) * (cols // 64)
    assert groups == 64 * blocks


# ---- Sizes and geometry ----


def align(n: int) -> int:
    return 256 * ceil(n / 256)


def blocks_of(rows: int, cols: int) -> int:
    return ceil(rows / 64) * ceil(cols / 64)


def record_bytes(rows: int, cols: int) -> int:
    """Return the length of an `int4_affine` record (chapter Shards and records)."""
    n = blocks_of(rows, cols)
    return 256 + align(2 * n) + align(n) + 2048 * n


HIDDEN, WIDTH, LAYERS, VOCAB = 4096, 11008, 32, 32000  # Llama 2 7B, the geometry nearest to the article's
LAYER_MATRICES = [(3 * HIDDEN, HIDDEN), (HIDDEN, HIDDEN), (2 * WIDTH, HIDDEN), (HIDDEN, WIDTH)]
MATRICES = LAYERS * LAYER_MATRICES + [(VOCAB, HIDDEN)]
PACKAGE_BYTES = (
    sum(record_bytes(rows, cols) for rows, cols in MATRICES)
    + align(2 * VOCAB * HIDDEN)  # embedding, f16
    + (2 * LAYERS + 1) * align(2 * HIDDEN)  # norms, f16
    + align(4 * 64)  # rope.inv_freq, f32
)


def test_memory_of_a_7b_model() -> None:
    assert 7e9 * 2 == 14e9
    assert 7e9 / 2 == 3.5e9
    assert PACKAGE_BYTES == 3_571_087_616
    assert round(PACKAGE_BYTES / 2**30, 2) == 3.33
    assert PACKAGE_BYTES > 2e9, "more than the 2 GB of 1.3"


def test_five_gigabytes_end_at_2725_tokens() -> None:
    """4.1: '<= 5 GB VRAM for a 7 B model', with a binary16 cache of keys and values."""
    cache_per_token = LAYERS * 2 * HIDDEN * 2
    assert cache_per_token == 524_288
    assert (5_000_000_000 - PACKAGE_BYTES) // cache_per_token == 2725


def test_one_allocation_for_all_layers_exceeds_the_default_limit() -> None:
    """9: 'reuse a single large allocation for all layers'."""
    assert sum(record_bytes(rows, cols) for rows, cols in MATRICES) > 12 * MAX_BUFFER_SIZE


def test_scales_of_one_layer_exceed_a_uniform_binding() -> None:
    """6.4: one `scales` serves qkv_weights and ffn_weights."""
    assert sum(2 * blocks_of(rows, cols) for rows, cols in LAYER_MATRICES) == 98_816
    assert MAX_UNIFORM_BINDING < 98_816
    assert 2 * blocks_of(128256, 4096) == 256_512  # lm_head of Llama 3 8B alone


def test_weights_as_text_exceed_every_engine() -> None:
    """6.4: the packed words of a 7 B model as WGSL literals of at least two characters ('0,')."""
    words = 512 * sum(blocks_of(rows, cols) for rows, cols in MATRICES)
    assert words == 825_884_672
    assert 2 * words > 536_870_888, "the longest string of V8, of which a module's code is one"
    assert words > 400_000 * 2047, "as many constructors of the guaranteed length"


def parameters(hidden: int, width: int, layers: int, vocab: int) -> int:
    """Return the weights of a dense Llama with full multi-head attention, without norms."""
    return layers * (4 * hidden * hidden + 3 * hidden * width) + 2 * vocab * hidden


def test_thirty_billion_parameters_have_60_layers() -> None:
    assert parameters(4096, 11008, 32, 32000) // 10**8 == 67
    assert parameters(6656, 17920, 60, 32000) // 10**8 == 325
    assert parameters(8192, 22016, 80, 32000) // 10**8 == 652


def llama_4(experts: int, *, moe_every: int) -> int:
    """Return the weights of the text model of a Llama 4 (48 layers, hidden 5120)."""
    hidden, vocab, width, width_mlp, heads, kv_heads, head = 5120, 202048, 8192, 16384, 40, 8, 128
    total = 2 * vocab * hidden + hidden
    for layer in range(48):
        total += (heads + 2 * kv_heads) * head * hidden + hidden * heads * head + 2 * hidden
        moe = layer % moe_every == moe_every - 1
        total += experts * hidden + (experts + 1) * 3 * hidden * width if moe else 3 * hidden * width_mlp
    return total


def test_no_llama_4_has_7_to_70_billion_parameters() -> None:
    assert llama_4(16, moe_every=1) == 107_769_861_120
    assert llama_4(128, moe_every=2) == 400_711_848_960


def test_no_llama_widens_fourfold() -> None:
    assert Fraction(11008, 4096) == Fraction(43, 16)
    assert Fraction(8192, 5120) == Fraction(8, 5)
    assert Fraction(16384, 5120) == Fraction(16, 5)


def test_the_hotspots_count_multiplications_not_flops() -> None:
    """3: a D x D matrix times a vector, counted step by step."""
    d = 8
    multiplications = additions = 0
    for _ in range(3 * d):  # rows of q, k and v
        for _ in range(d):
            multiplications += 1
            additions += 1  # to an accumulator
    assert multiplications == 3 * d * d
    assert multiplications + additions == 6 * d * d
    assert 2 * d * 4 * d == 4 * d * d + d * 4 * d, "up and down, ungated"
    assert 3 * d * 4 * d != 2 * d * 4 * d, "gate, up and down"


# ---- The snippets of section 7 ----

BLOCK_BYTES = 64 * 64 // 2
BLOCK_WORDS = BLOCK_BYTES // 4


def article_word_index(block_idx: int, idx: int) -> int:
    """Index as in 7.3: block_idx * 64 * 64 / 2 + idx."""
    return block_idx * 64 * 64 // 2 + idx


def test_the_tile_of_7_3_is_eight_blocks() -> None:
    assert BLOCK_BYTES == 2048
    assert BLOCK_WORDS == 512
    tile_words = 64 * 64
    assert tile_words == 8 * BLOCK_WORDS
    assert 4 * tile_words == DEFAULT_LIMITS["max-compute-workgroup-storage-size"], "nothing left for a sum"


def test_the_index_of_7_3_counts_bytes_where_it_indexes_words() -> None:
    for block in range(5):
        assert article_word_index(block, 0) == block * BLOCK_BYTES
        assert article_word_index(block, 0) == 4 * block * BLOCK_WORDS
    assert article_word_index(1, 0) // BLOCK_WORDS == 4, "block 1 is read at the place of block 4"


def test_one_word_a_thread_does_not_load_a_block() -> None:
    """7.3 with 7.2: 8 x 8 threads, idx = global_id.x."""
    first_group = {x for x in range(8) for _y in range(8)}
    assert len(first_group) == 8, "of the 512 words of a block, eight are loaded, each eight times"
    second_group = {8 + x for x in range(8)}
    assert not first_group & second_group, "each workgroup fills another part of its own tile"
    threads = DEFAULT_LIMITS["max-compute-invocations-per-workgroup"]
    assert threads < BLOCK_WORDS


def test_7_3_and_7_4_agree_only_on_a_byte_in_each_word() -> None:
    words_of_a_block = article_word_index(1, 0)
    codes_of_a_word = 2  # packed & 0xF and (packed >> 4) & 0xF
    assert words_of_a_block * codes_of_a_word == 64 * 64
    assert 32 // codes_of_a_word == 16, "bits a weight: as large as FP16"


def test_the_decode_of_7_4_differs_on_the_worked_example() -> None:
    words = np.frombuffer(pack(EXAMPLE), "<u4")
    scale, zero_point = 0.5, -3
    article = [scale * (int(word) >> shift & 0xF) for word in words for shift in (0, 4)]
    spec = [scale * (q - zero_point) for row in EXAMPLE for q in row]
    assert spec[:4] == [1.5, 2.0, 2.5, 3.0]
    assert article[:4] == [2.0, 7.0, 2.0, 7.0]
    assert len(article) == len(spec) // 4, "six of the eight codes of a word are dropped"
    assert min(article) >= 0, "no zero_point, no negative weight"


def test_the_decode_of_7_4_differs_on_nibble_pairs_too() -> None:
    """Even packed as 7.4 expects, a weight lacks its zero_point."""
    pairs = bytes(row[col] + 16 * row[col + 1] for row in EXAMPLE for col in range(0, 64, 2))
    article = [0.5 * (byte >> shift & 0xF) for byte in pairs for shift in (0, 4)]
    spec = [0.5 * (q + 3) for row in EXAMPLE for q in row]
    assert [weight - published for weight, published in zip(spec, article, strict=True)] == [1.5] * 4096


def test_the_rule_of_thumb_excludes_its_own_example() -> None:
    """7.2: a size that divides 64 and a wavefront of 32, against an example of 64."""
    allowed = [n for n in range(1, 257) if 64 % n == 0 and 32 % n == 0]
    assert max(allowed) == 32
    assert 8 * 8 * 1 not in allowed


def test_the_profile_report_is_no_json() -> None:
    report = '{"block_times_ms": [1.2, 1.1, 0.9, ...], "memory_usage_mb": 4580, "workgroup_occupancy": 0.78}'
    with pytest.raises(json.JSONDecodeError):
        json.loads(report)
    json.loads(report.replace(", ...", ""))


# ---- JavaScript ----

DEMO_JS = """\
import { WebGPULlama4 } from "./webgpu-llama4.js";

async function main() {
  const model = await WebGPULlama4.loadModel("/webgpu/llama4-7b-int4.wgsl");
  const tokenizer = await WebGPULlama4.createTokenizer("/tokenizer/vocab.json");

  const btn = document.getElementById("run");
  const out = document.getElementById("output");
  btn.onclick = async () => {
    const prompt = (document.getElementById("prompt") as HTMLTextAreaElement).value;
    out.textContent = "⏳ Generating...";
    const result = await model.infer(prompt, { maxTokens: 64, temperature: 0.8 });
    out.textContent = result;
  };
}
main();
"""


def test_demo_js_is_no_javascript(tmp_path: Path) -> None:
    node = shutil.which("node")
    assert node, "this proof needs node"

    def check(name: str, source: str) -> subprocess.CompletedProcess[str]:
        file = tmp_path / name
        file.write_text(source, encoding="utf-8")
        command = [node, "--check", str(file)]
        return subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 (our own file)

    refused = check("demo.mjs", DEMO_JS)
    assert refused.returncode != 0
    assert "SyntaxError: Unexpected identifier" in refused.stderr
    without_type = check("plain.mjs", DEMO_JS.replace(" as HTMLTextAreaElement", ""))
    assert without_type.returncode == 0, without_type.stderr


# ---- WGSL and WebGPU ----


@pytest.fixture(scope="module")
def device() -> Any:
    """Return a device with WebGPU's default limits where a proof depends on them, and shader-f16."""
    adapters = [
        candidate for candidate in wgpu.gpu.enumerate_adapters_sync() if "shader-f16" in candidate.features
    ]
    assert adapters, "the proofs about f16 need an adapter that has it"
    adapter = adapters[0]
    return adapter.request_device_sync(required_features=["shader-f16"], required_limits=DEFAULT_LIMITS)


def accept(device: Any, code: str) -> None:
    device.create_shader_module(code=code + NO_OP)


def refuse(device: Any, code: str, why: str) -> None:
    with pytest.raises(wgpu.GPUValidationError) as refusal:
        device.create_shader_module(code=code + NO_OP)
    assert why in str(refusal.value)


def test_double_bracket_attributes_are_no_wgsl(device: Any) -> None:
    """6.4."""
    refuse(device, "[[group(0), binding(0)]] var<storage, read> qkv_weights : array<u32>;", 'found "["')
    accept(device, "@group(0) @binding(0) var<storage, read> qkv_weights : array<u32>;")


def test_a_uniform_holds_no_runtime_sized_array(device: Any) -> None:
    """6.4: `var<uniform> scales : array<f16>`. The element type does not matter; storage accepts it."""
    why = "'scales' is invalid"
    refuse(device, "enable f16; @group(0) @binding(2) var<uniform> scales : array<f16>;", why)
    refuse(device, "@group(0) @binding(2) var<uniform> scales : array<vec4<u32>>;", why)
    accept(device, "@group(0) @binding(2) var<uniform> scales : array<vec4<u32>, 64>;")
    accept(device, "enable f16; @group(0) @binding(2) var<storage, read> scales : array<f16>;")


def test_f16_needs_its_enable_directive(device: Any) -> None:
    """6.4: the snippet has none."""
    refuse(device, "@group(0) @binding(2) var<storage, read> scales : array<f16>;", "`f16` enable extension")


def test_a_storage_variable_holds_no_constants(device: Any) -> None:
    """6.4: 'a single .wgsl module containing the packed buffers as array<u32> constants'."""
    declaration = "@group(0) @binding(0) var<storage, read> qkv_weights : array<u32, 4>"
    refuse(device, f"{declaration} = array<u32, 4>(1u, 2u, 3u, 4u);", "'qkv_weights' is invalid")
    accept(device, f"{declaration};")
    accept(device, "const QKV_WEIGHTS = array<u32, 4>(1u, 2u, 3u, 4u);")


def test_naga_takes_array_constructors_beyond_the_guaranteed_2047(device: Any) -> None:
    """WGSL guarantees 2047 elements and lets an implementation take more, as naga does: no refusal here."""
    for n in (2047, 2048):
        accept(device, f"const W = array<u32, {n}>({', '.join(['1u'] * n)});")


def test_workgroup_is_an_address_space_not_an_attribute(device: Any) -> None:
    """2.2: '@workgroup storage class'."""
    refuse(device, "@workgroup var tile : array<u32, 4>;", "unknown attribute: `workgroup`")
    accept(device, "var<workgroup> tile : array<u32, 4>;")


LOAD_TILE = """
@group(0) @binding(0) var<storage, read> qkv_weights : array<u32>;
var<workgroup> tile_weights: array<u32, 64 * 64>;
fn load_tile(block_idx: u32) {
  // Each thread loads one 32-bit word
  let idx = global_id.x;
  tile_weights[idx] = qkv_weights[block_idx * 64 * 64 / 2 + idx];
}
"""


def test_global_id_of_7_3_is_undeclared(device: Any) -> None:
    refuse(device, LOAD_TILE, "no definition in scope for identifier: `global_id`")
    accept(device, LOAD_TILE.replace("block_idx: u32", "block_idx: u32, global_id: vec3<u32>"))


DEQUANTIZE = """
enable f16;
@group(0) @binding(2) var<storage, read> scales : array<f16>;
var<workgroup> tile_weights: array<u32, 64 * 64>;
fn dequantize(block_idx: u32, thread_idx: u32) {
let scale = scales[block_idx];
let packed = tile_weights[thread_idx];
let low = packed & 0xF;
let high = (packed >> 4) & 0xF;
let w_low = f32(low) * scale;
let w_high = f32(high) * scale;
}
"""


def test_7_4_multiplies_f32_by_f16(device: Any) -> None:
    refuse(device, DEQUANTIZE, "Function [0] 'dequantize' is invalid")
    accept(device, DEQUANTIZE.replace("= scales[block_idx]", "= f32(scales[block_idx])"))


def test_dequantize_int8_of_5_2_is_wgsl(device: Any) -> None:
    accept(device, "fn dequantize_int8(val: i32, scale: f32) -> f32 {\n    return f32(val) * scale;\n}")


def test_alignment_is_a_limit_on_offsets_of_bindings(device: Any) -> None:
    """5.1: 256 is the default of minStorageBufferOffsetAlignment; a buffer itself has no address."""
    buffer = device.create_buffer(size=1024, usage=wgpu.BufferUsage.STORAGE)
    entry = {"binding": 0, "visibility": wgpu.ShaderStage.COMPUTE, "buffer": {"type": "read-only-storage"}}
    layout = device.create_bind_group_layout(entries=[entry])

    def bind(offset: int) -> None:
        resource = {"buffer": buffer, "offset": offset, "size": 256}
        device.create_bind_group(layout=layout, entries=[{"binding": 0, "resource": resource}])

    for offset in (0, 256, 512):
        bind(offset)
    for offset in (16, 128):
        with pytest.raises(wgpu.GPUValidationError, match="min_storage_buffer_offset_alignment"):
            bind(offset)
    adapter = wgpu.gpu.request_adapter_sync()
    assert adapter.limits["min-storage-buffer-offset-alignment"] <= 256, "a device may do with less"
