"""A person at the HTTP API, as a program of theirs would use it."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Self

import httpx

from growqr.ids import new_id

Event = dict[str, Any]


class _Transport(httpx.HTTPTransport):
    """Repeats what is answered "not now, try again" for as long as it is told to be patient."""

    patient = False

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        while True:
            answer = super().handle_request(request)
            if not self.patient or answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                return answer
            answer.close()
            time.sleep(float(answer.headers["retry-after"]))


class Person:
    """Registered and provisioned at `url`; `actor_id` is the Grow Agent's."""

    def __init__(self, url: str, client: httpx.Client, session: dict[str, Any]) -> None:
        self.url = url
        self.client = client
        self.session = session
        self.actor_id: str = self.post("/actors/provision")["actor"]["id"]

    @classmethod
    def register(cls, url: str, name: str = "Ada") -> Self:
        email = f"{name.lower()}-{new_id('x')[-8:]}@example.com"
        account = {"email": email, "password": "correct horse 1", "name": name}
        client = httpx.Client(base_url=url, timeout=60, transport=_Transport())
        session = client.post("/auth/register", json=account).raise_for_status().json()
        client.headers["authorization"] = f"Bearer {session['token']}"
        return cls(url, client, session)

    def be_patient(self) -> None:
        """Repeat from now on what can't be answered yet, as after a crash of the platform."""
        assert isinstance(self.client._transport, _Transport)
        self.client._transport.patient = True

    @property
    def email(self) -> str:
        return str(self.session["user"]["email"])

    def get(self, path: str, **query: Any) -> Any:
        return self.client.get(path, params=query).raise_for_status().json()

    def post(self, path: str, body: Any = None) -> Any:
        return self.client.post(path, json=body).raise_for_status().json()

    def send(self, text: str, actor_id: str | None = None, key: str | None = None) -> str:
        """Send a message; gives its id once the API has promised to keep it."""
        headers = {"idempotency-key": key or new_id("key")}  # it may have to be repeated
        path = f"/actors/{actor_id or self.actor_id}/message"
        answer = self.client.post(path, json={"text": text}, headers=headers)
        assert answer.status_code == 202, answer.text
        return str(answer.json()["message_id"])

    @contextmanager
    def events(self, after: int = 0, actor_id: str | None = None) -> Iterator[Iterator[Event]]:
        """Follow the event stream; each event must come within a minute of the last."""
        path = f"/actors/{actor_id or self.actor_id}/events"
        headers = {"accept": "text/event-stream"}
        timeout = httpx.Timeout(30, read=60)
        with self.client.stream(
            "GET", path, params={"after": after}, headers=headers, timeout=timeout
        ) as stream:
            stream.raise_for_status()
            yield (
                json.loads(line.removeprefix("data:"))
                for line in stream.iter_lines()
                if line.startswith("data:")
            )

    def wait_for(self, wanted: Callable[[Event], bool], after: int = 0) -> Event:
        """Return the first event that is `wanted`, past or to come."""
        with self.events(after) as events:
            return next(event for event in events if wanted(event))

    def reply_to(self, message_id: str) -> str:
        """Wait for the answer to a message and return its text."""
        event = self.wait_for(lambda event: is_reply(event, message_id))
        return str(event["data"]["text"])

    def stored_events(self) -> list[Event]:
        """Return the whole stored log of the Grow Agent, page by page."""
        log: list[Event] = []
        headers = {"accept": "application/json"}
        while True:
            after = log[-1]["seq"] if log else 0
            path = f"/actors/{self.actor_id}/events"
            page = self.client.get(path, params={"after": after}, headers=headers)
            items = page.raise_for_status().json()["items"]
            if not items:
                return log
            log += items

    def agent(self, name: str) -> dict[str, Any]:
        """Return the registry row of a sub-agent, by its name."""
        rows: list[dict[str, Any]] = self.get("/actors")["items"]
        return next(row for row in rows if row["name"] == name)


def is_reply(event: Event, message_id: str) -> bool:
    """Tell whether the event is the answer to that message."""
    data: dict[str, Any] = event["data"]
    return bool(event["type"] == "message.completed" and data.get("in_reply_to") == message_id)
