"""Keys that no option has, keys that kl sets, secrets, what is missing, and what the name says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from plan_bed import NEEDED, USUAL, codes, only_error, option, plan_of, script, unread, words

from launcher.base.findings import Severity
from launcher.cli.render import findings_as_data, plan_as_data, plan_as_text
from launcher.plan.checks.keys import SETS_ITSELF
from launcher.plan.checks.other_names import option_meant
from launcher.plan.plan import Plan
from launcher.plan.shell import as_shell
from launcher.trainer.options import PRESENCE

SECRET = "hunter2-XYZ"


class TestUnknown:
    def test_the_nearest_name(self, tmp_path: Path) -> None:
        error = only_error(plan_of(tmp_path, NEEDED + "[a]\nlerning_rate = 1\n"))
        assert error.code == "unknown-key" and error.hint == "Did you mean learning_rate?"
        assert (error.where or "").endswith("fox.toml:5")

    def test_dashes_are_no_underscores(self, tmp_path: Path) -> None:
        assert only_error(plan_of(tmp_path, NEEDED + "network-dim = 8")).hint == "Did you mean network_dim?"

    def test_the_script_that_has_it(self, tmp_path: Path) -> None:
        with_it = {"token_string": ("train_textual_inversion.py",)}
        plan = plan_of(tmp_path, NEEDED + "token_string = 1", scripts_with=lambda name: with_it.get(name, ()))
        assert "It is an option of train_textual_inversion.py." in (only_error(plan).hint or "")

    def test_a_setting_of_kl_at_the_wrong_place(self, tmp_path: Path) -> None:
        assert "keep_last_saves" in (only_error(plan_of(tmp_path, NEEDED + "keep_last_save = 1")).hint or "")

    def test_a_rate_that_is_spelled_out(self, tmp_path: Path) -> None:
        options = script(*USUAL, option("unet_lr", type="float"))
        plan = plan_of(tmp_path, NEEDED + "unet_learning_rate = 1", options=options)
        assert only_error(plan).hint == "Did you mean unet_lr?"

    def test_nothing_near(self, tmp_path: Path) -> None:
        assert "kl options" in (only_error(plan_of(tmp_path, NEEDED + "qqq = 1")).hint or "")

    def test_an_item_of_an_option_the_script_lacks(self, tmp_path: Path) -> None:
        assert "foo_args.algo" in only_error(plan_of(tmp_path, NEEDED + "[foo_args]\nalgo = 1")).message

    def test_other_scripts_are_only_asked_for_unknown_keys(self, tmp_path: Path) -> None:
        asked: list[str] = []

        def scripts_with(name: str) -> tuple[str, ...]:
            asked.append(name)
            return ()

        plan_of(tmp_path, NEEDED + "seeed = 1", scripts_with=scripts_with)
        assert asked == ["seeed"]


@pytest.mark.parametrize("key", SETS_ITSELF)
@pytest.mark.parametrize("how", ["spec", "set", "arguments"])
def test_what_kl_sets_is_refused_everywhere(tmp_path: Path, key: str, how: str) -> None:
    flag = [f"--{key}"] if key == "output_config" else [f"--{key}", "x"]
    plan = plan_of(
        tmp_path,
        NEEDED + (f'[a]\n{key} = "x"' if how == "spec" else ""),
        sets=[f"{key}=x"] if how == "set" else [],
        arguments=flag if how == "arguments" else [],
    )
    error = only_error(plan)
    assert error.code == "set-by-kl" and error.hint == SETS_ITSELF[key]
    assert not {f"--{key}=x", "x"} & set(plan.argv)


class TestSecrets:
    PLACES = ("top", "table", "set", "set table", "arguments", "variables", "set variables", "accelerate", "twice",
              "number", "dashes")  # fmt: skip

    def _plan(self, folder: Path, place: str) -> Plan:
        text = {
            "top": f'wandb_api_key = "{SECRET}"',
            "table": f'[a]\nhuggingface_token = "{SECRET}"',
            "variables": f'[env.variables]\nMY_TOKEN = "{SECRET}"\nOTHER = "fine"',
            "accelerate": f'[accelerate]\naws_secret_access_key = "{SECRET}"',
            "dashes": f'"wandb-api-key" = "{SECRET}"',
        }.get(place, "")
        sets = {
            "set": [f"wandb_api_key={SECRET}"],
            "set table": [f"x.wandb_api_key={SECRET}"],
            "set variables": [f"env.variables.AWS_SECRET={SECRET}"],
            "twice": [f"env.variables.HF_TOKEN={SECRET}", f"env.variables.HF_TOKEN={SECRET}2"],
            "number": [f'env.variables.HF_TOKEN=["{SECRET}"]'],
        }.get(place, [])
        arguments = [f"--wandb_api_key={SECRET}"] if place == "arguments" else []
        return plan_of(folder, NEEDED + text, sets=sets, arguments=arguments)

    @pytest.mark.parametrize("place", PLACES)
    def test_refused_and_shown_nowhere(self, tmp_path: Path, place: str) -> None:
        plan = self._plan(tmp_path, place)
        assert "secret" in codes(plan.errors)
        shown = json.dumps(findings_as_data(plan.findings)), "\n".join(plan_as_text(plan)), as_shell(plan)
        for text in (*shown, json.dumps(plan_as_data(plan)), *plan.argv, *plan.variables.values()):
            assert SECRET not in text

    def test_where_the_script_could_not_be_read(self, tmp_path: Path) -> None:
        plan = plan_of(tmp_path, NEEDED + f'"wandb-api-key" = "{SECRET}"', options=unread(script(*USUAL)))
        assert "secret" in codes(plan.errors) and not any(SECRET in word for word in plan.argv)

    def test_the_hint_names_the_variable(self, tmp_path: Path) -> None:
        assert "WANDB_API_KEY" in (only_error(self._plan(tmp_path, "top")).hint or "")

    def test_other_variables_are_passed_on(self, tmp_path: Path) -> None:
        plan = plan_of(tmp_path, NEEDED + '[env.variables]\nHF_HUB_OFFLINE = "1"\nKEYBOARD = "de"')
        assert not plan.errors
        assert plan.variables["HF_HUB_OFFLINE"] == "1" and plan.variables["KEYBOARD"] == "de"


class TestRequired:
    def test_what_the_parser_requires(self, tmp_path: Path) -> None:
        options = script(*USUAL, option("token", required=True))
        error = only_error(plan_of(tmp_path, NEEDED, options=options))
        assert error.code == "required" and "token" in error.message

    @pytest.mark.parametrize("key", ["pretrained_model_name_or_path", "network_module"])
    def test_what_the_trainer_cannot_do_without(self, tmp_path: Path, key: str) -> None:
        text = "".join(line + "\n" for line in NEEDED.splitlines() if not line.startswith(key))
        error = only_error(plan_of(tmp_path, text))
        assert error.code == "required" and key in error.message and error.hint

    def test_an_empty_text_is_none(self, tmp_path: Path) -> None:
        text = NEEDED.replace('"networks.lora"', '""')
        error = only_error(plan_of(tmp_path, text))
        assert error.code == "required" and "network_module is empty" in error.message and error.where

    def test_a_script_without_networks_needs_none(self, tmp_path: Path) -> None:
        options = script(*(entry for entry in USUAL if entry.name != "network_module"))
        text = NEEDED.replace('network_module = "networks.lora"\n', "")
        assert not plan_of(tmp_path, text, options=options).errors

    def test_pictures(self, tmp_path: Path) -> None:
        text = NEEDED.replace('train_data_dir = "img"\n', "")
        assert only_error(plan_of(tmp_path, text)).code == "no-dataset"


class TestSteps:
    def _warning(self, folder: Path, text: str = "", **more: object) -> str | None:
        plan = plan_of(folder, NEEDED + text, **more)  # type: ignore[arg-type]
        assert not plan.errors and len(plan.findings) < 2
        return plan.findings[0].code if plan.findings else None

    def test_the_name_decides(self, tmp_path: Path) -> None:
        assert self._warning(tmp_path, "max_train_steps = 5") is None

    def test_epochs_decide(self, tmp_path: Path) -> None:
        assert self._warning(tmp_path, "max_train_epochs = 5") == "name-steps"
        assert plan_of(tmp_path, NEEDED + "max_train_epochs = 5").steps is None

    def test_something_stronger_decides(self, tmp_path: Path) -> None:
        assert self._warning(tmp_path, sets=["max_train_steps=5"]) == "name-steps"
        assert self._warning(tmp_path, environ={"STEPS": "100"}) is None

    def test_a_name_without_steps_says_nothing(self, tmp_path: Path) -> None:
        assert self._warning(tmp_path, "max_train_epochs = 5", name="fox") is None

    def test_the_scripts_default(self, tmp_path: Path) -> None:
        assert plan_of(tmp_path, NEEDED, name="fox").steps == 1600


class TestUnread:
    def test_unknown_keys_are_passed_on_with_a_warning(self, tmp_path: Path) -> None:
        text = NEEDED + 'new = "a b"\nlist = [1, 2]\non = true\noff = false\n'
        plan = plan_of(tmp_path, text, options=unread(script(*USUAL)))
        assert not plan.errors
        assert codes(plan.findings).count("unknown-key") == 4 and "unread" in codes(plan.findings)
        assert all(finding.severity is Severity.WARNING for finding in plan.findings)
        assert [words(plan, name) for name in ("new", "list", "on", "off")] == [
            ("--new=a b",), ("--list", "1", "2"), ("--on",), (),
        ]  # fmt: skip

    def test_after_the_dashes_too(self, tmp_path: Path) -> None:
        arguments = ["--new=1", "--on", "--list", "1", "2", "--seed", "3"]
        plan = plan_of(tmp_path, NEEDED, options=unread(script(*USUAL)), arguments=arguments)
        assert [words(plan, name) for name in ("new", "on", "list", "seed")] == [
            ("--new=1",), ("--on",), ("--list", "1", "2"), ("--seed=3",),
        ]  # fmt: skip

    def test_an_option_known_in_part(self, tmp_path: Path) -> None:
        options = script(*USUAL, option("x", unread=(PRESENCE,)), option("y", unread=("choices",)))
        plan = plan_of(tmp_path, NEEDED + "x = 1", options=options)
        assert codes(plan.findings) == ["unread"] and "x" in plan.findings[0].message


def test_a_slip_is_told_once(tmp_path: Path) -> None:
    text = NEEDED.replace("pretrained_model_name_or_path", "pretrained_model_name_or_pth")
    error = only_error(plan_of(tmp_path, text))
    assert error.code == "unknown-key" and error.hint == "Did you mean pretrained_model_name_or_path?"
    assert not any("pretrained" in word for word in plan_of(tmp_path, text).argv)


@pytest.mark.parametrize(
    ("key", "meant"),
    [("lr", "learning_rate"), ("epochs", "max_train_epochs"), ("max_steps", "max_train_steps"), ("rank", "network_dim"),
     ("Max-Steps", "max_train_steps"), ("unet_learning_rate", "unet_lr")],
)  # fmt: skip
def test_what_people_call_an_option(key: str, meant: str) -> None:
    names = ["learning_rate", "max_timestep", "max_train_epochs", "max_train_steps", "network_dim", "unet_lr"]
    assert option_meant(key, names) == meant
    assert option_meant(key, ["seed"]) is None


def test_a_misspelt_table_of_items(tmp_path: Path) -> None:
    error = only_error(plan_of(tmp_path, NEEDED + "[netwrok_args]\nconv_dim = 4\n"))
    assert (error.code, error.hint) == ("unknown-key", "Did you mean [network_args]?")
