"""QScore: a backing service for GrowQR's agents, small enough to read before you write your own.

It scores self-assessments and keeps them per person. Whose they are is what the token says,
never what the request says. See README.md for how to run it.
"""

import os
import time
from collections import OrderedDict, defaultdict
from typing import Annotated, Any

import httpx
from fastapi import Depends, FastAPI, Header, HTTPException
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from pydantic import BaseModel, Field

AUDIENCE = "qscore"
FRUITLESS_SECONDS = 10.0
"""How long after reading the keys in vain: made-up tokens must not make us ask all the time."""


class Verifier:
    """Checks GrowQR's tokens with its published keys; asks GrowQR only for those."""

    def __init__(self, growqr_url: str) -> None:
        self._url = f"{growqr_url.rstrip('/')}/.well-known/jwks.json"
        self._keys = KeySet([])
        self._again_at = 0.0
        self._used: OrderedDict[str, float] = OrderedDict()
        self._rules = jwt.JWTClaimsRegistry(
            leeway=5,
            iss={"essential": True, "value": "growqr"},
            aud={"essential": True, "value": AUDIENCE},
            exp={"essential": True},
            sub={"essential": True},
            jti={"essential": True},
            scope={"essential": True},
        )

    async def user(self, token: str, scope: str) -> str:
        """Return whose agent calls; the token is used up by that. Raises HTTPException."""
        try:
            claims = await self._claims(token)
            self._rules.validate(claims)
        except (JoseError, ValueError) as error:
            raise HTTPException(401, "The token is not valid, or it has expired.") from error
        if scope not in str(claims["scope"]).split():
            raise HTTPException(403, f"The token is not for {scope}.")
        self._use_up(str(claims["jti"]), float(claims["exp"]))
        return str(claims["sub"])

    async def _claims(self, token: str) -> dict[str, Any]:
        try:
            return self._decoded(token)
        except (JoseError, ValueError):
            if time.monotonic() < self._again_at:
                raise
        async with httpx.AsyncClient(timeout=5, trust_env=False) as http:
            read = KeySet.import_key_set((await http.get(self._url)).json())
        if {key.kid for key in read} == {key.kid for key in self._keys}:
            self._again_at = time.monotonic() + FRUITLESS_SECONDS
        self._keys = read  # maybe it was signed with a key that is new
        return self._decoded(token)

    def _decoded(self, token: str) -> dict[str, Any]:
        return jwt.decode(token, self._keys, algorithms=["Ed25519"]).claims

    def _use_up(self, token_id: str, expires: float) -> None:
        while self._used and next(iter(self._used.values())) < time.time() - 10:
            self._used.popitem(last=False)
        if token_id in self._used:
            raise HTTPException(401, "The token was used before.")
        self._used[token_id] = expires


class Assessment(BaseModel):
    """How somebody sees themselves, each answer from 1 (not at all) to 5 (fully)."""

    skill: str = Field(min_length=1, max_length=80)
    answers: list[Annotated[int, Field(ge=1, le=5)]] = Field(min_length=1, max_length=50)


class Score(BaseModel):
    """From 0 to 100, and out of how many assessments."""

    skill: str
    score: int
    assessments: int


def create_app(growqr_url: str = "") -> FastAPI:
    """Return the service; `growqr_url` is where GrowQR is (default: `GROWQR_URL`)."""
    verifier = Verifier(growqr_url or os.environ["GROWQR_URL"])
    kept: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    done: dict[tuple[str, str], Score] = {}
    app = FastAPI(title="QScore")

    def allowed(scope: str) -> Any:
        async def check(authorization: Annotated[str, Header()] = "") -> str:
            return await verifier.user(authorization.removeprefix("Bearer "), scope)

        return Depends(check)

    @app.post("/assessments")
    async def assess(
        given: Assessment,
        user: Annotated[str, allowed("qscore:assess")],
        idempotency_key: Annotated[str, Header()],
    ) -> Score:
        """Score an assessment; the same key is the same assessment."""
        if (known := done.get((user, idempotency_key))) is not None:
            return known
        kept[user][given.skill] += given.answers
        kept_answers = kept[user][given.skill]
        count = 1 + sum(user == who for who, _ in done)
        share = (sum(kept_answers) / len(kept_answers) - 1) / 4
        done[user, idempotency_key] = Score(
            skill=given.skill, score=round(100 * share), assessments=count
        )
        return done[user, idempotency_key]

    @app.get("/scores/{skill}")
    async def latest(skill: str, user: Annotated[str, allowed("qscore:latest")]) -> Score:
        """The newest score of a skill."""
        found = [score for (who, _), score in done.items() if (who, score.skill) == (user, skill)]
        if not found:
            raise HTTPException(404, f"There is no assessment of {skill}.")
        return found[-1]

    return app
