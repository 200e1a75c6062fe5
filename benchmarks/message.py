"""How long a message takes: until the API has it for good, and until the answer is there.

Starts the whole platform with the offline model, which answers at once, so the figures are
those of the machinery. One person, one message at a time, over one HTTP connection, with one
follower of the event stream.
"""

import json
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path
from queue import Queue

import httpx

from benchmarks.report import Result
from growqr.testing import Platform

WARM_UP = 20
COUNT = 300
QUESTION = "hello"


def run() -> list[Result]:
    with tempfile.TemporaryDirectory() as folder, Platform(Path(folder)) as platform:
        return measure(platform.url, COUNT)


def measure(url: str, count: int) -> list[Result]:
    """Send `count` messages to a new account at `url`; gives both measured rows."""
    with httpx.Client(base_url=url, timeout=30) as client:
        account = {"email": "bench@example.com", "password": "bench-password-1", "name": "Bench"}
        token = client.post("/auth/register", json=account).raise_for_status().json()["token"]
        client.headers["authorization"] = f"Bearer {token}"
        actor = client.post("/actors/provision").raise_for_status().json()["actor"]["id"]
        answered: Queue[tuple[str | None, float]] = Queue()
        follower = threading.Thread(target=_follow, args=(url, token, actor, answered), daemon=True)
        follower.start()
        accepted_ms: list[float] = []
        answered_ms: list[float] = []
        for number in range(WARM_UP + count):
            began = time.perf_counter()
            reply = client.post(f"/actors/{actor}/message", json={"text": QUESTION})
            accepted = time.perf_counter()
            message_id = reply.raise_for_status().json()["message_id"]
            in_reply_to, completed = answered.get(timeout=30)
            while in_reply_to != message_id:
                in_reply_to, completed = answered.get(timeout=30)
            if number >= WARM_UP:
                accepted_ms.append((accepted - began) * 1000)
                answered_ms.append((completed - began) * 1000)
    return [
        Result("POST message to 202", accepted_ms, budget=10),
        Result("POST message to message.completed at the client", answered_ms, budget=30),
    ]


def _follow(url: str, token: str, actor: str, out: "Queue[tuple[str | None, float]]") -> None:
    headers = {"authorization": f"Bearer {token}", "accept": "text/event-stream"}
    with (
        suppress(httpx.RemoteProtocolError),  # the platform stops while this still listens
        httpx.Client(base_url=url, timeout=None) as client,
        client.stream("GET", f"/actors/{actor}/events?after=0", headers=headers) as stream,
    ):
        for line in stream.iter_lines():
            if line.startswith("data:"):
                arrived = time.perf_counter()
                event = json.loads(line.removeprefix("data:"))
                if event["type"] == "message.completed":
                    out.put((event["data"].get("in_reply_to"), arrived))
