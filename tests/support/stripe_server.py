"""A Stripe-like server of our own on loopback, with the endpoints that we call.

localstripe (`tests.support.localstripe`) has no prices, Checkout Sessions or portal, and answers in
the shapes of older API versions; this one answers as version 2026-10-28 does. Its webhooks are
signed as Stripe signs them. It delivers them to `webhook_url`; without one they stay in `outbox`
for a test to deliver.
"""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from itertools import count
from typing import Any
from urllib.parse import parse_qsl

import httpx
import stripe
import uvicorn
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

Json = dict[str, Any]

API_KEY = "sk_test_growqr"
WEBHOOK_SECRET = "whsec_growqr_test"
DAY = 86_400


@dataclass(frozen=True)
class Signed:
    """A webhook, ready to be sent."""

    body: bytes
    signature: str

    @property
    def headers(self) -> dict[str, str]:
        return {"stripe-signature": self.signature, "content-type": "application/json"}


def sign(event: Json, *, secret: str = WEBHOOK_SECRET, at: int | None = None) -> Signed:
    text = json.dumps(event)
    header = stripe.WebhookSignature.generate_signature_header(text, secret, at)
    return Signed(text.encode(), header)


@dataclass
class StripeServer:
    """Its state, and what a test does to it: `fail_payment`, `pay`, `cancel`, `delete`."""

    url: str = ""
    webhook_url: str = ""
    down: bool = False
    requests: list[str] = field(default_factory=list)
    customers: dict[str, Json] = field(default_factory=dict)
    subscriptions: dict[str, Json] = field(default_factory=dict)
    checkouts: dict[str, Json] = field(default_factory=dict)
    outbox: list[Signed] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))
    _repeats: dict[str, Json] = field(default_factory=dict)

    # What happens at Stripe

    def subscribe(self, customer: str, price: str, trial_days: int = 0) -> Json:
        now = int(time.time())
        number = next(self._numbers)
        end = now + (trial_days or 30) * DAY
        made: Json = {
            "id": f"sub_{number}",
            "object": "subscription",
            "customer": customer,
            "status": "trialing" if trial_days else "active",
            "created": now + number,
            "cancel_at": None,
            "cancel_at_period_end": False,
            "trial_end": end if trial_days else None,
            "items": {
                "object": "list",
                "data": [
                    {
                        "id": f"si_{number}",
                        "object": "subscription_item",
                        "price": {"id": price, "object": "price"},
                        "current_period_end": end,
                    }
                ],
            },
            "latest_invoice": {"id": f"in_{number}", "object": "invoice", "created": now},
        }
        self.subscriptions[made["id"]] = made
        self._tell("customer.subscription.created", made)
        self._tell("invoice.paid", {**made["latest_invoice"], "customer": customer})
        return made

    def of(self, customer: str) -> Json:
        """The customer's newest subscription."""
        return [s for s in self.subscriptions.values() if s["customer"] == customer][-1]

    def fail_payment(self, customer: str, days_ago: float = 0) -> None:
        """The next period's invoice, made `days_ago`, is not paid."""
        created = int(time.time() - days_ago * DAY)
        invoice = {"id": f"in_{next(self._numbers)}", "object": "invoice", "created": created}
        self._change(customer, status="past_due", latest_invoice=invoice)
        self._tell("invoice.payment_failed", {**invoice, "customer": customer})

    def pay(self, customer: str) -> None:
        self._change(customer, status="active")
        self._tell("invoice.paid", {**self.of(customer)["latest_invoice"], "customer": customer})

    def cancel(self, customer: str) -> None:
        """At the end of the period."""
        self._change(customer, cancel_at_period_end=True)

    def delete(self, customer: str) -> None:
        """Now."""
        self._change(customer, kind="customer.subscription.deleted", status="canceled")

    def change_price(self, customer: str, price: str) -> None:
        self.of(customer)["items"]["data"][0]["price"]["id"] = price
        self._change(customer)

    def _change(
        self, customer: str, kind: str = "customer.subscription.updated", **fields: Any
    ) -> None:
        found = self.of(customer)
        found.update(fields)
        self._tell(kind, found)

    def _tell(self, kind: str, about: Json) -> None:
        event = {
            "id": f"evt_{next(self._numbers)}",
            "object": "event",
            "type": kind,
            "created": int(time.time()),
            "data": {"object": deepcopy(about)},
        }
        self.outbox.append(sign(event))

    def deliver(self) -> None:
        """Send what is in the outbox to `webhook_url`, as Stripe does."""
        while self.webhook_url and self.outbox:
            webhook = self.outbox.pop(0)
            with httpx.Client(trust_env=False, timeout=30) as http:
                answer = http.post(self.webhook_url, content=webhook.body, headers=webhook.headers)
            assert answer.status_code == 204, answer.text

    # HTTP

    async def create_customer(self, request: Request) -> Response:
        form = await _form(request)
        key = request.headers.get("idempotency-key", "")
        if key not in self._repeats:
            number = next(self._numbers)
            made: Json = {
                "id": f"cus_{number}",
                "object": "customer",
                "email": form["email"],
                "metadata": {"user_id": form["metadata[user_id]"]},
            }
            self.customers[made["id"]] = self._repeats[key] = made
        return JSONResponse(self._repeats[key])

    async def delete_customer(self, request: Request) -> Response:
        customer = request.path_params["id"]
        if self.customers.pop(customer, None) is None:
            error = {"type": "invalid_request_error", "code": "resource_missing"}
            return JSONResponse({"error": error}, 404)
        for subscription in self.subscriptions.values():
            if subscription["customer"] == customer:
                subscription["status"] = "canceled"
        return JSONResponse({"id": customer, "object": "customer", "deleted": True})

    async def create_checkout(self, request: Request) -> Response:
        form = await _form(request)
        made: Json = {
            "id": f"cs_{next(self._numbers)}",
            "object": "checkout.session",
            "customer": form["customer"],
            "price": form["line_items[0][price]"],
            "trial_days": int(form.get("subscription_data[trial_period_days]", "0")),
            "success_url": form["success_url"],
            "cancel_url": form["cancel_url"],
        }
        if made["customer"] not in self.customers:
            return _error(400, f"No such customer: {made['customer']}")
        made["url"] = f"{self.url}/pay/{made['id']}"
        self.checkouts[made["id"]] = made
        return JSONResponse(made)

    async def create_portal(self, request: Request) -> Response:
        form = await _form(request)
        url = f"{self.url}/portal/{form['customer']}?back={form['return_url']}"
        return JSONResponse({"id": "bps_1", "object": "billing_portal.session", "url": url})

    async def list_subscriptions(self, request: Request) -> Response:
        customer = request.query_params["customer"]
        found = [s for s in self.subscriptions.values() if s["customer"] == customer]
        found.reverse()  # Stripe lists the newest first
        return JSONResponse(
            {"object": "list", "url": "/v1/subscriptions", "has_more": False, "data": found}
        )

    async def update_subscription(self, request: Request) -> Response:
        form = await _form(request)
        found = self.subscriptions[request.path_params["id"]]
        assert form["items[0][id]"] == found["items"]["data"][0]["id"]
        found["items"]["data"][0]["price"]["id"] = form["items[0][price]"]
        self._change(found["customer"], cancel_at_period_end=False)
        return JSONResponse(found, background=BackgroundTask(self.deliver))

    # Pages, for people

    async def pay_page(self, request: Request) -> Response:
        made = self.checkouts[request.path_params["id"]]
        if request.method == "POST":
            self.subscribe(made["customer"], made["price"], made["trial_days"])
            self._tell("checkout.session.completed", {**made, "object": "checkout.session"})
            return RedirectResponse(made["success_url"], 303, background=self._delivery())
        return HTMLResponse(
            f"<title>Pay</title><h1>Pay for {made['price']}</h1>"
            "<form method=post><button>Pay</button></form>"
        )

    async def portal_page(self, request: Request) -> Response:
        customer = request.path_params["id"]
        if request.method == "POST":
            self.pay(customer)
            return RedirectResponse(request.query_params["back"], 303, background=self._delivery())
        return HTMLResponse(
            "<title>Portal</title><h1>Your invoices</h1>"
            "<form method=post><button>Pay what is open</button></form>"
        )

    def _delivery(self) -> BackgroundTask:
        return BackgroundTask(self.deliver)

    def app(self) -> Starlette:
        def guarded(handler: Callable[[Request], Any]) -> Callable[[Request], Any]:
            async def handle(request: Request) -> Response:
                self.requests.append(f"{request.method} {request.url.path}")
                if self.down:
                    return _error(500, "Stripe is down")
                if request.headers.get("authorization") != f"Bearer {API_KEY}":
                    return _error(401, "Invalid API key")
                answer: Response = await handler(request)
                return answer

            return handle

        def api(path: str, handler: Callable[[Request], Any], method: str = "POST") -> Route:
            return Route(f"/v1/{path}", guarded(handler), methods=[method])

        return Starlette(
            routes=[
                api("customers", self.create_customer),
                api("customers/{id}", self.delete_customer, "DELETE"),
                api("checkout/sessions", self.create_checkout),
                api("billing_portal/sessions", self.create_portal),
                api("subscriptions", self.list_subscriptions, "GET"),
                api("subscriptions/{id}", self.update_subscription),
                Route("/pay/{id}", self.pay_page, methods=["GET", "POST"]),
                Route("/portal/{id}", self.portal_page, methods=["GET", "POST"]),
            ]
        )


async def _form(request: Request) -> dict[str, str]:
    return dict(parse_qsl((await request.body()).decode()))


def _error(status: int, message: str) -> Response:
    return JSONResponse({"error": {"type": "api_error", "message": message}}, status)


@contextmanager
def stripe_server() -> Iterator[StripeServer]:
    """Run one on a free port, in a thread."""
    state = StripeServer()
    with serve(state.app()) as url:
        state.url = url
        yield state


@contextmanager
def serve(app: Starlette) -> Iterator[str]:
    """Serve an application on a free loopback port; gives its address."""
    config = uvicorn.Config(app, port=0, log_level="error", lifespan="off", ws="none")
    server = uvicorn.Server(config)
    socket = config.bind_socket()
    socket.listen()  # so that callers are heard, however long the thread takes to begin
    thread = threading.Thread(target=server.run, args=([socket],), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{socket.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)
        socket.close()
