"""A trainer that ends badly without a word: there is no traceback to look for."""

from __future__ import annotations

from launcher.run.failure import explain


def test_no_final_model_and_no_traceback() -> None:
    failure = explain(0, "loading\nsteps: 100%|██████████| 5/5 [00:01<00:00,  5.41it/s, avr_loss=0.992]\n")
    assert failure.exception == ""
    assert "no final model" in failure.reason
    assert failure.log_tail[0] == "loading"


def test_colours_of_the_log_are_left_out() -> None:
    assert explain(1, "a \x1b[0;32mINFO\x1b[0m line\n").log_tail == ("a INFO line",)
