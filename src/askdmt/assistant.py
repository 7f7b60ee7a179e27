"""One turn of the assistant, top to bottom: read, encode, judge, search, compose, reply.

Whatever happens on the way, the visitor gets a Reply with its disclaimer: a stage that fails or takes too long gives
the safe reply with the help lines.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain, pairwise
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from askdmt.answering.extractive import Composed, compose
from askdmt.conversation import Conversation
from askdmt.decisions import DANGER, REFUSALS, Decision
from askdmt.encoder import Encoder, Vectors
from askdmt.errors import SettingsError
from askdmt.exported import cores
from askdmt.guardrails.input_guard import InputGuard, Reading, Verdict
from askdmt.guardrails.language import JUDGED, detect_language
from askdmt.guardrails.normalise import normalise
from askdmt.guardrails.rules import touches_sensitive_topic
from askdmt.knowledge.index import Progress, open_index
from askdmt.knowledge.search import NOTHING_FOUND, Findings, Search, fused
from askdmt.knowledge.sections import SUPPORT_FILE, Knowledge, load_knowledge
from askdmt.passes import SharedPasses
from askdmt.reply import Reply, SupportLine
from askdmt.resources import content_folder
from askdmt.sentences import pieces
from askdmt.settings import Settings, load_settings
from askdmt.streaming import Heard, Shown
from askdmt.support import SupportDirectory, load_support
from askdmt.wording import Wording, languages, load_wording

if TYPE_CHECKING:
    from askdmt.answering.generative import Drafted, Drafter, Task

log = logging.getLogger(__name__)

T = TypeVar("T")

_TOGETHER = 64  # conversations of a batch that are encoded together
_FINE_PART = 0.8  # how sure the judge must be that a sentence beside a refused one is a plain question
_NEAR_ENOUGH = 0.45  # likeness of the nearest passage from which it is worth naming
_PLAINLY_COVERED = 0.8  # likeness to a typical question at which the judge's "out of scope" is overruled
_SMALL_RISK = 0.15  # sum of the risks' scores below which that may happen
# What the search has a part in; danger and refusals wait for none.
_LOOKED_UP = (Decision.PERSONAL_ADVICE, Decision.OUT_OF_SCOPE, Decision.ANSWER)
_FOLLOW_UP_DEPTH = 30  # passages of each of a follow-up's two searches
_EARLIER_READ = 4  # earlier messages that are judged for danger, so that support stays in view
_WAITING_WORKERS = 32  # that finish replies where these wait for a model or for Chroma's server
_DRAFTED = (Decision.ANSWER, Decision.PERSONAL_ADVICE)  # what the guard must have said before a model may be asked
_STRICTER = DANGER | REFUSALS | {Decision.PERSONAL_ADVICE}  # what a rewritten question may turn a decision into
_SHARE_FOR_DRAFTS = 0.8  # of the time of a reply; the rest is for the extractive answer

Said = str | Sequence[Mapping[str, Any]]


@dataclass
class Turn:
    """Everything known of one turn while it is answered."""

    conversation: Conversation
    region: str
    reading: Reading
    earlier: tuple[str, ...]  # earlier messages, normalised, whose danger still counts
    too_long: bool
    vectors: Vectors = field(default_factory=lambda: np.zeros((0, 0), dtype=np.float32))
    milliseconds: dict[str, float] = field(default_factory=dict)
    failed: str = ""  # the first stage that raised
    shown: Shown = field(default_factory=Shown)
    rewritten: tuple[str, NDArray[np.float32]] | None = None  # the question as a model made it self-standing
    drafted: Drafted | None = None
    danger_before: bool | None = None  # whether an earlier message told of danger; None: not looked yet

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Take a stage's time, and note it if it raises."""
        started = time.perf_counter()
        try:
            yield
        except Exception:
            self.failed = self.failed or name
            raise
        finally:
            self.milliseconds[name] = (time.perf_counter() - started) * 1000

    @cached_property
    def texts(self) -> tuple[str, ...]:
        """What one encoder pass turns into `vectors`: the guard's texts, the search's, and earlier messages."""
        return (*self.reading.texts, self.question, *self.earlier)

    @cached_property
    def question(self) -> str:
        """What is looked up: the message, with what came before it where it leans on that."""
        return self.conversation.standalone() if self.conversation.leans_on_before else self.reading.message.text


class Assistant:
    """The whole assistant: guard, search, answers and fixed replies over one state of the knowledge."""

    def __init__(
        self, settings: Settings, encoder: Encoder, guard: InputGuard, knowledge: Knowledge, search: Search,
        support: SupportDirectory, drafter: Drafter | None = None,
    ) -> None:  # fmt: skip
        self.settings = settings
        self.encoder = encoder
        self.guard = guard
        self.knowledge = knowledge
        self.search = search
        self.support = support
        self.drafter = drafter
        self._passes = SharedPasses(lambda texts: self.encoder.encode(texts), cores())
        waits = drafter is not None or bool(settings.chroma_url)
        self._readers = ThreadPoolExecutor(cores() + 1, thread_name_prefix="askdmt-read")
        self._finishers = (
            ThreadPoolExecutor(_WAITING_WORKERS, thread_name_prefix="askdmt-finish") if waits else self._readers
        )

    @classmethod
    def load(
        cls, settings: Settings | None = None, *, rebuild: bool = False, progress: Progress | None = None
    ) -> Assistant:
        """Load everything a reply needs, building the search index where it is not current.

        Raises:
            AskDMTError: a part is missing or broken; names the mend.
        """
        settings = settings or load_settings()
        knowledge, support = _load_content(settings)
        load_wording(settings.language)
        if unknown := sorted(set(settings.languages) - set(languages())):
            raise SettingsError(
                f"There are no replies in '{unknown[0]}'.", f"Known languages: {', '.join(languages())}."
            )
        drafter = _load_drafter(settings)
        encoder = Encoder(settings.encoder, cache=settings.cache)
        index = open_index(
            knowledge, encoder, settings.cache, chroma_url=settings.chroma_url, rebuild=rebuild, progress=progress
        )
        return cls(settings, encoder, InputGuard(encoder), knowledge, Search(knowledge, index), support, drafter)

    def reloaded(self) -> Assistant:
        """Return an assistant over the knowledge and help lines as they are now; it shares encoder and guard.

        Raises:
            AskDMTError: a file is missing or broken, or the index cannot be built; names the mend.
        """
        knowledge, support = _load_content(self.settings)
        cache, chroma_url = self.settings.cache, self.settings.chroma_url
        index = open_index(knowledge, self.encoder, cache, chroma_url=chroma_url)
        search = Search(knowledge, index)
        return type(self)(self.settings, self.encoder, self.guard, knowledge, search, support, self.drafter)

    def reply(
        self, said: Said, *, region: str | None = None, trace: bool = False, show: Callable[[str], None] | None = None
    ) -> Reply:
        """Answer a message, or the last of several messages; never raises for what a visitor wrote.

        Where a language model writes, `show` is given each piece of the body once it is checked; the reply's body
        begins with what was shown.

        Raises:
            InputError: `said` is neither text nor a list of messages.
            SettingsError: `region` is unknown.
        """
        conversation, region = self._accept(said, region)
        shown = Shown(show)
        work = self._begin(conversation, region, trace, shown)
        return self._wait(work, self.settings.reply_seconds, region, trace, shown)

    async def areply(
        self, said: Said, *, region: str | None = None, trace: bool = False, show: Callable[[str], None] | None = None
    ) -> Reply:
        """Do what `reply` does, without a thread that waits; `show` is called in another thread."""
        import asyncio  # costs a process that only asks once some time

        conversation, region = self._accept(said, region)
        shown = Shown(show)
        work = self._begin(conversation, region, trace, shown)
        ended = asyncio.Event()
        loop = asyncio.get_running_loop()

        def wake(_: object) -> None:
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(ended.set)

        work.add_done_callback(wake)
        with suppress(TimeoutError):
            await asyncio.wait_for(ended.wait(), self.settings.reply_seconds)
        return self._wait(work, 0.0, region, trace, shown)

    def reply_many(
        self, many: Sequence[Said], *, region: str | None = None, trace: bool = False,
        progress: Callable[[int], None] | None = None,
    ) -> Iterator[Reply]:  # fmt: skip
        """Answer many conversations in order; some are read and encoded together while others are finished."""
        batches = (many[start : start + _TOGETHER] for start in range(0, len(many), _TOGETHER))
        for work in _one_ahead(self._readers.submit(self._begin_many, batch, region) for batch in batches):
            begun = work.result()
            for turn, where in begun:
                yield self._finish_safely(turn, where, trace)
            if progress:
                progress(len(begun))

    def stream(self, said: Said, *, region: str | None = None, trace: bool = False) -> Iterator[str | Reply]:
        """Yield the reply's text by sentences, each once it is checked, and at last the Reply itself."""
        conversation, region = self._accept(said, region)
        until = time.monotonic() + self.settings.reply_seconds
        heard = Heard()
        shown = Shown(heard.say)
        try:
            work = self._begin(conversation, region, trace, shown)
            work.add_done_callback(lambda _: heard.end())
            yield from heard.until(until)
            reply = self._wait(work, until - time.monotonic(), region, trace, shown)
            yield from heard.rest()
            yield from pieces(reply.text[len(shown.text) :])
            yield reply
        finally:
            shown.close()

    def safe_reply(
        self, reason: str, region: str | None = None, trace: Mapping[str, Any] | None = None, shown: Shown | None = None
    ) -> Reply:
        """Return the reply, with help lines, for when nothing was decided; `reason` is error, timeout or unsure.

        It stands below what was `shown` already, which is never taken back.
        """
        wording = load_wording(self.settings.language)
        seen = shown or Shown()
        return wording.reply(
            Decision.NOT_IN_SOURCES,
            "\n\n".join(filter(None, [seen.text.rstrip(), getattr(wording.replies, reason)])),
            citations=seen.citations,
            support=self.support.lines(region or self.settings.region, wording.support),
            trace=trace,
        )

    # The turn

    def _accept(self, said: Said, region: str | None) -> tuple[Conversation, str]:
        region = region or self.settings.region
        self.support.region(region)
        return Conversation.of(said), region

    def _wait(self, work: Future[Reply], seconds: float, region: str, trace: bool, shown: Shown) -> Reply:
        try:
            return work.result(timeout=max(0.0, seconds))
        except TimeoutError:
            log.error("reply took longer than %s s", self.settings.reply_seconds)
            reason = failed = "timeout"
        except Exception as error:
            log.error("answering failed: %s", type(error).__name__)
            reason, failed = "unsure", "workers"
        shown.close()
        return self.safe_reply(reason, region, {"failed": failed} if trace else None, shown)

    def _begin(self, conversation: Conversation, region: str, trace: bool, shown: Shown) -> Future[Reply]:
        """Begin to answer: one worker reads, another finishes, and none waits for the encoder between."""
        replied: Future[Reply] = Future()

        def read() -> None:
            with _failing(replied), self._passes.joining() as ask:
                turn = self._read_safely(conversation, region)
                if turn is None:
                    replied.set_result(self._finish_safely(None, region, trace))
                    return
                turn.shown = shown
                started = time.perf_counter()
                vectors = ask(_different_texts([turn]))
                vectors.add_done_callback(lambda _: then(self._finishers, finish, turn, vectors, started))

        def finish(turn: Turn, vectors: Future[Vectors], started: float) -> None:
            with _failing(replied):
                self._take_safely([turn], vectors.result, started)
                replied.set_result(self._finish_safely(turn, region, trace))

        def then(workers: ThreadPoolExecutor, do: Callable[..., None], *what: object) -> None:
            with _failing(replied):
                workers.submit(do, *what)

        then(self._readers, read)
        return replied

    def _begin_many(self, many: Sequence[Said], region: str | None) -> list[tuple[Turn | None, str]]:
        accepted = [self._accept(said, region) for said in many]
        begun = [(self._read_safely(conversation, where), where) for conversation, where in accepted]
        turns, started = [turn for turn, _ in begun if turn], time.perf_counter()
        self._take_safely(turns, lambda: self.encoder.encode(_different_texts(turns)), started)
        return begun

    def _read_safely(self, conversation: Conversation, region: str) -> Turn | None:
        try:
            return self._read(conversation, region)
        except Exception as error:
            log.error("reading failed: %s", type(error).__name__)  # the type only: a message may quote the visitor
            return None

    def _take_safely(self, turns: Sequence[Turn], encoded: Callable[[], Vectors], started: float) -> None:
        """Give each turn the vectors of its texts, out of one for each different text of all turns."""
        try:
            vectors = encoded()
            rows = {text: row for row, text in enumerate(_different_texts(turns))}
            spent = (time.perf_counter() - started) * 1000 / max(len(turns), 1)
            for turn in turns:
                turn.vectors = vectors[[rows[text] for text in turn.texts]]
                turn.milliseconds["encode"] = spent
        except Exception as error:
            log.error("encoding failed: %s", type(error).__name__)
            for turn in turns:
                turn.failed = "encode"

    def _finish_safely(self, turn: Turn | None, region: str, trace: bool) -> Reply:
        failed = "read"
        if turn:
            try:
                return self._finish(turn, trace)
            except Exception as error:
                log.error("answering failed: %s", type(error).__name__)
                failed = turn.failed or "compose"
        return self.safe_reply("unsure", region, {"failed": failed} if trace else None, turn.shown if turn else None)

    def _read(self, conversation: Conversation, region: str) -> Turn:
        """Normalise the message; of one that is too long, its two ends are read for danger."""
        started = time.perf_counter()
        limit = self.settings.max_characters
        text = conversation.last
        too_long = len(text) > limit
        if too_long:
            text = f"{text[: limit // 2]}\n{text[-limit // 2 :]}"
        before = tuple(normalise(message[:limit]).text for message in conversation.before)
        reading = self.guard.read(text, before, asked_if_safe=conversation.asked_if_safe)
        turn = Turn(Conversation(reading.message.text, before), region, reading, before[-_EARLIER_READ:], too_long)
        turn.milliseconds["read"] = (time.perf_counter() - started) * 1000
        return turn

    def _finish(self, turn: Turn, trace: bool) -> Reply:
        if not turn.reading.message.text:
            wording = load_wording(self.settings.language)
            return wording.reply(Decision.OUT_OF_SCOPE, wording.replies.empty)
        verdict = self._judge(turn)
        if turn.too_long and not verdict.decision.is_danger:
            wording = load_wording(self.settings.language)
            body = wording.replies.too_long.format(limit=self.settings.max_characters)
            return wording.reply(Decision.OUT_OF_SCOPE, body)
        verdict = self._rewrite(turn, verdict)
        findings = self._search(turn, verdict) if verdict.decision in _LOOKED_UP else NOTHING_FOUND
        decision = self._settle(verdict, findings)
        return self._compose(turn, verdict, decision, findings, trace)

    def _judge(self, turn: Turn) -> Verdict:
        with turn.stage("guard"):
            return self.guard.decide(turn.reading, turn.vectors[: len(turn.reading.texts)])

    def _search(self, turn: Turn, verdict: Verdict) -> Findings:
        with turn.stage("search"):
            question, alone = turn.reading.message.text, (turn.vectors[0], verdict.covered)
            if turn.question == question:
                findings = self._find(question, *alone)
            else:  # a follow-up, or a new subject that only looks like one
                vector = turn.vectors[len(turn.reading.texts)]
                with_before = self._find(turn.question, vector, k=_FOLLOW_UP_DEPTH)
                findings = fused(with_before, self._find(question, *alone, k=_FOLLOW_UP_DEPTH))
            if turn.rewritten:
                findings = max(findings, self._find(*turn.rewritten), key=lambda found: found.confidence)
            return findings

    def _find(self, question: str, vector: NDArray[np.float32], covered: float | None = None, k: int = 8) -> Findings:
        """Search, with the judge's guess whether it is covered where it was trained on this very knowledge."""
        if self.settings.knowledge is not None:
            return self.search.find(question, vector, None, k)
        if covered is None:
            covered = self.guard.classifier.judge([question], vector[np.newaxis])[0].covered
        return self.search.find(question, vector, covered, k)

    def _settle(self, verdict: Verdict, findings: Findings) -> Decision:
        """Let the search say whether a question on the subject is answered by the sources."""
        nearest = max((item.question_similarity for item in findings.found), default=0.0)
        risk = sum(score for decision, score in verdict.scores.items() if decision.is_danger or decision.is_refusal)
        if verdict.decision is Decision.OUT_OF_SCOPE and nearest >= _PLAINLY_COVERED and risk < _SMALL_RISK:
            return Decision.ANSWER
        if verdict.decision is Decision.ANSWER and not findings.answerable:
            return Decision.NOT_IN_SOURCES
        return verdict.decision

    def _compose(self, turn: Turn, verdict: Verdict, decision: Decision, findings: Findings, trace: bool) -> Reply:
        with turn.stage("compose"):
            wording = load_wording(self._language(turn, decision))
            composed = self._body(turn, verdict, decision, findings, wording)
            body, support = composed.body, self._support(turn, decision, wording)
            if not decision.is_danger and self._danger_before(turn):
                body = f"{wording.replies.after_crisis}\n\n{body}"
                support = self.support.lines(turn.region, wording.support)
        return wording.reply(
            decision,
            body,
            citations=composed.citations,
            support=support,
            trace=self._trace(turn, verdict, decision, findings) if trace else None,
        )

    def _body(self, turn: Turn, verdict: Verdict, decision: Decision, findings: Findings, wording: Wording) -> Composed:
        if decision is Decision.ANSWER:
            if self._may_draft(turn, verdict):
                return self._draft(turn, findings, "answer")
            return compose(self.knowledge, findings)
        if decision is Decision.NOT_IN_SOURCES:
            return self._silence(findings, wording)
        variant = verdict.variant if verdict.decision is decision else None
        fixed = wording.fixed(decision, variant, **self._values(turn.region, wording))
        if decision is Decision.PERSONAL_ADVICE:
            return self._general_information(turn, verdict, fixed, findings, wording)
        if decision.is_refusal:
            return self._with_fine_part(turn, fixed, wording)
        if self.drafter and decision is Decision.ABOUT and variant == "privacy":
            fixed = f"{fixed} {wording.replies.model_privacy}"
        return Composed(fixed, ())

    def _silence(self, findings: Findings, wording: Wording) -> Composed:
        """Say that the sources are silent, and show the nearest thing they do hold."""
        texts = wording.replies.not_in_sources
        if not _near(findings):
            return Composed(texts["none"], ())
        nearest = compose(self.knowledge, findings, passages=1)
        return Composed(
            f"{texts['nearest'].format(title=nearest.citations[0].title)}\n\n{nearest.body}", nearest.citations
        )

    def _general_information(
        self, turn: Turn, verdict: Verdict, fixed: str, findings: Findings, wording: Wording
    ) -> Composed:
        asks = wording.replies.personal_advice_ask
        ask = asks.get(verdict.variant or "") or asks["decision"]
        if not _near(findings):
            return Composed(f"{fixed}\n\n{ask}", ())
        if self._may_draft(turn, verdict):
            turn.shown(f"{fixed}\n\n")
            general = self._draft(turn, findings, "general", most_words=100, passages=1)
        else:
            general = compose(self.knowledge, findings, most_words=100, passages=1)
        return Composed(f"{fixed}\n\n{general.body}\n\n{ask}", general.citations)

    def _with_fine_part(self, turn: Turn, fixed: str, wording: Wording) -> Composed:
        """Answer a plain question that stands beside a refused one in the same message."""
        questions = turn.reading.questions
        first = len(turn.reading.texts) - len(questions)
        vectors = turn.vectors[first : len(turn.reading.texts)]
        judged = self.guard.classifier.judge(questions, vectors) if questions else []
        for question, judgement in zip(questions, judged, strict=True):
            if judgement.on_subject >= _FINE_PART:
                findings = self._find(question, judgement.vector, judgement.covered)
                if findings.answerable:
                    fine = compose(self.knowledge, findings, most_words=80, passages=1)
                    return Composed(f"{fixed}\n\n{wording.replies.mixed}\n\n{fine.body}", fine.citations)
        return Composed(fixed, ())

    def _support(self, turn: Turn, decision: Decision, wording: Wording) -> tuple[SupportLine, ...]:
        wanted = (
            decision.is_danger
            or decision in (Decision.REFUSE_UNSUPERVISED_USE, Decision.UNSUPPORTED_LANGUAGE)
            or touches_sensitive_topic(turn.reading.message.text)
        )
        if not wanted:
            return ()
        return self.support.lines(turn.region, wording.support, poison=decision is Decision.EMERGENCY)

    def _danger_before(self, turn: Turn) -> bool:
        if turn.danger_before is None:
            turn.danger_before = any(self.guard.sees_danger(text, vector) for text, vector in self._earlier(turn))
        return turn.danger_before

    def _earlier(self, turn: Turn) -> Iterator[tuple[str, NDArray[np.float32]]]:
        return zip(turn.earlier, turn.vectors[len(turn.vectors) - len(turn.earlier) :], strict=True)

    # With a language model

    def _may_draft(self, turn: Turn, verdict: Verdict) -> bool:
        """Whether a model may be asked: the guard let the message pass, and nobody was in danger before it."""
        return self.drafter is not None and verdict.decision in _DRAFTED and not self._danger_before(turn)

    def _draft(self, turn: Turn, findings: Findings, task: Task, **limits: int) -> Composed:
        """Let the model write what it may; the extractive answer takes the place of what does not stand."""
        assert self.drafter
        with turn.stage("draft"):
            turn.drafted = self.drafter.compose(
                self.knowledge, findings, self._asked(turn), task=task, seconds=self._seconds_to_draft(turn),
                show=turn.shown, **limits,
            )  # fmt: skip
        return turn.drafted.composed

    def _rewrite(self, turn: Turn, verdict: Verdict) -> Verdict:
        """Let the model make a follow-up self-standing; judged again, that can only make the decision stricter."""
        if not (self.settings.llm_rewrite and turn.conversation.leans_on_before and self._may_draft(turn, verdict)):
            return verdict
        assert self.drafter
        before = self._harmless_before(turn)
        with turn.stage("rewrite"):
            question = self.drafter.rewrite(turn.reading.message.text, before, self._seconds_to_draft(turn))
            if not question:
                return verdict
            reading = self.guard.read(question)
            vectors = self.encoder.encode(reading.texts)
            again = self.guard.decide(reading, vectors)
        if again.decision in _DRAFTED:
            turn.rewritten = reading.message.text, vectors[0]
        stricter = again.decision in _STRICTER and again.decision.precedence < verdict.decision.precedence
        return again if stricter else verdict

    def _asked(self, turn: Turn) -> str:
        """Return the question as a model gets it: of what came before, only what was itself harmless."""
        if turn.rewritten:
            return turn.rewritten[0]
        before = self._harmless_before(turn) if turn.conversation.leans_on_before else []
        return " ".join([*before, turn.reading.message.text])

    def _harmless_before(self, turn: Turn) -> list[str]:
        """Return the two messages before this one, without those that told of a danger or were refused."""
        return [text for text, vector in list(self._earlier(turn))[-2:] if not self.guard.risks(text, vector)]

    def _seconds_to_draft(self, turn: Turn) -> float:
        spent = sum(turn.milliseconds.values()) / 1000
        return min(self.settings.llm_seconds, _SHARE_FOR_DRAFTS * self.settings.reply_seconds - spent)

    def _language(self, turn: Turn, decision: Decision) -> str:
        """Fixed replies come in the visitor's language where there is one; answers stay in the knowledge's."""
        if decision in (Decision.ANSWER, Decision.NOT_IN_SOURCES, Decision.PERSONAL_ADVICE):
            return self.settings.language
        found = detect_language(turn.reading.message.text)
        offered = self.settings.languages or languages()
        return found if found != "en" and found in offered else self.settings.language

    def _values(self, region: str, wording: Wording) -> dict[str, str]:
        return {
            "emergency": wording.support.alternative.join(self.support.emergency_numbers(region)),
            "operator": self.settings.operator or wording.deployment.operator,
            "contact": self.settings.contact or wording.deployment.contact,
            "languages": ", ".join(load_wording(code).name for code in JUDGED),
        }

    def _trace(self, turn: Turn, verdict: Verdict, decision: Decision, findings: Findings) -> dict[str, Any]:
        nearest = self.guard.classifier.nearest(turn.vectors[0])
        return {
            "decision": decision.value,
            "judged": verdict.decision.value,
            "variant": verdict.variant,
            "rule": verdict.rule,
            "explanation": verdict.explanation,
            "deciding_text": verdict.deciding_text,
            "normalised": turn.reading.message.text,
            "changes": list(turn.reading.message.changes),
            "scores": {label.value: round(score, 3) for label, score in verdict.scores.items()},
            "thresholds": {
                risk.value: value for risk, value in self.guard.deciding_thresholds(turn.reading, verdict).items()
            },
            "nearest": [[exemplar.label.value, round(cosine, 3), exemplar.text] for exemplar, cosine in nearest],
            "answerable": {"confidence": round(findings.confidence, 3), "yes": findings.answerable},
            "passages": [[item.passage, round(item.score, 3)] for item in findings.found],
            "milliseconds": {step: round(spent, 2) for step, spent in turn.milliseconds.items()},
            "knowledge": self.knowledge.digest[:12],
            **({"rewritten": turn.rewritten[0]} if turn.rewritten else {}),
            **({"llm": turn.drafted.trace} if turn.drafted else {}),
        }


def _load_content(settings: Settings) -> tuple[Knowledge, SupportDirectory]:
    """Read the sections and the help lines that the settings name."""
    shipped = content_folder("knowledge")
    beside = (shipped,) if settings.knowledge and settings.knowledge_beside else ()
    knowledge = load_knowledge(settings.knowledge or shipped, *beside)
    own_support = knowledge.folder / SUPPORT_FILE
    support = load_support(own_support if own_support.is_file() else shipped / SUPPORT_FILE)
    support.region(settings.region)
    return knowledge, support


def _load_drafter(settings: Settings) -> Drafter | None:
    """Load what a language model needs; without the setting, nothing of it is even imported."""
    if not settings.llm:
        return None
    from askdmt.answering.generative import Drafter

    return Drafter.load(settings)


@contextmanager
def _failing(replied: Future[Reply]) -> Iterator[None]:
    """Let whoever waits for a reply have the error of what was to make it."""
    try:
        yield
    except Exception as error:
        if not replied.done():
            replied.set_exception(error)


def _different_texts(turns: Sequence[Turn]) -> list[str]:
    return list(dict.fromkeys(text for turn in turns for text in turn.texts))


def _one_ahead(works: Iterator[T]) -> Iterator[T]:
    """Yield each item when the one after it has been begun too."""
    return (earlier for earlier, _ in pairwise(chain(works, (None,))) if earlier)


def _near(findings: Findings) -> bool:
    """Whether the best passage is close enough to be worth showing."""
    best = findings.found[0] if findings.found else None
    return best is not None and max(best.question_similarity, best.passage_similarity) >= _NEAR_ENOUGH
