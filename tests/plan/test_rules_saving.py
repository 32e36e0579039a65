"""What is saved on the way and what of it stays: each rule speaks, keeps quiet, and is silent without its source."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from loop_bed import SOURCES, A, E, W, run_of, said_by, table_tests

from launcher.base.origin import Source
from launcher.plan.checks.rules.saving import RULES

SPEAKS = [
    ("save-every-steps", "save_every_n_steps = 0", E, "division by zero"),
    ("save-every-steps", "save_every_n_steps = -5", W, "every 5 steps"),
    ("save-every-steps", "save_every_n_steps = -1", W, "saves every step"),
    ("save-every-epochs", "save_every_n_epochs = 0", E, "division by zero"),
    ("save-every-epochs", "save_every_n_epochs = -2", W, "every 2 epochs"),
    ("save-steps-too-late", "save_every_n_steps = 101", W, "the run has 100 steps"),
    ("save-epochs-too-late", "save_every_n_epochs = 3\nmax_train_epochs = 3", W, "3 epochs"),
    ("save-epochs-too-late", "save_every_n_epochs = 2\nmax_train_epochs = 1", W, "has 1 epoch."),
    ("save-last-steps-alone", "save_last_n_steps = 5", W, "without save_every_n_steps"),
    ("save-last-epochs-alone", "save_last_n_epochs = 5\nsave_every_n_steps = 10", W, "without save_every_n_epochs"),
    ("save-last-steps", "save_every_n_steps = 10\nsave_last_n_steps = 3", W, "only the newest save stays"),
    ("save-last-steps", "save_every_n_steps = 10\nsave_last_n_steps = 20", A, "the newest 3 saves stay"),
    ("save-last-steps", "save_every_n_steps = 10\nsave_last_n_steps = 29", A, "the newest 3 saves stay"),
    ("save-last-steps", "save_every_n_steps = 10\nsave_last_n_steps = -1", E, "as soon as it is written"),
    ("save-last-steps", "save_every_n_steps = 10\nsave_last_n_steps = -11", W, "nothing is removed"),
    ("save-last-epochs", "save_every_n_epochs = 1\nsave_last_n_epochs = 0", E, "as soon as it is written"),
    ("save-last-epochs", "save_every_n_epochs = 1\nsave_last_n_epochs = -1", W, "nothing is removed"),
    ("save-last-epochs", "save_every_n_epochs = 5\nsave_last_n_epochs = 2", A, "the last 10 epochs"),
    ("save-last-epochs", "save_every_n_epochs = 5\nsave_last_n_epochs = 1", A, "only the newest save stays"),
    ("save-state-window", "save_last_n_steps_state = 5", W, "save_last_n_steps_state has no effect"),
    ("save-state-window", "save_last_n_epochs_state = 5", W, "save_last_n_epochs_state has no effect"),
    ("save-epoch-ratio", "save_n_epoch_ratio = 2\nsave_every_n_epochs = 3", W, "save_every_n_epochs has no effect"),
    ("save-epoch-ratio", "save_n_epoch_ratio = 0", W, "save_n_epoch_ratio = 0 has no effect"),
    ("save-as-pickle", 'save_model_as = "ckpt"', W, "pickle"),
    ("no-metadata", "no_metadata = true", A, "how it was made"),
]
QUIET = [
    ("save-every-steps", "save_every_n_steps = 1"),
    ("save-every-epochs", "save_every_n_epochs = 1"),
    ("save-every-epochs", "save_every_n_epochs = 0\nsave_n_epoch_ratio = 3"),
    ("save-steps-too-late", "save_every_n_steps = 100"),
    ("save-steps-too-late", "save_every_n_steps = 101\nmax_train_epochs = 3"),
    ("save-epochs-too-late", "save_every_n_epochs = 2\nmax_train_epochs = 3"),
    ("save-epochs-too-late", "save_every_n_epochs = 2"),
    ("save-last-steps-alone", "save_last_n_steps = 5\nsave_every_n_steps = 5"),
    ("save-last-epochs-alone", "save_last_n_epochs = 5\nsave_n_epoch_ratio = 5"),
    ("save-last-steps", "save_every_n_steps = 10\nsave_last_n_steps = 90"),
    ("save-last-steps", "save_every_n_steps = 0\nsave_last_n_steps = 90"),
    ("save-last-steps", "save_last_n_steps = 5"),
    ("save-last-steps", "save_every_n_steps = 10\n[run]\nkeep_last_saves = 2"),
    ("save-last-epochs", "save_every_n_epochs = 1\nsave_last_n_epochs = 2"),
    ("save-last-epochs", "save_every_n_epochs = 5\nsave_last_n_epochs = 4\nmax_train_epochs = 21"),
    ("save-last-epochs", "save_every_n_epochs = 5\n[run]\nkeep_last_saves = 2"),
    ("save-state-window", "save_last_n_steps_state = 5\nsave_state = true"),
    ("save-epoch-ratio", "save_n_epoch_ratio = 2"),
    ("save-as-pickle", 'save_model_as = "safetensors"'),
    ("no-metadata", "no_metadata = false"),
]

test_speaks, test_keeps_quiet, test_is_silent_elsewhere, test_every_rule_is_here = table_tests(RULES, SPEAKS, QUIET)


def test_what_a_template_says_was_not_chosen_for_this_length(tmp_path: Path) -> None:
    run = run_of(tmp_path, "save_every_n_steps = 400")
    (chosen,) = [one for one in run.resolved.chosen if one.option.name == "save_every_n_steps"]
    setting = replace(chosen.setting, origin=replace(chosen.setting.origin, source=Source.TEMPLATE))
    others = [one for one in run.resolved.chosen if one is not chosen]
    resolved = replace(run.resolved, chosen=(*others, replace(chosen, setting=setting)))
    finding = said_by(RULES, replace(run, resolved=resolved), "save-steps-too-late")
    assert finding is not None and finding.severity is A


@pytest.mark.parametrize(
    ("last", "every", "steps"), [(0, 7, 100), (6, 7, 100), (7, 7, 100), (40, 10, 200), (41, 10, 99)]
)
def test_the_number_of_saves_is_the_one_that_stays(tmp_path: Path, last: int, every: int, steps: int) -> None:
    saved: list[int] = []
    for step in range(every, steps + 1, every):
        saved.append(step)
        old = step - last - 1
        old -= old % every
        saved = [other for other in saved if other != old]
    text = f"save_every_n_steps = {every}\nsave_last_n_steps = {last}"
    finding = said_by(RULES, run_of(tmp_path, text, name=f"fox-v1s{steps}"), "save-last-steps")
    assert finding is not None
    assert (
        "only the newest save stays" if len(saved) == 1 else f"the newest {len(saved)} saves stay"
    ) in finding.message


def test_the_library_counts_epochs_for_scripts_that_leave_it_to_it(tmp_path: Path) -> None:
    library = "def save_on_epoch_end(args, epoch_no):\n    saving = epoch_no % args.save_every_n_epochs == 0\n"
    script = "for epoch in range(9):\n    train_util.save_on_epoch_end(args)\n"
    sources = {"train_network.py": script, "library/train_util.py": library}
    run = run_of(tmp_path, "save_every_n_epochs = 0", sources=sources)
    assert said_by(RULES, run, "save-every-epochs") is not None


def test_the_loop_is_looked_for_in_the_script_that_another_builds_on(tmp_path: Path) -> None:
    sources = {
        **SOURCES,
        "sdxl_train_network.py": "import train_network\nclass Sdxl(train_network.Trainer):\n    pass\n",
    }
    run = run_of(tmp_path, "save_every_n_steps = 0", sources=sources, script_file="sdxl_train_network.py")
    assert said_by(RULES, run, "save-every-steps") is not None


def test_a_loop_of_its_own_is_the_one_that_runs(tmp_path: Path) -> None:
    sources = {**SOURCES, "other_train.py": "import train_network\nfor epoch in range(9):\n    pass\n"}
    run = run_of(tmp_path, "save_every_n_steps = 0", sources=sources, script_file="other_train.py")
    assert said_by(RULES, run, "save-every-steps") is None
