from agents.polls import Polls

HERE, THERE = ("fixes", 0), ("fixes", 1)


def test_an_answer_was_asked_for_after_the_one_before_it() -> None:
    polls = Polls()
    assert polls.asked_after_s(HERE, 1_000) == 0.0, "the first says nothing of when it was asked for"
    assert polls.asked_after_s(HERE, 1_000) == 0.0
    assert polls.asked_after_s(HERE, 1_500) == 1.0
    assert polls.asked_after_s(HERE, 1_500) == 1.0, "no answer since: what is known grows old"
    assert polls.asked_after_s(THERE, 1_700) == 0.0
    assert polls.asked_after_s(HERE, 9_000) == 1.5


def test_it_begins_anew_with_a_new_assignment_and_with_a_clock_set_back() -> None:
    polls = Polls()
    polls.asked_after_s(HERE, 1_000)
    polls.asked_after_s(HERE, 1_500)
    assert polls.asked_after_s(HERE, None) == 0.0
    assert polls.asked_after_s(HERE, 2_000) == 0.0
    assert polls.asked_after_s(HERE, 500) == 0.0
    assert polls.asked_after_s(HERE, 700) == 0.5
