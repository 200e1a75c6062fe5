"""Two API processes on one database count wrong passwords together."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import cycle
from pathlib import Path

import httpx
import pytest

from growqr.testing import Platform

pytestmark = pytest.mark.live

# Nobody here needs an agent, so no engine has to be there.
SETTINGS = {
    "GROWQR_RIVET__ENDPOINT": "http://127.0.0.1:9",
    "GROWQR_IDENTITY__LOGIN_FAILURES": "3",
}
ACCOUNT = {"email": "ada@example.org", "password": "correct horse battery"}


def log_in(platform: Platform, password: str) -> int:
    body = {**ACCOUNT, "password": password}
    url = f"{platform.url}/auth/login"
    return httpx.post(url, json=body, timeout=60, trust_env=False).status_code


def test_wrong_passwords_lock_an_account_at_every_process(tmp_path: Path) -> None:
    one, other = (Platform(tmp_path, SETTINGS, command="api") for _ in range(2))
    with ExitStack() as stack, ThreadPoolExecutor() as pool:
        stack.push(one)  # stops what has been started
        stack.push(other)
        list(pool.map(Platform.start, (one, other)))
        body = {**ACCOUNT, "name": "Ada"}
        url = f"{one.url}/auth/register"
        httpx.post(url, json=body, timeout=60, trust_env=False).raise_for_status()
        assert log_in(other, ACCOUNT["password"]) == 200
        guesses = zip(cycle((one, other)), range(4), strict=False)
        told = [log_in(platform, f"guess {number}") for platform, number in guesses]
        assert told == [401, 401, 401, 429]
        for platform in (one, other):
            assert log_in(platform, ACCOUNT["password"]) == 429
