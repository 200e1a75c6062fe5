"""Local accounts: register, log in, stay logged in."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from email_validator import EmailNotValidError, validate_email
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from growqr.db import accounts as queries
from growqr.db.engine import Database
from growqr.db.tables import RefreshToken, User
from growqr.errors import Conflict, InvalidInput, Unauthenticated
from growqr.identity.attempts import AttemptLimit, TooManyAttempts
from growqr.identity.passwords import Passwords, PasswordsBusy
from growqr.identity.principal import Principal
from growqr.identity.tokens import TokenService
from growqr.ids import new_id
from growqr.settings import IdentitySettings

REUSE_GRACE = timedelta(seconds=20)
"""A used refresh token still works this long: two tabs may refresh at once, or an answer may
get lost. After it, a second use means that the token was stolen."""

_TAKEN = "An account with this address exists. Log in instead."
_WRONG = "The password is wrong."
_LOCKED_SECONDS = 900
_MANY = 10
"""So many times the failures of one account from one network address lock the account for all
addresses, and the address for all accounts: more, because whoever wants to lock somebody out can
cause them."""


class EmailTaken(Conflict):
    """An account with this address exists."""

    code = "email_taken"


class EmailInvalid(InvalidInput):
    """Not an e-mail address."""

    code = "email_invalid"


class LoginFailed(Unauthenticated):
    """No account with this address and password; which of the two is wrong stays open."""

    code = "login_failed"
    title = "Login failed"


class RefreshRefused(Unauthenticated):
    """The refresh token is unknown, expired, revoked or was used before."""

    code = "refresh_refused"


@dataclass(frozen=True)
class Login:
    """What a client needs to act as the user; `expires_at` is that of `token`."""

    user: Principal
    token: str
    refresh_token: str
    expires_at: datetime


class Accounts:
    """Accounts in our own database."""

    def __init__(
        self,
        db: Database,
        tokens: TokenService,
        settings: IdentitySettings,
        passwords: Passwords | None = None,
    ) -> None:
        self._db = db
        self._tokens = tokens
        self._refresh_lifetime = timedelta(days=settings.refresh_days)
        self._passwords = passwords or Passwords()
        self._registrations = AttemptLimit(db, "register", settings.registrations_per_hour, 3600)
        self._taken = AttemptLimit(db, "taken", settings.login_failures, _LOCKED_SECONDS)
        self._failures = AttemptLimit(db, "login", settings.login_failures, _LOCKED_SECONDS)
        many = _MANY * settings.login_failures
        self._failures_anywhere = AttemptLimit(db, "login from anywhere", many, _LOCKED_SECONDS)
        self._failures_from = AttemptLimit(db, "login from address", many, _LOCKED_SECONDS)

    async def register(self, *, email: str, password: str, name: str, address: str) -> Login:
        """Make an account; `address` is where the request came from.

        Whoever is told of a taken address has tried it: those are limited as guesses of a
        password are, and then even a free one is refused. Raises EmailInvalid, EmailTaken,
        TooManyAttempts, PasswordsBusy.
        """
        email = _normal_email(email)
        await self._registrations.take(address)
        await self._taken.take(address)
        async with self._db.session() as session:
            if await queries.find_user_by_email(session, email) is not None:
                raise EmailTaken(_TAKEN)
        await self._taken.give_back(address)
        hashed = await self._passwords.hash(password)
        user = User(id=new_id("usr"), email=email, name=name, password_hash=hashed)
        try:
            async with self._db.session() as session:
                session.add(user)
                await session.flush()
                return self._log_in(session, user)
        except IntegrityError as error:  # made twice at once
            raise EmailTaken(_TAKEN) from error

    async def login(self, *, email: str, password: str, address: str) -> Login:
        """Check the password.

        Raises LoginFailed, TooManyAttempts (per e-mail and address), PasswordsBusy.
        """
        try:
            email = _normal_email(email)
        except EmailInvalid:
            email = ""  # nobody has it; the work and the answer are the same as for a wrong one
        async with self._db.session() as session:
            user = await queries.find_user_by_email(session, email)
        right = await self._matches(user, password, account=email, address=address)
        if user is None or not right:
            raise LoginFailed("The e-mail address or the password is wrong.")
        async with self._db.session() as session:
            await queries.drop_expired_tokens(session, user.id, datetime.now(UTC))
            return self._log_in(session, user)

    async def refresh(self, refresh_token: str) -> Login:
        """Exchange a refresh token for a new pair; the old one is used up.

        When a used one comes back later than REUSE_GRACE, the whole login is revoked.
        Raises RefreshRefused.
        """
        token_hash = _hash(refresh_token)
        now = datetime.now(UTC)
        async with self._db.session() as session:
            user = await queries.lock_owner(session, token_hash)
            if user is not None:
                # Written before it is read: what is read then, nobody changes until the end.
                await queries.use_refresh_token(session, token_hash, now)
                token = await session.get_one(RefreshToken, token_hash)
                fresh = token.revoked_at is None and token.expires_at > now
                if fresh and token.used_at and now - token.used_at < REUSE_GRACE:
                    return self._log_in(session, user, family_id=token.family_id)
                await queries.revoke_family(session, token.family_id, now)
        raise RefreshRefused("Please log in again.")

    async def logout(self, refresh_token: str, *, everywhere: bool = False) -> None:
        """Revoke the login that this token belongs to, or all of its user's.

        A token that is unknown is no error; one that was revoked ends nothing else.
        """
        async with self._db.session() as session:
            user = await queries.lock_owner(session, _hash(refresh_token))
            if user is None:
                return
            token = await session.get_one(RefreshToken, _hash(refresh_token))
            now = datetime.now(UTC)
            if everywhere and token.revoked_at is None and token.expires_at > now:
                await queries.revoke_all(session, user.id, now)
            else:
                await queries.revoke_family(session, token.family_id, now)

    async def change_password(self, user_id: str, *, current: str, new: str, address: str) -> Login:
        """Set a new password and end every other login; returns a new one.

        Raises LoginFailed when `current` is wrong, and what `login` raises else.
        """
        await self.check_password(user_id, current, address=address)
        hashed = await self._passwords.hash(new)
        async with self._db.session() as session:
            user = await session.get(User, user_id, with_for_update=True)  # see `lock_owner`
            if user is None:  # the account was deleted meanwhile
                raise LoginFailed(_WRONG)
            await queries.revoke_all(session, user_id, datetime.now(UTC))
            user.password_hash = hashed
            return self._log_in(session, user)

    async def check_password(self, user_id: str, password: str, *, address: str) -> None:
        """Raise LoginFailed unless this is the user's password, and what `login` raises else."""
        async with self._db.session() as session:
            user = await session.get(User, user_id)
        if not await self._matches(user, password, account=user_id, address=address):
            raise LoginFailed(_WRONG)

    async def _matches(
        self, user: User | None, password: str, *, account: str, address: str
    ) -> bool:
        """Check a password, for as much work where there is no user, and count it if wrong."""
        # Taken before the check: of guesses that come at once, none is too many.
        of_account = (self._failures, f"{account} {address}"), (self._failures_anywhere, account)
        taken: list[tuple[AttemptLimit, str]] = []
        try:
            for limit, key in (*of_account, (self._failures_from, address)):
                await limit.take(key)
                taken.append((limit, key))
            right = await self._passwords.matches(user.password_hash if user else None, password)
        except (TooManyAttempts, PasswordsBusy):  # nothing was tried
            for limit, key in taken:
                await limit.give_back(key)
            raise
        if right:
            for limit, key in of_account:
                await limit.forget(key)
            # Not forgotten: a login of one's own must not pay for guesses at others'.
            await self._failures_from.give_back(address)
        return right

    def _log_in(self, session: AsyncSession, user: User, family_id: str | None = None) -> Login:
        principal = Principal(user.id, user.email, user.name)
        access = self._tokens.issue(principal)
        refresh_token = f"grt_{secrets.token_urlsafe(32)}"
        session.add(
            RefreshToken(
                token_hash=_hash(refresh_token),
                family_id=family_id or new_id("fam"),
                user_id=user.id,
                expires_at=datetime.now(UTC) + self._refresh_lifetime,
                used_at=None,
                revoked_at=None,
            )
        )
        return Login(principal, access.text, refresh_token, access.expires_at)


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _normal_email(email: str) -> str:
    try:
        return validate_email(email, check_deliverability=False).normalized.lower()
    except EmailNotValidError as error:
        raise EmailInvalid(f"`email` is not an e-mail address: {error}") from error
