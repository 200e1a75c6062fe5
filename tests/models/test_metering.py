from growqr.models.metering import Rate


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
