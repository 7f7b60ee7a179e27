"""The index on disk: opened while it is current, built again when it is not, and never half built."""

from __future__ import annotations

import json
import multiprocessing
import shutil
from pathlib import Path

import pytest

from askdmt.errors import EncoderError, SearchIndexError
from askdmt.knowledge.index import Index, index_key, open_index
from askdmt.knowledge.sections import Knowledge, load_knowledge
from fakes import BREAD, WATER, FakeEncoder, small_knowledge, write_section

ENTRIES = 6  # two passages and their four questions


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return small_knowledge(tmp_path / "knowledge")


@pytest.fixture
def knowledge(folder: Path) -> Knowledge:
    return load_knowledge(folder)


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def built(knowledge: Knowledge, cache: Path) -> Path:
    """The folder of a finished index."""
    encoder = FakeEncoder()
    open_index(knowledge, encoder, cache)
    return cache / "index" / index_key(knowledge, encoder)


def is_rebuilt(knowledge: Knowledge, cache: Path) -> bool:
    """Open the index; whether that has encoded, and so built, anything."""
    encoder = FakeEncoder()
    assert finds_water(open_index(knowledge, encoder, cache))
    return encoder.calls > 0


def finds_water(index: Index) -> bool:
    (hit,) = index.nearest(FakeEncoder().encode([WATER])[0], 1)
    return len(index) == ENTRIES and (hit.passage, hit.kind) == ("water#1", "passage") and hit.similarity > 0.99


def test_every_passage_and_question_is_found_with_its_cosine(knowledge: Knowledge, cache: Path) -> None:
    encoder = FakeEncoder()
    index = open_index(knowledge, encoder, cache)
    assert finds_water(index)
    hits = index.nearest(encoder.encode(["how is bread made"])[0], ENTRIES)
    assert (hits[0].passage, hits[0].kind) == ("bread#1", "question")
    assert [hit.similarity for hit in hits] == sorted((hit.similarity for hit in hits), reverse=True)
    assert {hit.kind for hit in hits} == {"passage", "question"}
    vectors = encoder.encode(["how is bread made", BREAD])
    passage = next(hit for hit in hits if (hit.passage, hit.kind) == ("bread#1", "passage"))
    assert passage.similarity == pytest.approx(float(vectors[0] @ vectors[1]), abs=1e-3)


def test_a_current_index_opens_without_encoding_again(knowledge: Knowledge, cache: Path) -> None:
    first, second = FakeEncoder(), FakeEncoder()
    open_index(knowledge, first, cache)
    assert sorted(first.texts) == sorted(
        text for passage in knowledge.passages.values() for text in (passage.text, *passage.questions)
    )
    assert finds_water(open_index(knowledge, second, cache))
    assert second.calls == 0


def test_a_rebuild_that_is_asked_for_is_done(knowledge: Knowledge, cache: Path, built: Path) -> None:
    encoder = FakeEncoder()
    assert finds_water(open_index(knowledge, encoder, cache, rebuild=True))
    assert encoder.calls > 0
    assert len([path for path in built.iterdir() if path.is_dir()]) == 1


def test_progress_ends_at_all_entries(knowledge: Knowledge, cache: Path) -> None:
    seen: list[tuple[int, int]] = []
    open_index(knowledge, FakeEncoder(), cache, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (ENTRIES, ENTRIES)


def test_a_question_that_a_passage_has_twice_is_stored_once(folder: Path, cache: Path) -> None:
    write_section(folder, "water", WATER, ["Is tap water clean?", "Is tap water clean?"], order=10)
    knowledge = load_knowledge(folder)
    assert len(open_index(knowledge, FakeEncoder(), cache)) == ENTRIES - 1
    encoder = FakeEncoder()
    open_index(knowledge, encoder, cache)
    assert encoder.calls == 0


# What is encoded again


@pytest.fixture
def many(tmp_path: Path) -> Path:
    """A folder of fifty sections, three entries each."""
    folder = small_knowledge(tmp_path / "many")
    for number in range(50):
        write_section(
            folder, f"town-{number}", f"{WATER} Town {number}.", [f"Is water clean in {number}?"], order=number
        )
    return folder


def test_after_a_change_only_the_changed_section_is_encoded(many: Path, cache: Path) -> None:
    open_index(load_knowledge(many), FakeEncoder(), cache)
    write_section(many, "town-7", "Town seven has a well.", ["Has town seven a well?"], order=7)
    encoder = FakeEncoder()
    index = open_index(load_knowledge(many), encoder, cache)
    assert sorted(encoder.texts) == ["Has town seven a well?", "Town seven has a well."]
    assert index.nearest(FakeEncoder().encode(["Has town seven a well?"])[0], 1)[0].passage == "town-7#1"
    (hit,) = index.nearest(FakeEncoder().encode([f"{WATER} Town 8."])[0], 1)
    assert (hit.passage, hit.similarity) == ("town-8#1", pytest.approx(1, abs=1e-3))


def test_a_removed_section_encodes_nothing_and_is_found_no_more(many: Path, cache: Path) -> None:
    open_index(load_knowledge(many), FakeEncoder(), cache)
    (many / "town-7.md").unlink()
    encoder = FakeEncoder()
    index = open_index(load_knowledge(many), encoder, cache)
    assert encoder.texts == []
    assert all(hit.passage != "town-7#1" for hit in index.nearest(FakeEncoder().encode(["Town 7"])[0], len(index)))


def test_vectors_of_another_encoder_are_not_taken_over(folder: Path, cache: Path) -> None:
    open_index(load_knowledge(folder), FakeEncoder(name="other"), cache)
    assert is_rebuilt(load_knowledge(folder), cache)


def test_an_earlier_index_that_cannot_be_read_is_not_used(
    folder: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from chromadb import Collection

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("disk I/O error")

    open_index(load_knowledge(folder), FakeEncoder(), cache)
    write_section(folder, "bread", f"{BREAD} Now.", order=20)
    monkeypatch.setattr(Collection, "get", fail)
    encoder = FakeEncoder()
    assert len(open_index(load_knowledge(folder), encoder, cache)) == ENTRIES - 2
    assert WATER in encoder.texts


# What makes an index stale


def test_a_changed_paragraph_makes_another_index(folder: Path, cache: Path) -> None:
    open_index(load_knowledge(folder), FakeEncoder(), cache)
    write_section(folder, "bread", BREAD.replace("salt", "sugar"), ["How is bread made?"], order=20)
    encoder = FakeEncoder()
    index = open_index(load_knowledge(folder), encoder, cache)
    assert encoder.calls > 0
    assert len(index) == ENTRIES - 1
    assert any("sugar" in text for text in encoder.texts)


def test_another_encoder_makes_another_index(knowledge: Knowledge, cache: Path) -> None:
    open_index(knowledge, FakeEncoder(), cache)
    other = FakeEncoder(width=64, name="other")
    assert len(open_index(knowledge, other, cache)) == ENTRIES
    assert other.calls > 0


def test_a_change_that_the_index_does_not_hold_leaves_it_current(folder: Path, cache: Path) -> None:
    open_index(load_knowledge(folder), FakeEncoder(), cache)
    write_section(folder, "bread", BREAD, ["How is bread made?", "what makes bread dough rise"], order=20, reviewer="B")
    assert not is_rebuilt(load_knowledge(folder), cache)


def test_indexes_of_earlier_content_are_kept_for_a_while_and_then_removed(folder: Path, cache: Path) -> None:
    for number in range(5):
        write_section(folder, "bread", f"{BREAD} {number}.", order=20)
        open_index(load_knowledge(folder), FakeEncoder(), cache)
    assert len([path for path in (cache / "index").iterdir() if path.is_dir()]) == 3


# What breaks an index


def stored(built: Path) -> Path:
    return built / json.loads((built / "current.json").read_text())["folder"]


def test_a_truncated_database_is_built_again(knowledge: Knowledge, cache: Path, built: Path) -> None:
    database = stored(built) / "chroma.sqlite3"
    database.write_bytes(database.read_bytes()[:2000])
    _forget_open_clients()
    assert is_rebuilt(knowledge, cache)
    assert not is_rebuilt(knowledge, cache)


def test_a_database_of_garbage_is_built_again(knowledge: Knowledge, cache: Path, built: Path) -> None:
    (stored(built) / "chroma.sqlite3").write_bytes(b"garbage" * 1000)
    _forget_open_clients()
    assert is_rebuilt(knowledge, cache)


def test_a_deleted_folder_is_built_again(knowledge: Knowledge, cache: Path, built: Path) -> None:
    shutil.rmtree(stored(built))
    assert is_rebuilt(knowledge, cache)
    assert not is_rebuilt(knowledge, cache)


def test_a_deleted_database_is_built_again(knowledge: Knowledge, cache: Path, built: Path) -> None:
    (stored(built) / "chroma.sqlite3").unlink()
    _forget_open_clients()
    assert is_rebuilt(knowledge, cache)


def test_a_deleted_cache_is_built_again(knowledge: Knowledge, cache: Path, built: Path) -> None:
    assert built.is_dir()
    shutil.rmtree(cache)
    assert is_rebuilt(knowledge, cache)


@pytest.mark.parametrize(
    "pointer",
    ["", "garbage", "[]", "{}", '{"folder": "../..", "entries": 6}', '{"folder": 5, "entries": 6}', "\x00", "nul"],
)
def test_a_pointer_of_garbage_is_built_again(knowledge: Knowledge, cache: Path, built: Path, pointer: str) -> None:
    (built / "current.json").write_text(pointer)
    assert is_rebuilt(knowledge, cache)


def test_an_index_that_lacks_an_entry_is_built_again(knowledge: Knowledge, cache: Path, built: Path) -> None:
    pointer = built / "current.json"
    state = json.loads(pointer.read_text())
    pointer.write_text(json.dumps({**state, "entries": ENTRIES - 1}))
    assert is_rebuilt(knowledge, cache)


def test_what_another_process_left_half_built_is_cleared_away(knowledge: Knowledge, cache: Path, built: Path) -> None:
    (built / "current.json").unlink()
    (built / "half").mkdir()
    (built / "half" / "chroma.sqlite3").write_text("half")
    assert is_rebuilt(knowledge, cache)
    assert not (built / "half").exists()


def _forget_open_clients() -> None:
    """Let Chroma open its files anew, as another process would."""
    from chromadb.api.shared_system_client import SharedSystemClient

    SharedSystemClient.clear_system_cache()


# What cannot be built


def test_a_cache_that_cannot_be_written_is_an_error_with_its_mend(knowledge: Knowledge, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(SearchIndexError, match="Cannot write the index in") as caught:
        open_index(knowledge, FakeEncoder(), tmp_path / "file")
    assert str(tmp_path / "file") in caught.value.problem
    assert caught.value.mend == "Set 'cache'."


def test_an_encoder_that_fails_says_so_itself_and_leaves_no_index(knowledge: Knowledge, cache: Path) -> None:
    class Broken(FakeEncoder):
        def encode(self, _: object) -> object:  # type: ignore[override]
            raise EncoderError("The model is gone.", "Reinstall it.")

    with pytest.raises(EncoderError, match="The model is gone"):
        open_index(knowledge, Broken(), cache)
    assert is_rebuilt(knowledge, cache)


def test_a_store_that_fails_while_it_is_filled_is_an_error_with_its_mend(
    knowledge: Knowledge, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from langchain_chroma import Chroma

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("attempt to write a readonly database")

    monkeypatch.setattr(Chroma, "add_texts", fail)
    with pytest.raises(SearchIndexError, match="cannot be built"):
        open_index(knowledge, FakeEncoder(), cache)


def test_a_store_that_breaks_later_is_an_error_with_its_mend(
    knowledge: Knowledge, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from chromadb import Collection

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("disk I/O error")

    index = open_index(knowledge, FakeEncoder(), cache)
    monkeypatch.setattr(Collection, "query", fail)
    with pytest.raises(SearchIndexError, match="askdmt index --rebuild"):
        index.nearest(FakeEncoder().encode([WATER])[0], 1)


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "127.0.0.1:9", "http://127.0.0.1:port", ":"])
def test_a_server_that_does_not_answer_is_an_error_with_its_setting(
    knowledge: Knowledge, cache: Path, url: str
) -> None:
    with pytest.raises(SearchIndexError, match=r"Chroma server at .* cannot be used\. Check 'chroma_url'"):
        open_index(knowledge, FakeEncoder(), cache, chroma_url=url)


# Two at once


def _open_in_another_process(folder: Path, cache: Path, start: object, answers: object) -> None:
    knowledge = load_knowledge(folder)
    encoder = FakeEncoder()
    start.wait()  # type: ignore[attr-defined]
    index = open_index(knowledge, encoder, cache)
    answers.put((finds_water(index), encoder.calls))  # type: ignore[attr-defined]


def test_two_processes_at_once_build_one_good_index(folder: Path, cache: Path) -> None:
    context = multiprocessing.get_context("spawn")
    start, answers = context.Barrier(2), context.Queue()
    processes = [
        context.Process(target=_open_in_another_process, args=(folder, cache, start, answers)) for _ in range(2)
    ]
    for process in processes:
        process.start()
    found = [answers.get(timeout=120) for _ in processes]
    for process in processes:
        process.join(timeout=60)
    assert [process.exitcode for process in processes] == [0, 0]
    assert [good for good, _ in found] == [True, True]
    assert sorted(calls > 0 for _, calls in found) == [False, True]
    assert not is_rebuilt(load_knowledge(folder), cache)
