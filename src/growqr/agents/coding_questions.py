"""Carries the coding model's questions to its user and the answers back, also over a crash."""

from __future__ import annotations

from pydantic import BaseModel

from growqr.agents.job import TaskJob, Unanswered
from growqr.agents.questions import Asking
from growqr.events import QuestionKind
from growqr.opencode.types import Asked, QuestionGone, WorkspaceFailed
from growqr.opencode.workspace import Workspace

NO_ANSWER = (
    "Nobody answered in time, so the answer is no. Go on without it if you can, else stop and say "
    "what is missing."
)
_YES = frozenset({"allow", "allowed", "yes", "y", "ok", "okay"})
_KEY = "asked"


class AnswerLate(WorkspaceFailed):
    """The server gave its place up, or died, while a person thought."""


class ModelQuestions:
    """The questions of one coding task.

    The journal's `asked` is the one whose answer the model has not got yet: an earlier run may
    have asked it. Its answer goes into the next prompt, and is used once if the model asks again.
    """

    def __init__(self, job: TaskJob, workspace: Workspace) -> None:
        self._job = job
        self._workspace = workspace

    async def settle(self) -> None:
        """Wait until what an earlier run asked is answered; no server runs meanwhile."""
        if (asked := self._asked()) is not None:
            await self._answer_to(asked)

    async def words(self) -> str | None:
        """Return, for the next prompt, a question that the model has no answer to, and that."""
        asked = self._asked()
        if asked is None:
            return None
        answer = await self._answer_to(asked)
        told = NO_ANSWER if answer is None else f"The user answered: {answer}"
        return f"Before the interruption you asked:\n\n{asked.text}\n\n{told}"

    async def ask(self, session_id: str, asked: Asked) -> None:
        """Ask the user, wait, and tell the model.

        Raises AnswerLate when its server is gone by then; `words` has the answer.
        """
        question = self._asked()
        if question is None or (question.text, question.kind) != (asked.question, asked.kind):
            question = _Question(
                key=f"{session_id}:{asked.id}",
                text=asked.question,
                kind=asked.kind,
                options=list(asked.options),
            )
            await self._job.save(_KEY, question.model_dump())
        answer = await self._answer_to(question)
        try:
            if asked.kind == "permission":
                allow = answer is not None and answer.strip().lower() in _YES
                why = NO_ANSWER if answer is None else f"The user answered: {answer}"
                await self._workspace.decide(session_id, asked.id, allow=allow, why=why)
            else:
                await self._workspace.answer(session_id, asked.id, answer or NO_ANSWER)
        except QuestionGone as gone:
            await self._job.log("system", gone.detail)
        except WorkspaceFailed as failure:
            raise AnswerLate(failure.detail) from failure
        await self._job.save(_KEY, None)

    def _asked(self) -> _Question | None:
        saved = self._job.saved(_KEY)
        return _Question.model_validate(saved) if saved else None

    async def _answer_to(self, question: _Question) -> str | None:
        """Return what the user answered, however many runs ago; None: nothing in time."""
        seconds = self._job.agent.services.settings.sandbox.question_seconds
        asking = Asking(question.text, question.options, question.kind, seconds)
        try:
            return await self._job.ask(asking, key=question.key)
        except Unanswered:
            return None


class _Question(BaseModel):
    key: str
    text: str
    kind: QuestionKind
    options: list[str] = []
