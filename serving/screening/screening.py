"""Screening, the use case everything turns on: items are scored, decided, and recorded in one transaction.

The decisions, the cases of those that a person must see, the texts of those cases and one audit entry
over all of it stand or fall together; nobody hears of a decision that is not stored. The engine scores
before the transaction begins, so that no database lock is held while a model runs. A policy that is not
enforced (monitoring) opens no cases: its outcomes say what would have been done, and a watched stream
must not fill the reviewers' day.

This file knows the store's nouns but no SQL, and nothing of HTTP.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from prefilter.models.scored import Scored
from prefilter.models.text.normalisation import RowError
from prefilter.serving.audit import chain
from prefilter.serving.audit.decision_entry import append_decisions
from prefilter.serving.auth import Principal
from prefilter.serving.engine.engine import Engine
from prefilter.serving.engine.row import Row
from prefilter.serving.errors import NotFound, NotReady, Unprocessable
from prefilter.serving.policy.decide import Decision, decide
from prefilter.serving.policy.policy import Outcome, Policy
from prefilter.serving.policy.policy_book import PolicyBook
from prefilter.serving.screening.item import BadRow, Item
from prefilter.serving.settings import Settings
from prefilter.serving.store import Store, decision_rows, new_id
from prefilter.serving.store.case_rows import Span
from prefilter.serving.store.decision_rows import DecisionRow
from prefilter.serving.telemetry import where
from prefilter.serving.triage import NewCase, Triage

logger = logging.getLogger("prefilter.screening")


@dataclass(frozen=True, slots=True)
class ScreenedItem:
    """One row's answer: an `error` and nothing else, or scores, a decision and where it is recorded."""

    id: str | None
    source: str | None = None
    error: RowError | None = None
    scored: Scored | None = field(default=None, repr=False)
    decision: Decision | None = None
    decision_id: str | None = None
    case_id: str | None = None


@dataclass(frozen=True, slots=True)
class ScreeningResult:
    """What a request gets back, rows in request order."""

    rows: tuple[ScreenedItem, ...]
    policy: Policy
    model_version: str
    uncalibrated: tuple[str, ...]
    explain: bool = False


class Screening:
    """Screens items for one application: one engine, one store, one model."""

    def __init__(
        self,
        engine: Engine,
        store: Store,
        settings: Settings,
        *,
        policy_book: PolicyBook,
        triage: Triage,
        model_version: str,
        uncalibrated: Collection[str],
        certificate_for: Callable[[Mapping[str, float]], str | None],
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`certificate_for`: the scorer's own. `clock` returns the present instant, timezone-aware; it stamps
        the decisions."""
        self._engine = engine
        self._store = store
        self._settings = settings
        self._policy_book = policy_book
        self._triage = triage
        self.model_version = model_version
        self._uncalibrated = tuple(uncalibrated)
        self._certificate_for = certificate_for
        self._clock = clock

    async def screen(
        self,
        rows: Sequence[Item | BadRow],
        *,
        principal: Principal,
        policy_name: str | None = None,
        explain: bool = False,
        exact: bool = False,
        keep: bool = True,
    ) -> ScreeningResult:
        """Screen `rows` under the active version of a policy (default: the settings') and record them.

        `exact` asks for the transformer on every row, as the settings may for every request; else the fast
        stage clears what it may under the policy's own certificate. Raises Unprocessable for an unknown
        policy, Overloaded before anything was scored, NotReady when the engine or the database does not
        answer; then nothing is recorded. Where not `keep`, decisions are recorded but nothing that comes from
        a text is: no case, no digest, no answer to be given again.
        """
        policy = await self.policy(policy_name)
        items = [row for row in rows if isinstance(row, Item)]
        certificates = self._certificates(items, policy, exact=exact or self._settings.exact)
        scored = await self._engine.score(
            [Row(item.text, item.language, item.context, certificates[item.source], keep) for item in items],
            deadline_ms=self._settings.deadline_ms,
        )
        screened = await self.record(items, scored, policy, principal=principal, keep=keep)
        answers = iter(screened)
        return ScreeningResult(
            rows=tuple(
                next(answers) if isinstance(row, Item) else ScreenedItem(row.id, error=row.error)
                for row in rows
            ),
            policy=policy,
            model_version=self.model_version,
            uncalibrated=self._uncalibrated,
            explain=explain,
        )

    async def policy(self, name: str | None) -> Policy:
        """Return the active version of a policy (None: the settings'); raises Unprocessable where there is none."""
        name = self._settings.policy if name is None else name
        known = self._policy_book.known(name)
        return await asyncio.to_thread(self._policy_book.active, name) if known is None else known

    async def record(
        self,
        items: Sequence[Item],
        scored: Sequence[Scored],
        policy: Policy,
        *,
        principal: Principal,
        keep: bool = True,
    ) -> list[ScreenedItem]:
        """Decide items that were scored, and record that in one transaction; raises NotReady as `screen` does."""
        return await asyncio.to_thread(self._decide_and_record, items, scored, policy, principal, keep)

    def decide(self, scored: Scored, policy: Policy, *, source: str | None) -> Decision:
        """Return what a policy says of an item that was scored, unrecorded."""
        return decide(
            scored.scores, policy, source=source, unscored=scored.unscored, uncalibrated=self._uncalibrated
        )

    def _certificates(
        self, items: Sequence[Item], policy: Policy, *, exact: bool
    ) -> dict[str | None, str | None]:
        """Return the certificate for the items of each source; None clears nothing."""
        sources = {item.source for item in items}
        if exact:
            return dict.fromkeys(sources)
        return {source: self._certificate_for(policy.edges_for(source)) for source in sources}

    def decision(self, decision_id: str, principal: Principal) -> DecisionRow:
        """Return a stored decision; a pipeline sees its own. Raises NotFound."""
        own = principal.name if principal.role == "pipeline" else None
        with self._store.read() as conn:
            row = decision_rows.find(conn, decision_id, key_name=own)
        if row is None:
            raise NotFound("there is no such decision")
        return row

    def appeal(self, decision_id: str, text: str, principal: Principal, *, context: str | None = None) -> str:
        """Open a case for a stored decision, whatever its outcome, and return the case's id.

        The text must be sent again, since only cases keep text, and what it answered may be, so that the
        reviewer sees it; raises Unprocessable unless they are those that were decided, NotFound for an
        unknown or foreign decision. Appealing twice opens one case.
        """
        row = self.decision(decision_id, principal)
        if self._store.digest(text) != row.text_digest:
            raise Unprocessable("this is not the text that was decided", code="text_differs", field="text")
        if context is not None and self._store.digest(context, kind="context") != row.context_digest:
            raise Unprocessable("this is not what the text answered", code="context_differs", field="context")
        with self._store.begin() as conn:
            case_id = self._triage.intake.open_case(conn, decision=row, text=text, context=context)
            chain.append(
                conn,
                actor=principal.name,
                action="decision.appealed",
                subject=decision_id,
                body={"case_id": case_id, "outcome": row.outcome},
                at=self._clock(),
            )
        return case_id

    def _decide_and_record(
        self,
        items: Sequence[Item],
        scored: Sequence[Scored],
        policy: Policy,
        principal: Principal,
        keep: bool,
    ) -> list[ScreenedItem]:
        now = self._clock()
        answers: list[ScreenedItem] = []
        rows: list[DecisionRow] = []
        deferred: list[NewCase] = []
        for item, result in zip(items, scored, strict=True):
            if result.error is not None:
                answers.append(ScreenedItem(item.id, error=result.error))
                continue
            decision = self.decide(result, policy, source=item.source)
            row = self._row(item, result, decision, principal, now, keep=keep)
            rows.append(row)
            if decision.outcome == Outcome.REVIEW and decision.enforced and keep:
                deferred.append(NewCase(row, item.text, _spans(result, decision), context=item.context))
            answers.append(ScreenedItem(row.item_id, item.source, None, result, decision, row.id))
        if not rows:
            return answers
        cases = self._record(rows, deferred, principal, now)
        return [replace(answer, case_id=cases.get(answer.decision_id or "")) for answer in answers]

    def _row(
        self,
        item: Item,
        result: Scored,
        decision: Decision,
        principal: Principal,
        now: datetime,
        *,
        keep: bool,
    ) -> DecisionRow:
        decision_id = new_id("dec")
        # The digest of what is not to be kept is its decision's: no text has that one.
        digest = self._store.digest(item.text if keep else decision_id)
        context = item.context if keep else None
        return DecisionRow(
            id=decision_id,
            # An item sent without an id gets one from its text, so that a retry is the same item again.
            item_id=item.id or f"itm_{digest[:32]}",
            text_digest=digest,
            context_digest=None if context is None else self._store.digest(context, kind="context"),
            outcome=decision.outcome.value,
            because=[because.to_json() for because in decision.because],
            scores={category: float(score) for category, score in result.scores.items()},
            enforced=decision.enforced,
            policy_name=decision.policy_name,
            policy_version=decision.policy_version,
            model_version=self.model_version,
            key_name=principal.name,
            created_at=now,
            source=item.source,
            language=result.language,
            unscored=result.unscored,
            stage=result.stage,
            tokens_seen=result.tokens_seen,
            tokens_total=result.tokens_total,
        )

    def _record(
        self,
        rows: Sequence[DecisionRow],
        deferred: Sequence[NewCase],
        principal: Principal,
        now: datetime,
    ) -> dict[str, str]:
        """Store everything in one transaction; returns decision id → case id."""
        try:
            with self._store.begin() as conn:
                decision_rows.insert_many(conn, rows)
                ids = self._triage.intake.open_cases(conn, deferred)
                made = [row.outcome for row in rows]
                counted = {outcome.value: made.count(outcome.value) for outcome in Outcome}
                append_decisions(conn, rows, outcomes=counted, cases=len(ids), actor=principal.name, at=now)
        except NotReady:
            raise
        except Exception as fault:
            # The scores are lost with the transaction, not the items: the caller asks again.
            logger.error("decisions could not be recorded: %s", where(fault))
        else:
            return {new.decision.id: case_id for new, case_id in zip(deferred, ids, strict=True)}
        raise NotReady("the decisions could not be recorded", code="not_recorded", retry_after_s=1)


def _spans(result: Scored, decision: Decision) -> tuple[Span, ...]:
    """What a case masks; nothing, and so the whole text, where nothing speaks for the category that decided.

    (A policy may defer at a score too low for the model to say where it comes from.)
    """
    found = result.spans or result.evidence
    wanted = decision.because[0].category if decision.because else None
    if wanted is not None and all(evidence.category != wanted for evidence in found):
        return ()
    return tuple(Span(e.start, e.end, e.category) for e in found)
