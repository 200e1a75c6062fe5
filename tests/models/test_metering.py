from datetime import UTC, datetime

from growqr.models.metering import Ledger, Rate


def test_a_rate_fills_again_steadily() -> None:
    at = 0.0
    rate = Rate(60, lambda: at)
    assert [rate.take() for _ in range(60)] == [0] * 60
    assert rate.take() == 1.0
    at = 0.5
    assert rate.take() == 0.5
    at = 2.0
    assert [rate.take(), rate.take()] == [0, 0]
    assert rate.take() > 0
    at = 3600.0
    assert [rate.take() for _ in range(60)] == [0] * 60  # a long rest saves up no more
    assert rate.take() > 0


def test_the_ledger_begins_again_each_day() -> None:
    at = datetime(2026, 1, 1, 23, 59, tzinfo=UTC)
    ledger = Ledger(clock=lambda: at)
    ledger.add("a", 5, 2)
    ledger.add("a", 1, 1)
    assert (ledger.today("a").requests, ledger.today("a").tokens) == (2, 9)
    assert ledger.today("b").tokens == 0
    at = datetime(2026, 1, 2, 0, 0, tzinfo=UTC)
    assert ledger.today("a").tokens == 0
    ledger.close()
