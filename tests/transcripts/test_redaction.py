"""What is blacked out of a question before it is kept."""

from __future__ import annotations

from pathlib import Path
from re._constants import BRANCH, MAX_REPEAT, MIN_REPEAT, SUBPATTERN
from re._parser import parse
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from askdmt.errors import ContentError
from askdmt.transcripts.redaction import Pattern, load_patterns, redact

PRIVATE = {
    "e-mail": ["jo.bloggs+x@nhs.example", "jo (at) mail (dot) example", "jo at mail dot example", "jo@mail.example.uk"],
    "number": [
        "07911 123456", "+44 (0)20 7946 0958", "555-123-4567", "943 476 5919", "9434765919", "RXX1234567",
        "０７９１１ １２３４５６", "07\u200b911123456", "4111 1111 1111 1111", "1000-205",
    ],
    "date": [
        "12/03/1984", "12.3.84", "1984-03-12", "12 - 03 - 1984", "12th of March 1984", "March 12, 1984", "3. März 1970",
        "3 de marzo de 1970", "12 mars 1984", "12 marca 1984", "12 maart 1984", "12 de março de 1984",
    ],
    "postcode": ["SW1A 1AA", "so14 3qr", "M5V 2T6", "D02 X285", "1012 AB", "00-950", "90210"],
    "address on the web": ["https://social.example/anna.b", "www.social.example/anna", "@anna_b"],
    "address": ["12 Baker Street", "Flat 3, 12a Old Mill Lane", "Hauptstraße 12", "rue Victor Hugo 12"],
}  # fmt: skip
NAMED = [
    "My name is {}.", "my name's {} and that is it", "I'm {}", "I am {}.", "this is {}", "Dr {} said so", "Ask Mrs. {}",
    "my wife {} is ill", "my therapist is called {}", "Ich heiße {} und", "Je m'appelle {}", "me llamo {}",
    "mi chiamo {}", "ik heet {}", "nazywam się {}", "chamo-me {}", "What is DMT? Thanks, {}",
]  # fmt: skip
HARMLESS = [
    "What is DMT?", "Is DMT legal in the UK?", "The trial of 2026 had 34 people in 2 groups.", "How long does it last?",
    "I'm not sure that I may ask this.", "Does it work for people over 65?", "I am worried, 3 years now.",
    "my doctor says no", "Ist DMT in Deutschland erlaubt?", "call me back", "Look at this site. It is odd.",
]  # fmt: skip


@pytest.mark.parametrize(("kind", "detail"), [(kind, detail) for kind, all_ in PRIVATE.items() for detail in all_])
def test_a_detail_is_blacked_out_and_the_rest_stays(kind: str, detail: str) -> None:
    assert redact(f"Please, {detail} is DMT legal?") == f"Please, [{kind}] is DMT legal?"


@pytest.mark.parametrize("sentence", NAMED)
@pytest.mark.parametrize("name", ["Anna", "Anna-Maria O'Neil Smith", "Łukasz Żak"])
def test_a_name_that_is_introduced_is_blacked_out(sentence: str, name: str) -> None:
    assert redact(sentence.format(name)) == sentence.format("[name]")


def test_a_name_in_small_letters_is_blacked_out_where_only_a_name_can_stand() -> None:
    assert redact("my name is anna and i am low") == "my name is [name] and i am low"


@pytest.mark.parametrize("born", ["born in 1984", "geboren 1984", "dob: 84", "née en 1984"])
def test_a_year_of_birth_is_blacked_out(born: str) -> None:
    assert "84" not in redact(f"I was {born}, is that too old?")


@pytest.mark.parametrize("question", HARMLESS)
def test_a_harmless_question_stays_as_it_is(question: str) -> None:
    expected = question.replace("call me back", "call me [name]")  # rather too much than too little
    assert redact(question) == expected


def test_what_a_terminal_would_obey_is_left_out() -> None:
    assert redact("a\x1b[2Jb\u202ec\ud83d\nd\x00") == "a[2Jbc\nd"


@given(st.text(max_size=300))
def test_any_text_can_be_redacted(text: str) -> None:
    assert "@" not in redact(f"{text}\njo@mail.example").splitlines()[-1]


@pytest.mark.parametrize("pattern", load_patterns(), ids=lambda pattern: pattern.kind)
def test_no_pattern_takes_more_than_linear_time(pattern: Pattern) -> None:
    assert most_steps(parse(pattern.regex.pattern)) < 5_000  # from one place of the text, however long that is


def most_steps(parsed: Any) -> int:
    """Return about how many signs a pattern may look at from one place; endless repetitions count as very many."""
    steps = 1
    for name, what in parsed:
        if name in (MAX_REPEAT, MIN_REPEAT):
            steps += int(what[1]) * most_steps(what[2])
        elif name is SUBPATTERN:
            steps += most_steps(what[-1])
        elif name is BRANCH:
            steps += sum(most_steps(branch) for branch in what[1])
        else:
            steps += 1
    return steps


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("patterns: [{kind: a, pattern: '('}]\ncapital: A\nmonth: may\n", "does not fit"),
        ("patterns: [{kind: a, pattern: '(a)(b)'}]\ncapital: A\nmonth: may\n", "several groups"),
        ("patterns: [{kind: a, pattern: a, why: b}]\ncapital: A\nmonth: may\n", "why"),
    ],
)
def test_a_broken_file_of_patterns_is_named(tmp_path: Path, text: str, problem: str) -> None:
    file = tmp_path / "redaction.yaml"
    file.write_text(text)
    with pytest.raises(ContentError, match=rf"redaction\.yaml.*{problem}"):
        load_patterns(file)
