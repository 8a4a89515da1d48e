"""The fuzzer: it is reproducible, its readers agree on some mutants, and it finds a planted fault."""

import json
from collections.abc import Iterator
from pathlib import Path
from random import Random
from unittest.mock import patch

import pytest

from llq_format.validation import shards
from tests.fuzzing import campaign, minimize
from tests.fuzzing.__main__ import main
from tests.fuzzing.campaign import Campaign
from tests.fuzzing.corpus import Corpus
from tests.fuzzing.json_tree import Raw, parse, render
from tests.fuzzing.mutations.packages import mutated
from tests.fuzzing.package import METADATA, Kind, Package, load, write
from tests.fuzzing.readers.panel import Panel

pytestmark = pytest.mark.slow

SEED = 20


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    """Return the corpus of an empty directory: small vectors."""
    return Corpus(None)


@pytest.fixture(scope="module")
def panel() -> Iterator[Panel]:
    """Yield the readers."""
    with Panel() as readers:
        yield readers


def test_a_seed_gives_the_same_mutants(corpus: Corpus) -> None:
    def mutants() -> list[Package]:
        rng = Random(SEED)  # noqa: S311  # a seeded generator is wanted
        return [mutated(corpus.pick(rng), rng) for _ in range(50)]

    assert mutants() == mutants()


def test_a_tree_is_written_as_it_was_read() -> None:
    text = '{"a":[1.0,-0,1e2,{"é":"\\n"}],"b":null,"c":true}'.encode()
    assert render(parse(text)) == text


def test_raw_text_takes_the_place_of_a_value() -> None:
    assert render({"a": Raw('1,"a":2'), "b": Raw('"\\u0061"')}) == b'{"a":1,"a":2,"b":"\\u0061"}'


def test_a_package_is_written_with_entries_of_every_kind(tmp_path: Path) -> None:
    package: Package = {"a": b"bytes", "b": Kind.DIRECTORY, "c": Kind.LINK, "d": Kind.FIFO}
    write(package, tmp_path / "package")
    assert load(tmp_path / "package") == package


def test_readers_agree_on_mutants_that_violate_rules_of_most_stages() -> None:
    counts = Campaign(None, SEED).run(400)
    assert counts.disagreements == {}
    areas = {rule.split("-")[1] for rule in counts.first_errors}
    assert {"JSON", "META", "CANON", "PKG", "TENSOR", "PART", "SHARD", "PROG", "WGSL"} <= areas
    assert counts.valid > 0


def test_a_disagreement_is_found_and_a_small_package_is_kept_that_shows_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The fault in one of the readers is planted: another magic. The packages are conforming vectors."""
    unchanged = patch.object(campaign, "mutated", lambda package, _rng: package)
    with patch.object(shards, "MAGIC", b"\x89LLQ\r\n\x1a\x00"), patch.object(minimize, "ATTEMPTS", 100):
        with unchanged, patch.object(Corpus, "pick", lambda corpus, _rng: corpus.smallest_valid()):
            assert main(["--executions", "3", "--directory", str(tmp_path), "--json"]) == 1
        result = json.loads(capsys.readouterr().out)
        verdicts = {"python": "LLQ-SHARD-2", "javascript": "valid", "kit": "valid"}
        assert result["disagreements"] == [{"verdicts": verdicts, "count": 3}]
        kept = [path.parent for path in (tmp_path / "disagreements").glob("*/report.json")]
        assert len(kept) == 1
        assert main(["--read", str(kept[0] / "package")]) == 1
    assert main(["--read", str(kept[0] / "package")]) == 0


def test_a_campaign_goes_on_with_what_an_earlier_one_kept(tmp_path: Path) -> None:
    first = Campaign(tmp_path, SEED)
    first.run(100)
    second = Campaign(tmp_path, SEED + 1)
    assert second.corpus.behaviours == first.corpus.behaviours > 0
    assert len(second.corpus) == len(first.corpus)
    second.run(50)
    assert second.total == 150


@pytest.mark.parametrize("text", [b'{"version":"2.0"}', b"{}", b"[]", b"\xff\xff", b'{"a":1}'])
def test_readers_agree_on_what_is_no_package_at_all(panel: Panel, text: bytes) -> None:
    verdicts = panel.read([{METADATA: text}])[0]
    assert verdicts.agree, verdicts.key
