"""The schema of a spec: it takes what the plan takes, refuses what the plan refuses, and is itself sound."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import dataset_sources
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from trainer_sources import EIGHT_BIT, PRODIGY, SHARED, TRAIN_UTIL_HEAD, get_optimizer

from launcher.demo.layout import SOURCES
from launcher.plan.prompts import FLAGS
from launcher.plan.schema import DRAFT, Sources, as_text, spec_schema, supported_datasets
from launcher.plan.schema_arguments import Taken, chosen_by_templates, network_modules, optimizers
from launcher.plan.schema_options import keys_of, option_schema
from launcher.plan.schema_tables import ENV_KEYS, PROMPT_KEYS, RUN_KEYS
from launcher.plan.tables import EnvTable, RunTable
from launcher.plan.values import BadValue, is_key_value, meant_by_flag, words_of
from launcher.spec.toml_parser import loads
from launcher.trainer.checkout import open_checkout
from launcher.trainer.dataset_schema import DatasetKeys, Key, ScriptSchema, Wanted
from launcher.trainer.options import Option, ScriptOptions, Unread
from launcher.trainer.packages import Packages
from launcher.trainer.reader import read_options

CHECKOUT = open_checkout(SOURCES)
OPTIONS = read_options(CHECKOUT, "train_network.py")
NUMBER, SIZE = Wanted("any", (Wanted("float"), Wanted("int"))), Wanted("one-or-pair", (Wanted("int"),))
SUBSET = {"image_dir": Key(Wanted("str"), required=True), "num_repeats": Key(Wanted("int"))}
OF_ALL = {"resolution": Key(SIZE), "flip_aug": Key(Wanted("bool")), "caption_dropout_rate": Key(NUMBER)}
DATASETS = ScriptSchema(OF_ALL, (DatasetKeys(OF_ALL, SUBSET, "", True),))
NETWORKS = {
    "networks.lora": Taken(("conv_dim", "rank_dropout")),
    "lycoris.kohya": Taken(("algo", "conv_dim", "use_cp"), (("use_cp", "use_tucker"),)),
}
OPTIMIZERS = {"AdamW": Taken(("weight_decay",)), "Prodigy": Taken(("d_coef", "weight_decay"))}
TEMPLATES = {
    "lokr": {"network_module": "lycoris.kohya", "script": "train_network.py", "optimizer_type": "AdamW"},
    "own": {"network_module": "my.network"},
}
GIVEN = Sources(
    title="A spec",
    scripts=[OPTIONS],
    others=[],
    networks=NETWORKS,
    optimizers=OPTIMIZERS,
    inherited=TEMPLATES,
    datasets=[DATASETS],
    packages=Packages(SOURCES, ()),
    accelerate=None,
    describe=str.strip,
)


def _validator(sources: Sources) -> Draft202012Validator:
    schema = json.loads(as_text(spec_schema(sources)))
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


ONE = _validator(GIVEN)


def _said(spec: str, validator: Draft202012Validator = ONE) -> list[str]:
    """The places of what the schema refuses."""
    return sorted({".".join(map(str, each.absolute_path)) for each in validator.iter_errors(loads(spec))})


SOUND = {
    "at-the-top": "seed = 42\nsdpa = true",
    "under-a-heading": "[anything]\nseed = 42",
    "headings-in-headings": "[a.b]\nseed = 42\n[a.b.network_args]\nalgo = 'lokr'",
    "heading-called-like-an-option": "[seed]\nlearning_rate = 1e-4",
    "number-as-text": "network_dim = '8'\nlearning_rate = '1e-4'",
    "number-for-text": "training_comment = 5",
    "switch-off": "sdpa = false",
    "several-values": "text_encoder_lr = [5e-5, 1e-5]",
    "items-as-a-list": "network_args = ['algo=lokr', 'conv_dim=8']",
    "items-as-a-table": "[network_args]\nconv_dim = 8\nuse_cp = true",
    "list-as-an-item": "[more]\nnetwork_module = 'my.network'\n[network_args]\nblock_dims = [8, 8]",
    "own-module": "[network]\nnetwork_module = 'my.network'\n[network_args]\nanything = 1",
    "module-of-a-template": "extends = 'lokr'\n[network_args]\nalgo = 'locon'",
    "own-module-of-a-template": "extends = ['own']\n[network_args]\nanything = 1",
    "module-of-a-file": "extends = '../base.toml'\n[network_args]\nanything = 1",
    "optimizer-of-a-package": "optimizer_type = 'my.Adam'\n[optimizer_args]\nanything = 1",
    "optimizer-unnamed": "extends = 'own'\n[optimizer_args]\nanything = 1",
    "run": "[run]\nscript = 'train_network'\nkeep_last_saves = 3\ndrop = ['seed']\nno_clean = true",
    "env": "[env]\nkind = 'venv'\npath = '~/venv'\n[env.variables]\nKEYBOARD = 'de'",
    "accelerate": "[accelerate]\ngpu_ids = [0, 1]",
    "prompts": "[[sample_prompts]]\nprompt = 'a fox'\nwidth = 512\nscale = 7",
    "prompts-as-a-file": "sample_prompts = 'prompts.txt'",
    "datasets": "[general]\nflip_aug = true\n[[datasets]]\nresolution = [512, 768]\n"
    "[[datasets.subsets]]\nimage_dir = 'img'\nnum_repeats = 2",
    "general-as-a-heading": "[general]\nseed = 1",
}
REFUSED = {
    "misspelt": ("[model]\nsead = 42", "model.sead"),
    "misspelt-at-the-top": ("sead = 42", "sead"),
    "misspelt-deep": ("[a.b]\nsead = 42", "a.b.sead"),
    "misspelt-under-a-heading-called-like-an-option": ("[seed]\nlearning_rat = 1", "seed.learning_rat"),
    "misspelt-table": ("[netwrok_args]\nconv_dim = 8", "netwrok_args.conv_dim"),
    "set-by-kl": ("output_dir = 'x'", "output_dir"),
    "secret": ("[log]\nwandb_api_key = 'x'", "log.wandb_api_key"),
    "word-for-a-number": ("seed = 'one'", "seed"),
    "fraction-for-a-whole-number": ("seed = 1.5", "seed"),
    "switch-with-a-word": ("sdpa = 'yes'", "sdpa"),
    "true-for-a-value": ("training_comment = true", "training_comment"),
    "no-choice": ("mixed_precision = 'fp17'", "mixed_precision"),
    "list-for-one-value": ("seed = [1]", "seed"),
    "no-items": ("[network]\nnetwork_args = ['algo']", "network.network_args.0"),
    "item-nobody-reads": ("[network_args]\nconv_dmi = 8", "network_args"),
    "item-of-another-module": (
        "[network]\nnetwork_module = 'networks.lora'\n[more.network_args]\nalgo = 'lokr'",
        "more.network_args",
    ),
    "item-in-a-list": ("network_module = 'networks.lora'\nnetwork_args = ['algo=lokr']", "network_args.0"),
    "item-beside-a-template": ("extends = 'lokr'\n[network_args]\nrank_dropout = 0.1", "network_args"),
    "item-of-another-optimizer": ("optimizer_type = 'AdamW'\n[optimizer_args]\nd_coef = 1", "optimizer_args"),
    "table-in-items": ("[network_args.conv_dim]\nx = 1", "network_args.conv_dim"),
    "run": ("[run]\nscrpt = 'train_network.py'", "run"),
    "script-of-another-schema": ("[run]\nscript = 'sdxl_train_network.py'", "run.script"),
    "saves": ("[run]\nkeep_last_saves = 0", "run.keep_last_saves"),
    "env-kind": ("[env]\nkind = 'docker'", "env.kind"),
    "env-twice": ("[env]\nname = 'a'\npath = 'b'", "env"),
    "env-secret": ("[env.variables]\nMy_Token = 'x'", "env.variables"),
    "prompt-key": ("[[sample_prompts]]\nprompt = 'a fox'\nsteps = 20", "sample_prompts.0"),
    "prompt-missing": ("[[sample_prompts]]\nwidth = 512", "sample_prompts.0"),
    "prompt-flag": ("[[sample_prompts]]\nprompt = 'a fox --w 512'", "sample_prompts.0.prompt"),
    "dataset-key": ("[[datasets]]\nresolutoin = 512", "datasets.0"),
    "subset-key": ("[[datasets]]\n[[datasets.subsets]]\nimage_dir = 'x'\nrepeats = 2", "datasets.0.subsets.0"),
    "general-of-datasets": ("[general]\nseed = 1\n[[datasets]]\nresolution = 512", "general"),
    "general-of-none": ("[general]\nsead = 1", "general"),
    "extends": ("extends = 1", "extends"),
}


@pytest.mark.parametrize("spec", SOUND.values(), ids=SOUND)
def test_a_sound_spec_is_taken(spec: str) -> None:
    assert _said(spec) == []


@pytest.mark.parametrize(("spec", "place"), REFUSED.values(), ids=REFUSED)
def test_a_mistake_is_refused_where_it_stands(spec: str, place: str) -> None:
    assert _said(spec) == [place]


def test_one_mistake_is_said_once() -> None:
    for spec in ("[model]\nsead = 42", "[model]\nseed = 'x'", "mixed_precision = 'fp17'"):
        assert len(list(ONE.iter_errors(loads(spec)))) == 1


VALUES = st.recursive(
    st.booleans()
    | st.integers(-100, 100)
    | st.floats(-10, 10).filter(lambda number: not number.is_integer())  # JSON Schema takes 8.0 for a whole number
    | st.sampled_from(["fp16", "no", "all", "8", "-3", " 7 ", "1_000", "1e-4", ".5", "inf", "-inf", "2.", "1.5", "",
                       "75", "l2", "a,b", "1__0", "1e", "algo=lokr"]),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=4,
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(data=st.data(), value=VALUES)
def test_a_value_is_taken_exactly_when_the_option_takes_it(data: st.DataObject, value: Any) -> None:
    key, option = data.draw(st.sampled_from(sorted(keys_of(OPTIONS).items())))
    if is_key_value(option) or key == "sample_prompts":
        return
    schema = option_schema(key, option, OPTIONS, str.strip)
    taken = Draft202012Validator({**schema, "$defs": {"heading": {}}}).is_valid(value)
    words = words_of(option, meant_by_flag(option, key, value))
    if isinstance(words, BadValue) and "begins with a dash" in words.message:
        return  # a number as -1e-313 in a list: a schema cannot say which of them argparse takes for flags
    assert taken is not isinstance(words, BadValue), f"{key} = {value!r}"


def _option(name: str, **changed: Any) -> Option:
    plain = Option((f"--{name}",), name, "StoreAction", None, None, None, None, None, False, None, "x.py:1")
    return replace(plain, **changed)


def _alone(option: Option) -> Draft202012Validator:
    script = ScriptOptions("x_train.py", (option,))
    return Draft202012Validator(option_schema(option.name, option, script, str.strip))


@pytest.mark.parametrize(
    ("option", "taken", "refused"),
    [
        (_option("pair", nargs=2, type="int"), [[1, 2], ["1", 2]], [1, [1], [1, 2, 3]]),
        (_option("one", nargs=1), ["a", ["a"]], [[], ["a", "b"], True]),
        (_option("some", nargs="+", type="float"), [1, [0.5]], [[], "x", ["x"]]),
        (_option("number", type="int", choices=(75, 150)), [75, "150"], [76, "76", [75]]),
        (_option("word", choices=("0", "1", "auto", None)), [0, "1", "auto"], [2, "2", None]),
        (_option("guess", choices=("a",), unread=("choices",)), ["a", "b"], [True]),
        (_option("many", nargs="*", choices=("a", "b")), ["a", ["a", "b"], []], ["c", ["a", "c"]]),
        (_option("fixed", action="StoreTrueAction", nargs=0, const=True, default=True), [True], [False, "x"]),
        (_option("off", action="StoreFalseAction", nargs=0, const=False, default=True), [True, False], [1]),
    ],
    ids=lambda each: each.name if isinstance(each, Option) else None,
)
def test_values_by_the_kind_of_the_option(option: Option, taken: list[Any], refused: list[Any]) -> None:
    validator = _alone(option)
    assert [value for value in taken if not validator.is_valid(value)] == []
    assert [value for value in refused if validator.is_valid(value)] == []


def test_what_editors_show() -> None:
    schema = spec_schema(GIVEN)
    options = schema["$defs"]["options"]
    assert schema["$schema"] == DRAFT
    learning_rate = OPTIONS.get("learning_rate")
    assert learning_rate is not None
    assert options["learning_rate"]["description"] == (learning_rate.help or "").strip()
    assert options["max_train_steps"]["default"] == 1600
    assert options["network_args"]["properties"]["conv_dim"]["description"] == "Read by networks.lora, lycoris.kohya."
    assert options["network_args"]["properties"]["use_cp"]["deprecated"] is True
    assert options["network_module"]["examples"] == ["lycoris.kohya", "networks.lora"]
    assert "output_dir" not in options
    assert "wandb_api_key" not in options


def test_nothing_stands_beside_a_reference() -> None:
    """Taplo, which most editors check TOML with, would not see it."""

    def tables(value: Any) -> Iterator[dict[str, Any]]:
        if isinstance(value, dict):
            yield value
        for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
            yield from tables(inner)

    references = [each for each in tables(TWO.schema) if "$ref" in each]
    assert len(references) > 10
    assert [each for each in references if len(each) > 1] == []


def test_a_number_that_json_does_not_have_is_left_out() -> None:
    schema = option_schema("x", _option("x", type="float", default=float("inf")), OPTIONS, str.strip)
    assert "default" not in schema


SDXL = ScriptOptions("sdxl_train.py", (_option("only_sdxl"), _option("kind", choices=("a", "b"))))
SD = ScriptOptions("train.py", (_option("only_sd"), _option("kind", choices=("a",))))
TWO = _validator(replace(GIVEN, scripts=[SD, SDXL], others=["gen_img.py"], inherited={"xl": {"script": "sdxl_train"}}))


@pytest.mark.parametrize(
    ("spec", "places"),
    [
        ("[run]\nscript = 'train.py'\n[x]\nonly_sd = '1'\nkind = 'a'", []),
        ("[run]\nscript = 'train'\n[x]\nonly_sdxl = '1'\nkind = 'b'", ["x.kind", "x.only_sdxl"]),
        ("[run]\nscript = 'sdxl_train.py'\n[x]\nonly_sdxl = '1'\nkind = 'b'", []),
        ("extends = 'xl'\n[x]\nonly_sd = '1'\nkind = 'b'", ["x.only_sd"]),
        ("extends = 'xl'\n[run]\nscript = 'train.py'\n[x]\nonly_sd = '1'", []),
        ("[x]\nonly_sd = '1'\nonly_sdxl = '1'\nkind = 'c'", ["x.kind"]),
        ("[x]\nonly_flux = '1'", ["x.only_flux"]),
        ("[run]\nscript = 'gen_img.py'\n[x]\nonly_sd = '1'", []),
        ("[run]\nscript = 'tools/own_train.py'", []),
        ("[run]\nscript = 'trian.py'", ["run.script"]),
    ],
)
def test_with_several_scripts_the_keys_are_those_of_the_one_that_is_named(spec: str, places: list[str]) -> None:
    assert _said(spec, TWO) == places


def test_a_script_that_could_not_be_read_whole_may_have_any_option() -> None:
    partly = replace(OPTIONS, unread=(Unread("x.py:1", "a loop"),))
    validator = _validator(replace(GIVEN, scripts=[partly]))
    assert _said("sead = 42", validator) == []
    assert _said("seed = 'x'", validator) == ["seed"]


def test_datasets_that_could_not_be_read_may_hold_anything() -> None:
    validator = _validator(replace(GIVEN, datasets=[None]))
    assert _said("[[datasets]]\nanything = 1\n[general]\nanything = 1", validator) == []


def test_a_script_without_datasets_of_its_own_is_not_known(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("def setup_parser():\n    pass\n")
    assert supported_datasets(tmp_path, "train.py") is None


def test_the_options_of_accelerate() -> None:
    flags = {"action": "StoreTrueAction", "nargs": 0, "const": True}
    known = ScriptOptions(
        "launch", (_option("num_processes", type="int"), _option("cpu", **flags), _option("hub_token"))
    )
    validator = _validator(replace(GIVEN, accelerate=known))
    assert _said("[accelerate]\nnum_processes = 2\ncpu = true", validator) == []
    assert _said("[accelerate]\nnum_proceses = 2", validator) == ["accelerate"]
    assert _said("[accelerate]\ncpu = 1", validator) == ["accelerate.cpu"]
    assert _said("[accelerate]\nhub_token = 'x'", validator) == ["accelerate"]


def test_every_key_of_kls_own_is_explained() -> None:
    assert tuple(RUN_KEYS) == RunTable.__struct_fields__
    assert tuple(ENV_KEYS) == EnvTable.__struct_fields__
    assert tuple(PROMPT_KEYS) == ("prompt", *FLAGS)


NETWORK = """
def create_network(multiplier, network_dim, network_alpha, vae, text_encoder, unet, neuron_dropout=None, **kwargs):
    return kwargs.get("conv_dim", None)
"""


@pytest.fixture
def packages(tmp_path: Path) -> Packages:
    """A checkout with two network modules, one of which cannot be followed, and an environment without LyCORIS."""
    files = {
        **dataset_sources.SOURCES,
        "library/train_util.py": TRAIN_UTIL_HEAD + SHARED + get_optimizer(PRODIGY, EIGHT_BIT),
        "networks/lora.py": NETWORK,
        "networks/open.py": "def create_network(multiplier, **kwargs):\n    return elsewhere(**kwargs)\n",
        "networks/tool.py": "def merge():\n    pass\n",
        "site/prodigyopt.py": "class Prodigy:\n    def __init__(self, params, lr=1.0, d_coef=1.0):\n        pass\n",
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return Packages(tmp_path, (tmp_path / "site",))


def test_modules_and_optimizers_whose_items_are_known(packages: Packages) -> None:
    checkout = open_checkout(packages.checkout)
    assert network_modules(checkout, packages, ["train_network.py"]) == {"networks.lora": Taken(("conv_dim",))}
    assert optimizers(checkout, packages, OPTIONS) == {"Prodigy": Taken(("d_coef",))}


def test_the_datasets_of_a_script(packages: Packages) -> None:
    schema = supported_datasets(packages.checkout, "train_network.py")
    assert schema is not None
    validator = _validator(replace(GIVEN, datasets=[schema]))
    sound = "[[datasets]]\nresolution = 512\n[[datasets.subsets]]\nimage_dir = 'x'\nnum_repeats = 2"
    assert _said(sound, validator) == []
    assert _said(sound.replace("resolution", "resolutoin"), validator) == ["datasets.0"]
    assert _said(sound.replace("num_repeats", "repeats"), validator) == ["datasets.0.subsets.0"]
    assert _said(sound.replace("512", "'512'"), validator) == ["datasets.0.resolution"]


def test_what_templates_choose(tmp_path: Path) -> None:
    (tmp_path / "base.toml").write_text('[run]\nscript = "a.py"\n[x]\nnetwork_module = "one"\n')
    (tmp_path / "next.toml").write_text('extends = "base"\n[x]\nnetwork_module = "two"\n')
    (tmp_path / "broken.toml").write_text("x = \n")
    (tmp_path / "circle.toml").write_text('extends = "./circle.toml"\n')
    (tmp_path / "odd.toml").write_text("network_module = 1\n")
    found = chosen_by_templates([tmp_path, tmp_path / "missing"], ("network_module", "script"))
    assert found == {
        "base": {"script": "a.py", "network_module": "one"},
        "next": {"script": "a.py", "network_module": "two"},
        "odd": {},
    }
