"""localstripe, an independent imitation of Stripe, as a process of its own.

It has no prices, Checkout Sessions or portal (`tests.support.stripe_server` has), but customers,
subscriptions, invoices that cards pay or don't, and signed webhooks, none of it by us.
"""

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx

Json = dict[str, Any]

GOOD_CARD = "4242424242424242"
FAILING_CARD = "4000000000000341"
"""It can be attached, but not charged."""
KEY = "sk_test_12345"
_PLAN = "plan_pro"
# It would write all it holds to /tmp/localstripe.pickle at every change, and has no setting for
# that; ours forget everything at their end anyway.
_SERVE = """
import socket, sys
from aiohttp import web
from localstripe.resources import Store
from localstripe.server import app
Store.dump_to_disk = lambda store: None
web.run_app(app, sock=socket.socket(fileno=int(sys.argv[1])))
"""


class LocalStripe:
    """What a test does at Stripe, through its API."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._http = httpx.Client(base_url=url, auth=(KEY, ""), trust_env=False, timeout=30)

    def set_up(self, webhook_url: str, secret: str) -> None:
        """Sell one thing, and tell `webhook_url` of everything."""
        self.post("/_config/webhooks/test", url=webhook_url, secret=secret)
        self.post("/v1/products", id="prod_1", name="GrowQR", type="service")
        terms = {"currency": "eur", "amount": 900, "interval": "month"}
        self.post("/v1/plans", id=_PLAN, product="prod_1", **terms)

    def use_card(self, customer: str, number: str) -> None:
        """Pay with this card from now on."""
        card = {"card[number]": number, "card[exp_month]": 12, "card[exp_year]": 2040}
        made = self.post("/v1/payment_methods", type="card", **card, **{"card[cvc]": 123})
        self.post(f"/v1/payment_methods/{made['id']}/attach", customer=customer)
        default = {"invoice_settings[default_payment_method]": made["id"]}
        self.post(f"/v1/customers/{customer}", **default)

    def subscribe(self, customer: str) -> str:
        """Return the new subscription's id; the customer's card is charged."""
        made = self.post("/v1/subscriptions", customer=customer, **{"items[0][plan]": _PLAN})
        return str(made["id"])

    def pay(self, customer: str) -> None:
        """Charge the newest invoice again."""
        invoices = self._http.get("/v1/invoices", params={"customer": customer}).json()["data"]
        self.post(f"/v1/invoices/{invoices[0]['id']}/pay")

    def cancel(self, subscription: str) -> None:
        """End it now."""
        self._http.delete(f"/v1/subscriptions/{subscription}").raise_for_status()

    def post(self, path: str, **form: Any) -> Json:
        answer = self._http.post(path, data=form).raise_for_status()
        return dict(answer.json()) if answer.content else {}

    def close(self) -> None:
        self._http.close()


@contextmanager
def localstripe() -> Iterator[LocalStripe]:
    """Run one on a free loopback port; its own command would listen everywhere."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        process = subprocess.Popen(
            [sys.executable, "-c", _SERVE, str(listening.fileno())],
            pass_fds=[listening.fileno()],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        server = LocalStripe(f"http://127.0.0.1:{listening.getsockname()[1]}")
    try:
        yield server
    finally:
        server.close()
        process.kill()
        process.wait()
