from agents.lease import MARGIN_S, Lease


def test_a_lease_lasts_for_the_session_after_an_answered_heartbeat() -> None:
    now = [100.0]
    lease = Lease(10.0, lambda: now[0])
    now[0] = 105.0
    lease.renew(104.0)
    assert lease.remaining_s() == 9.0 - MARGIN_S


def test_a_lease_of_a_worker_that_was_frozen_has_lapsed() -> None:
    now = [100.0]
    lease = Lease(10.0, lambda: now[0])
    now[0] = 130.0
    assert lease.remaining_s() < 0


def test_an_answer_that_comes_late_does_not_shorten_a_lease() -> None:
    now = [100.0]
    lease = Lease(10.0, lambda: now[0])
    lease.renew(99.0)
    assert lease.remaining_s() == 10.0 - MARGIN_S
