"""Puts the knowledge that lies on the disk now in place of the one in use, while questions are answered."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from askdmt.errors import AskDMTError
from askdmt.knowledge.check import check
from askdmt.resources import content_folder
from askdmt.web.metrics import Metrics, Reload
from askdmt.web.warming import AssistantSource

if TYPE_CHECKING:
    from askdmt.assistant import Assistant
    from askdmt.knowledge.sections import Knowledge

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a reload ended; `problem` says to an operator why it was refused."""

    result: Reload
    knowledge: Knowledge
    problem: str = ""


class Reloader:
    """Reloads the knowledge, one reload at a time."""

    def __init__(self, source: AssistantSource, metrics: Metrics, today: Callable[[], date] = date.today) -> None:
        self._source = source
        self._metrics = metrics
        self._today = today
        self._lock = threading.Lock()

    def reload(self) -> Outcome | None:
        """Check the knowledge on the disk and use it from now on; None while nothing has been loaded yet.

        If anything is wrong with it, the one in use stays in use. Takes seconds; minutes where its index is not built.
        """
        with self._lock:
            current = self._source.current
            if current is None:
                return None
            try:
                outcome = self._replace(current)
            except Exception as error:
                problem = str(error) if isinstance(error, AskDMTError) else f"{type(error).__name__}."
                outcome = Outcome("refused", current.knowledge, problem)
            self._tell(outcome)
            return outcome

    def _replace(self, current: Assistant) -> Outcome:
        report = check(current.settings.knowledge or content_folder("knowledge"), today=self._today())
        errors = [finding for finding in report.findings if finding.severity == "error"]
        if errors:
            where, problem, mend = errors[0].file, errors[0].problem, errors[0].mend
            others = f" {len(errors) - 1} more: run askdmt knowledge check." if len(errors) > 1 else ""
            return Outcome("refused", current.knowledge, f"{where}: {problem} {mend}{others}")
        fresh = current.reloaded()
        if (fresh.knowledge, fresh.support) == (current.knowledge, current.support):
            return Outcome("unchanged", current.knowledge)
        self._source.replace(fresh)
        return Outcome("changed", fresh.knowledge)

    def _tell(self, outcome: Outcome) -> None:
        self._metrics.reloaded(outcome.result)
        facts = {"knowledge": outcome.knowledge.digest[:12], "sections": len(outcome.knowledge.sections)}
        if outcome.result == "refused":
            facts["problem"] = outcome.problem
        level = logging.ERROR if outcome.result == "refused" else logging.INFO
        log.log(level, "reload of the knowledge", extra={"result": outcome.result, **facts})
