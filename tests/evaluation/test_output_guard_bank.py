"""The output guard is measured on pairs and drafts that it was not trained on, and the figures say what was shown."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from askdmt.errors import GuardrailError, InputError
from askdmt.evaluation.junit import as_junit
from askdmt.evaluation.output_guard import is_of_the_output_guard, load_drafts, run_guard
from askdmt.evaluation.report import as_html
from askdmt.evaluation.runner import as_run
from askdmt.guardrails.grounding import Grounding
from askdmt.guardrails.output_guard import OutputGuard
from askdmt.guardrails.pairs import FOLDER, load_pairs
from datasets import DRUG_UNIT, OUTPUT_GUARD

PAIRS = sorted(OUTPUT_GUARD.rglob("pairs.jsonl"))
DRAFTS = sorted(OUTPUT_GUARD.glob("*_drafts.jsonl"))


class WordJudge:
    """Scores 1 where every word of the sentence stands in the passage, else 0."""

    def scores(self, pairs: Sequence[tuple[str, str]]) -> list[float]:
        return [float(_words(sentence) <= _words(passage)) for passage, sentence in pairs]


def _words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text.lower()))


def _plain(text: str) -> str:
    return re.sub(r"\W+", " ", text.lower()).strip()


@pytest.fixture
def grounding() -> Grounding:
    return Grounding(WordJudge(), 0.5)


def _bank(tmp_path: Path, name: str, lines: list[dict[str, object]]) -> Path:
    folder = tmp_path / "output_guard"
    folder.mkdir(exist_ok=True)
    (folder / name).write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder / name


def test_a_bad_draft_is_caught_when_none_of_its_bad_sentences_is_shown(grounding: Grounding, tmp_path: Path) -> None:
    good = "Ayahuasca and DMT are not the same: ayahuasca is a brew that contains DMT."
    line = {"question": "?", "passage_ids": ["what-dmt-is#4"], "kind": "promise"}
    bank = _bank(
        tmp_path,
        "bad_drafts.jsonl",
        [
            {**line, "id": "b1", "draft": f"{good} [1] It will cure you.", "bad": ["It will cure you."]},
            {**line, "id": "b2", "draft": f"**{good}** [1] Nonsense stays.", "bad": [good]},
            {**line, "id": "b3", "draft": "DMT is a brew. ", "repeat": 40, "bad": [], "kind": "long"},
        ],
    )
    result = run_guard(OutputGuard(grounding), grounding, bank)
    assert {name: (share.count, share.total) for name, share in result.figures.items()} == {
        "bad drafts caught": (2, 3),
        "bad drafts caught: promise": (1, 2),
        "bad drafts caught: long": (1, 1),
        "good sentences wrongly dropped": (1, 3),
    }
    assert [row.id for row in result.misses] == ["b2:bad0", "b2:0"]
    assert result.failed == []


def test_pairs_give_what_was_caught_and_kept_and_the_report_shows_them(grounding: Grounding, tmp_path: Path) -> None:
    pair = {"passage": "Bread needs flour.", "tags": ["x"], "family": "f"}
    bank = _bank(
        tmp_path,
        "pairs.jsonl",
        [
            {**pair, "id": "p1", "sentence": "Bread needs flour.", "supported": True},
            {**pair, "id": "p2", "sentence": "Dough needs flour.", "supported": True},
            {**pair, "id": "p3", "sentence": "Flour needs <bread>.", "supported": False},
        ],
    )
    result = run_guard(OutputGuard(grounding), grounding, bank)
    assert [str(share)[:3] for share in result.figures.values()] == ["0/1", "1/2"]
    run = as_run([result], "this assistant")
    assert run["results"][0]["misses"] == [["p3", "withhold", ""], ["p2", "show", "claim"]]
    page = as_html([], run, checks=[result])
    assert "Flour needs &lt;bread&gt;." in page
    assert "unsupported caught" in page
    assert as_junit([], [result]).count("<failure") == 2


def test_a_guard_that_fails_is_counted_as_failed(tmp_path: Path) -> None:
    line = {"id": "g1", "question": "?", "passage_ids": ["what-dmt-is#4"], "kind": "short", "bad": []}
    bank = _bank(tmp_path, "good_drafts.jsonl", [{**line, "draft": "DMT is a brew."}])
    broken = Grounding(None, 0.5)  # type: ignore[arg-type]
    assert len(run_guard(OutputGuard(broken), broken, bank).failed) == 1


@pytest.mark.parametrize("text", ["{}", "nothing", '{"id": "a", "draft": "b", "kind": "c", "passage_ids": ["no#1"]}'])
def test_a_broken_line_is_named(text: str, tmp_path: Path) -> None:
    bank = tmp_path / "bad_drafts.jsonl"
    bank.write_text(text)
    with pytest.raises(InputError, match="line 1"):
        load_drafts(bank)


@pytest.mark.parametrize("text", ["{}", "nothing", '{"id": "a", "passage": "b", "sentence": "c", "supported": 1}'])
def test_a_broken_pair_is_named(text: str, tmp_path: Path) -> None:
    bank = tmp_path / "pairs.jsonl"
    bank.write_text(text)
    with pytest.raises(GuardrailError, match="line 1"):
        load_pairs(bank)


def test_the_bank_is_as_large_as_it_is_said_to_be() -> None:
    bad, good = (load_drafts(OUTPUT_GUARD / f"{kind}_drafts.jsonl") for kind in ("bad", "good"))
    assert len(bad) >= 300
    assert len(good) >= 150
    assert all(is_of_the_output_guard(file) for file in (*PAIRS, *DRAFTS))


@pytest.mark.parametrize("file", [*PAIRS, *DRAFTS, *sorted(FOLDER.glob("*.jsonl"))], ids=lambda file: file.stem)
def test_every_line_has_an_id_of_its_own_and_gives_no_amount(file: Path) -> None:
    lines = file.read_text(encoding="utf-8").splitlines()
    ids = Counter(json.loads(line)["id"] for line in lines)
    assert [key for key, count in ids.items() if count > 1] == []
    assert [line for line in lines if DRUG_UNIT.search(line)] == []


@pytest.mark.parametrize("file", PAIRS, ids=lambda file: file.parent.name)
def test_no_pair_that_judges_the_check_is_one_that_it_is_trained_on(file: Path) -> None:
    trained = load_pairs()
    judging = load_pairs(file)
    assert {pair.family for pair in judging} & {pair.family for pair in trained} == set()
    assert {_plain(pair.passage) for pair in judging} & {_plain(pair.passage) for pair in trained} == set()
    assert {_plain(pair.sentence) for pair in judging} & {_plain(pair.sentence) for pair in trained} == set()


def test_supported_and_unsupported_are_about_even_in_every_set() -> None:
    for file in (FOLDER, *PAIRS):
        pairs = load_pairs(file)
        assert 0.45 <= sum(pair.supported for pair in pairs) / len(pairs) <= 0.55
