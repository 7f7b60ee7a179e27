"""A sentence is supported when its particulars are the passages' and the trained check agrees."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest

from askdmt.errors import GuardrailError
from askdmt.guardrails.grounding import Grounding, GroundingVerdict, _shipped, load_threshold, supported

PAGE = Path(__file__).parents[2] / "docs" / "grounding.md"
WATER = "Tap water is tested each day. A lab looks for germs. The town must tell people within 24 hours if it is bad."
BREAD = "Bread is made from flour, water and salt. Yeast makes the dough rise."


class ScriptedJudge:
    """Gives every pair the same score and remembers what it read."""

    def __init__(self, score: float = 0.9) -> None:
        self.score = score
        self.read: list[tuple[str, str]] = []

    def scores(self, pairs: Sequence[tuple[str, str]]) -> list[float]:
        self.read += pairs
        return [self.score] * len(pairs)


def test_a_sentence_that_both_agree_on_is_supported() -> None:
    verdict = Grounding(ScriptedJudge(0.8), 0.5).check("A laboratory searches for germs.", [BREAD, WATER])
    assert verdict == GroundingVerdict(True, 0.8, (), "A lab looks for germs.", 1)


def test_a_score_below_the_threshold_is_an_unsupported_claim() -> None:
    verdict = Grounding(ScriptedJudge(0.49), 0.5).check("A laboratory searches for germs.", [WATER])
    assert (verdict.supported, verdict.score, verdict.reasons) == (False, 0.49, ("claim",))


def test_a_wrong_particular_is_never_outvoted_by_the_score() -> None:
    judge = ScriptedJudge(1.0)
    verdict = Grounding(judge, 0.5).check("The town must tell people within 12 hours.", [WATER])
    assert (verdict.supported, verdict.score, verdict.reasons) == (False, 0.0, ("unit",))
    assert judge.read == []


@pytest.mark.parametrize("passages", [[], [""], [" \n"]])
def test_nothing_is_supported_without_a_passage(passages: list[str]) -> None:
    verdict = Grounding(ScriptedJudge(), 0.5).check("Tap water is tested.", passages)
    assert (verdict.supported, verdict.reasons, verdict.passage) == (False, ("no_passage",), -1)


def test_one_passage_is_read_once_and_several_also_together() -> None:
    judge = ScriptedJudge()
    grounding = Grounding(judge, 0.5)
    grounding.check("Tap water is tested.", [WATER])
    assert judge.read == [(WATER, "Tap water is tested.")]
    judge.read.clear()
    grounding.check("Tap water is tested.", [BREAD, WATER])
    assert [passage for passage, _ in judge.read] == [WATER, BREAD, f"{WATER} {BREAD}"]


def test_a_passages_own_sentence_needs_no_judge() -> None:
    claim = "The town must tell people within twenty-four hours if it is bad."
    verdict = Grounding(ScriptedJudge(0.0), 0.5).check(claim, [WATER])
    assert (verdict.supported, verdict.score) == (True, 1.0)


def test_of_a_long_passage_what_is_most_like_the_sentence_is_read() -> None:
    judge = ScriptedJudge()
    long = " ".join([*["Other things are said here at some length."] * 30, WATER])
    Grounding(judge, 0.5).check("Tap water is tested on each day.", [long])
    read = judge.read[0][0]
    assert "Tap water is tested each day." in read
    assert len(read.split()) <= 100


def test_citation_marks_are_no_part_of_the_claim() -> None:
    judge = ScriptedJudge()
    assert Grounding(judge, 0.5).check("Tap water is tested [12].", [WATER]).supported
    assert judge.read[0][1] == "Tap water is tested."


def test_many_are_judged_in_their_order() -> None:
    many = [("Tap water is tested.", [WATER]), ("It has 9 germs.", [WATER]), ("Yeast makes it rise.", [BREAD])]
    verdicts = Grounding(ScriptedJudge(), 0.5).check_many(many)
    assert [verdict.supported for verdict in verdicts] == [True, False, True]


# The check as shipped


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Grounding]]:
    """Put a scripted judge in the shipped check's place; has every check that was loaded."""

    def load() -> Grounding:
        checks.append(Grounding(ScriptedJudge(0.8), 0.5))
        return checks[-1]

    checks: list[Grounding] = []
    monkeypatch.setattr(Grounding, "load", staticmethod(load))
    _shipped.cache_clear()
    yield checks
    _shipped.cache_clear()


def test_the_shipped_check_is_loaded_once_and_says_what_bears_a_sentence_out(loaded: list[Grounding]) -> None:
    verdict = supported("A laboratory searches for germs.", [BREAD, WATER])
    assert verdict == GroundingVerdict(True, 0.8, (), "A lab looks for germs.", 1)
    assert supported("A laboratory found 9 germs.", [WATER]).reasons == ("number",)
    assert len(loaded) == 1


@pytest.mark.usefixtures("loaded")
def test_a_verdict_cannot_be_changed() -> None:
    verdict = supported("A laboratory found 9 germs.", [WATER])
    with pytest.raises(FrozenInstanceError):
        verdict.supported = True  # type: ignore[misc]


@pytest.mark.usefixtures("loaded")
def test_the_example_of_the_docs_runs(capsys: pytest.CaptureFixture[str]) -> None:
    example = re.search(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    assert example
    exec(compile(example[1], PAGE.name, "exec"), {})  # noqa: S102
    assert capsys.readouterr().out.splitlines() == [
        "True 0.8 () Improvement was seen within one week.",
        "True Improvement was seen within a week [1]. ()",
        "False  ('promise',)",
    ]


# The threshold


@pytest.mark.parametrize("text", ["", "threshold: 2", "threshold: high", "threshold: 0.5\nother: 1", "- 0.5"])
def test_a_threshold_that_does_not_fit_names_its_file(text: str, tmp_path: Path) -> None:
    file = tmp_path / "grounding.yaml"
    file.write_text(text)
    with pytest.raises(GuardrailError, match=r"grounding\.yaml"):
        load_threshold(file)
