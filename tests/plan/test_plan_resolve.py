"""Who wins, where each value came from, and that no setting is lost."""

from __future__ import annotations

from pathlib import Path

import pytest
from plan_bed import NEEDED, USUAL, argument, codes, only_error, option, plan_of, script, setting, switch, words

from launcher.base.origin import Source
from launcher.base.settings import Setting, Value
from launcher.plan.resolve import resolve

LAYERS = [
    (Source.TEMPLATE, "the template"),
    (Source.SPEC, "the spec"),
    (Source.NAME, "the name"),
    (Source.ENVIRONMENT, "STEPS"),
    (Source.SET, "--set"),
    (Source.ARGUMENT, "after --"),
]


@pytest.mark.parametrize("strongest", range(2, 7))
def test_the_strongest_layer_wins_and_the_others_are_remembered(tmp_path: Path, strongest: int) -> None:
    """Template, spec, name, environment, --set, after --: each over all before it."""
    plan = plan_of(
        tmp_path,
        'extends = "base.toml"\n' + NEEDED + "max_train_steps = 2\n",
        templates={"base.toml": "max_train_steps = 1\n"},
        name="fox-v1s3" if strongest > 2 else "fox",
        environ={"STEPS": "4"} if strongest > 3 else {},
        sets=["max_train_steps=5"] if strongest > 4 else [],
        arguments=["--max_train_steps=6"] if strongest > 5 else [],
    )
    found = argument(plan, "max_train_steps")
    assert found and found.words == (f"--max_train_steps={strongest}",)
    assert found.origin.source is LAYERS[strongest - 1][0]
    assert [str(over.value) for over in found.over] == [str(value) for value in range(strongest - 1, 0, -1)]
    assert [over.origin.source for over in found.over] == [source for source, _ in reversed(LAYERS[: strongest - 1])]
    assert plan.steps == strongest


def test_an_origin_has_file_and_line(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, NEEDED + "[a]\n[a.b]\nlearning_rate = 1e-4\n")
    found = argument(plan, "learning_rate")
    assert found and found.origin.line == 6 and found.origin.path == tmp_path / "fox.toml"


def test_the_words_stand_in_the_parsers_order(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, "seed = 1\nlearning_rate = 1\n" + NEEDED)
    names = [argument.name for argument in plan.arguments]
    order = [entry.name for entry in USUAL if entry.name not in ("output_dir", "output_name", "logging_dir")]
    assert names[:-3] == sorted(names[:-3], key=order.index)
    assert names[-3:] == ["output_dir", "output_name", "logging_dir"]


class TestNetworkArgs:
    def _items(self, folder: Path, text: str, **more: list[str]) -> tuple[str, ...]:
        plan = plan_of(folder, NEEDED + text, **more)  # type: ignore[arg-type]
        assert not plan.errors, plan.errors
        return words(plan, "network_args")

    def test_a_table(self, tmp_path: Path) -> None:
        text = '[network_args]\nalgo = "locon"\nuse_tucker = false\nblock_dims = [8, 4]\n'
        expected = ("--network_args", "algo=locon", "use_tucker=False", "block_dims=8,4")
        assert self._items(tmp_path, text) == expected

    def test_a_table_below_a_heading(self, tmp_path: Path) -> None:
        assert self._items(tmp_path, "[net.network_args]\na = 1\n") == ("--network_args", "a=1")

    def test_a_list_as_sd_scripts_writes_it(self, tmp_path: Path) -> None:
        assert self._items(tmp_path, 'network_args = ["a=1", "b=x=y"]\n') == ("--network_args", "a=1", "b=x=y")

    def test_one_text(self, tmp_path: Path) -> None:
        assert self._items(tmp_path, 'network_args = "a=1"\n') == ("--network_args", "a=1")

    def test_set_and_arguments_replace_single_items(self, tmp_path: Path) -> None:
        got = self._items(
            tmp_path,
            "[network_args]\na = 1\nb = 2\nc = 3\n",
            sets=["network_args.b=20"],
            arguments=["--network_args", "c=30", "d=40"],
        )
        assert sorted(got[1:]) == ["a=1", "b=20", "c=30", "d=40"]

    def test_a_spec_adds_to_its_template(self, tmp_path: Path) -> None:
        plan = plan_of(
            tmp_path,
            'extends = "base.toml"\n' + NEEDED + "[network_args]\nb = 2\n",
            templates={"base.toml": "[network_args]\na = 1\nb = 1\n"},
        )
        assert sorted(words(plan, "network_args")[1:]) == ["a=1", "b=2"]

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("network_args = []", "holds nothing"),
            ('network_args = ["a"]', "key=value"),
            ('network_args = ["=1"]', "key=value"),
            ("network_args = [1]", "key=value"),
            ("network_args = 5", "key=value"),
            ("network_args = true", "key=value"),
            ("[[network_args]]\na = 1", "key=value"),
            ('network_args = ["a=1", "a=2"]', "set twice"),
            ('network_args = ["a=1"]\n[x.network_args]\na = 2', "set twice"),
            ('[network_args]\n"a=b" = 1', "no key"),
            ('[network_args]\n"-a" = 1', "no key"),
            ("[network_args]\na = [[1]]", "plain values"),
            ("[network_args]\na = []", "at least one"),
        ],
    )
    def test_refused(self, tmp_path: Path, text: str, said: str) -> None:
        error = only_error(plan_of(tmp_path, NEEDED + text))
        assert said in error.message and error.where and "fox.toml" in error.where

    def test_a_value_that_is_no_item_does_not_vanish_beside_items(self, tmp_path: Path) -> None:
        plan = plan_of(tmp_path, NEEDED + "[network_args]\na = 1\n", sets=["network_args=5"])
        assert "key=value" in only_error(plan).message

    def test_a_table_inside_is_not_taken_for_a_heading(self, tmp_path: Path) -> None:
        plan = plan_of(tmp_path, NEEDED + "[network_args.inner]\nseed = 1\n")
        assert "network_args" in only_error(plan).message
        assert not words(plan, "seed")


class TestTwice:
    def test_under_two_headings(self, tmp_path: Path) -> None:
        error = only_error(plan_of(tmp_path, NEEDED + "[a]\nseed = 1\n[b]\nseed = 2\n"))
        assert error.code == "same-key-twice" and "line 5" in error.message and (error.where or "").endswith(":7")

    def test_under_a_name_and_its_flag(self) -> None:
        keep = option("keep", action="StoreFalseAction", nargs=0, const=False, default=True, flags=("--no_keep",))
        given = [setting("keep", True, line=1), setting("no_keep", True, line=2)]
        assert codes(resolve(given, script(keep)).findings) == ["same-key-twice"]

    def test_with_set(self, tmp_path: Path) -> None:
        assert only_error(plan_of(tmp_path, NEEDED, sets=["seed=1", "a.seed=2"])).code == "same-key-twice"

    def test_an_item_with_set(self, tmp_path: Path) -> None:
        sets = ["network_args.a=1", "network_args.a=2"]
        assert only_error(plan_of(tmp_path, NEEDED, sets=sets)).code == "same-key-twice"

    def test_in_two_files_is_what_extending_is_for(self, tmp_path: Path) -> None:
        plan = plan_of(
            tmp_path,
            'extends = ["a.toml", "b.toml"]\n' + NEEDED,
            templates={"a.toml": "seed = 1", "b.toml": "seed = 2"},
        )
        assert not plan.errors and words(plan, "seed") == ("--seed=2",)

    def test_one_yaml_mapping_merged_into_two_tables_stands_once(self, tmp_path: Path) -> None:
        text = NEEDED.replace(" = ", ": ") + "a: &a\n  seed: 1\nb:\n  <<: *a\n"
        assert not plan_of(tmp_path, text, suffix=".yaml").errors


class TestDrop:
    def _plan(self, folder: Path, drop: str, own: str = "") -> tuple[tuple[str, ...], tuple[str, ...], list[str]]:
        plan = plan_of(
            folder,
            f'extends = "base.toml"\n{NEEDED}{own}\n[run]\ndrop = {drop}\n',
            templates={"base.toml": "seed = 1\n[network_args]\na = 1\nb = 2\n"},
        )
        return words(plan, "seed"), words(plan, "network_args"), codes(plan.errors)

    def test_an_option(self, tmp_path: Path) -> None:
        assert self._plan(tmp_path, '["seed"]') == ((), ("--network_args", "a=1", "b=2"), [])

    def test_one_item(self, tmp_path: Path) -> None:
        assert self._plan(tmp_path, '["network_args.a"]') == (("--seed=1",), ("--network_args", "b=2"), [])

    def test_all_items(self, tmp_path: Path) -> None:
        assert self._plan(tmp_path, '["network_args"]') == (("--seed=1",), (), [])

    def test_what_the_spec_itself_says_stays(self, tmp_path: Path) -> None:
        assert self._plan(tmp_path, '["seed"]', "seed = 7")[0] == ("--seed=7",)

    @pytest.mark.parametrize("name", ["sed", "a", "network_args.c", "run.script", "learning_rate"])
    def test_a_name_that_drops_nothing_is_refused(self, tmp_path: Path, name: str) -> None:
        assert self._plan(tmp_path, f'["{name}"]')[2] == ["nothing-to-drop"]


class TestSwitches:
    """Options that share one value, and flags that are named otherwise than their value."""

    ON = switch("cluster", flags=("--cluster",))
    OFF = option("cluster", action="StoreConstAction", nargs=0, const=False, flags=("--no_cluster",))
    KEEP = option("keep", action="StoreFalseAction", nargs=0, const=False, default=True, flags=("--no_keep",))

    @pytest.mark.parametrize(
        ("key", "value", "flags"),
        [
            ("cluster", True, ["--cluster"]),
            ("cluster", False, ["--no_cluster"]),
            ("no_cluster", True, ["--no_cluster"]),
            ("keep", False, ["--no_keep"]),
            ("no_keep", True, ["--no_keep"]),
            ("no_keep", False, []),
            ("keep", True, []),
        ],
    )
    def test_the_flag_that_is_meant(self, tmp_path: Path, key: str, value: bool, flags: list[str]) -> None:
        options = script(*USUAL[:-5], self.ON, self.OFF, self.KEEP)
        plan = plan_of(tmp_path, NEEDED + f"{key} = {str(value).lower()}\n", options=options)
        assert not plan.errors
        assert [word for word in plan.argv if "cluster" in word or "keep" in word] == flags

    def test_the_same_after_the_dashes(self, tmp_path: Path) -> None:
        options = script(*USUAL[:-5], self.ON, self.OFF, self.KEEP)
        plan = plan_of(tmp_path, NEEDED, options=options, arguments=["--no_cluster", "--no_keep"])
        assert words(plan, "cluster") == ("--no_cluster",) and words(plan, "keep") == ("--no_keep",)


@pytest.mark.parametrize(
    ("table", "key", "value"),
    [
        ((), "seeed", 1),
        (("seed",), "value", 1),
        (("training",), "datasets", [{}]),
        ((), "training", [{"seed": 1}]),
        (("training", "deep", "deeper"), "x", None),
        ((), "x", []),
    ],
)
def test_a_key_of_no_option_is_unknown(table: tuple[str, ...], key: str, value: Value) -> None:
    given = Setting(table, key, value, setting("a", 1).origin)
    assert resolve([given], script(*USUAL)).unknown == (given,)


def test_the_same_key_twice_in_one_line_is_refused_too(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, NEEDED + "t = {x = {seed = 1}, y = {seed = 2}}\n")
    assert codes(plan.errors) == ["same-key-twice"]
