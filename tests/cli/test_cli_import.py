"""`kl import` and `--write-spec`: the real commands, and what `kl plan` makes of the specs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cli_bed import Bed, make_bed

COMMAND = """accelerate launch --num_cpu_threads_per_process=1 "$HOME/sd-scripts/train_network.py" \\
  --pretrained_model_name_or_path=owner/model --network_module networks.lora \\
  --train_data_dir=img --learning_rate=1e-4 --max_train_steps=1600 \\
  --network_args conv_dim=4 algo=x --comment "two words" \\
  --output_dir=/out/fox-v1s1600 --output_name=fox-v1s1600 --logging_dir=/out/logs
"""


@pytest.fixture
def bed(tmp_path: Path) -> Bed:
    return make_bed(tmp_path)


def options(bed: Bed, *words: str) -> dict[str, list[str]]:
    """The words of each option that `kl plan` would give to the trainer."""
    ended = bed.kl("plan", "--json", *words)
    assert ended.code == 0, ended.err
    return {entry["name"]: entry["words"] for entry in json.loads(ended.out)["options"]}


def test_a_command_becomes_a_spec(bed: Bed) -> None:
    (bed.here / "train.sh").write_text(COMMAND)
    ended = bed.kl("import", "train.sh", "--to", "fox-v1s1600.toml")
    assert (ended.code, ended.out) == (0, "")
    assert "kl launch fox-v1s1600.toml trains" in ended.err
    assert (bed.here / "fox-v1s1600.toml").read_text() == (
        "# fox-v1s1600, from train.sh.\n\n"
        '[run]\nscript = "train_network.py"\nsd_scripts = "~/sd-scripts"\noutput_root = "/out"\n\n'
        "[accelerate]\nnum_cpu_threads_per_process = 1\n\n"
        f'[model]\npretrained_model_name_or_path = "owner/model"\n\n[data]\ntrain_data_dir = "{bed.here}/img"\n\n'
        '[network]\nnetwork_module = "networks.lora"\n\n[network_args]\nconv_dim = 4\nalgo = "x"\n\n'
        '[optimizer]\nlearning_rate = 1e-4\n\n[training]\nmax_train_steps = 1600\ncomment = "two words"\n'
    )
    planned = options(bed, "fox-v1s1600.toml")
    assert planned["comment"] == ["--comment=two words"] and planned["output_dir"] == ["--output_dir=/out/fox-v1s1600"]
    assert planned["network_args"] == ["--network_args", "conv_dim=4", "algo=x"]
    assert planned["train_data_dir"] == [f"--train_data_dir={bed.here}/img"]


def test_to_the_terminal_without_defaults(bed: Bed) -> None:
    (bed.here / "train.sh").write_text(COMMAND)
    ended = bed.kl("import", "train.sh", "--without-defaults")
    assert ended.code == 0 and "max_train_steps" not in ended.out and "learning_rate = 1e-4" in ended.out


def test_nothing_is_overwritten(bed: Bed) -> None:
    (bed.here / "train.sh").write_text(COMMAND)
    before = bed.tree()
    for words in ("import train.sh --to", "plan fox.toml --write-spec", "launch fox --write-spec"):
        ended = bed.kl(*words.split(), "fox.toml")
        assert ended.code == 73 and "fox.toml is there already." in ended.err
    assert bed.kl("import", "train.sh", "--to", "no/folder.toml").code == 73
    assert bed.kl("import", "train.sh", "--to", "fox.yaml").code == 64
    assert "Write fox.toml." in bed.kl("plan", "fox.toml", "--write-spec", "fox").err
    assert bed.tree() == before


def test_nothing_is_run(bed: Bed) -> None:
    (bed.here / "train.sh").write_text(f"touch {bed.here}/made\nX=$(touch {bed.here}/made)\n{COMMAND}")
    assert bed.kl("import", "train.sh").code == 0
    assert not (bed.here / "made").exists()


def test_secrets_are_left_out_and_said(bed: Bed) -> None:
    secret = "abcdef0123456789"
    (bed.here / "train.sh").write_text(
        f"export MY_TOKEN={secret}\nargs=(\n  # --wandb_api_key={secret}\n  --network_dim=4 # {secret}\n"
        f'  --wandb_api_key {secret}\n  --comment="$MY_TOKEN"\n  --seed=http://me:word@host/\n)\n'
        'python ~/sd-scripts/train_network.py "${args[@]}"\n'
    )
    ended = bed.kl("import", "train.sh")
    assert ended.code == 0 and "network_dim = 4" in ended.out
    assert secret not in ended.out + ended.err and "me:word" not in ended.out + ended.err
    for said in ("MY_TOKEN names a secret", "wandb_api_key holds a secret", "comment holds a secret", "A comment with"):
        assert said in ended.err
    assert "WANDB_API_KEY" in ended.err


def test_what_is_not_known_stands_as_a_comment(bed: Bed) -> None:
    (bed.here / "train.sh").write_text(
        "python ~/sd-scripts/train_network.py $MORE --network_dim=$DIM --max_train_step 5 --nosuch=1 \\\n"
        "--output_dir=$O/x\n"
    )
    ended = bed.kl("import", "train.sh", "--to", "new.toml")
    text = (bed.here / "new.toml").read_text()
    assert '# network_dim = "$DIM"                     # line 1: DIM is not set in it\n' in text
    assert "# Not known: train.sh:1: $MORE: MORE is not set in it\n" in text
    assert "max_train_steps = 5\n" in text and "nosuch = 1\n" in text
    assert "--max_train_step is written out: --max_train_steps." in ended.err
    assert "train_network.py has no option --nosuch." in ended.err
    assert "output_dir was left out: O is not set in it." in ended.err and "output_dir" not in text


def test_without_a_checkout(bed: Bed) -> None:
    """What is written is then taken as it is; what needs the checkout is refused."""
    (bed.here / "train.sh").write_text("python /nowhere/sdxl_train.py --a=1 --b --c x y --net_args k=1\n")
    bed.checkout.rename(bed.root / "elsewhere")
    ended = bed.kl("import", "train.sh")
    assert ended.code == 0 and "No checkout of sd-scripts is known." in ended.err
    assert 'a = 1\nb = true\nc = ["x", "y"]\n\n[net_args]\nk = 1\n' in ended.out
    assert "/nowhere is not there" in ended.err and "sd_scripts" not in ended.out
    assert bed.kl("import", "train.sh", "--without-defaults").code == 69


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        ("echo\n", 65, "There is no training command in it."),
        ("python train.py 'x\n", 65, "train.sh:1: A ' is not closed."),
        ("python ~/sd-scripts/train_nothing.py\n", 0, "There is no script 'train_nothing.py'"),
        ('accelerate launch "$SCRIPT" --x\n', 65, "The training script of line 1 is not known."),
    ],
)
def test_what_cannot_be_imported(bed: Bed, text: str, code: int, said: str) -> None:
    (bed.here / "train.sh").write_text(text)
    ended = bed.kl("import", "train.sh")
    assert ended.code == code and said in ended.err and "Traceback" not in ended.err


def test_no_file(bed: Bed) -> None:
    for name in ("nothing.sh", "img"):
        ended = bed.kl("import", name)
        assert ended.code == 65 and "Give a script of zsh, bash or sh" in ended.err
    (bed.here / "latin.sh").write_bytes(b"python train.py --x=\xe9\n")
    assert "latin.sh:1: The file is not UTF-8" in bed.kl("import", "latin.sh").err
    assert "There is no training command" in bed.kl("import", "-").err


def test_write_spec_of_a_scripts_arguments(bed: Bed) -> None:
    given = ("--pretrained_model_name_or_path=owner/model", "--network_module=networks.lora", "--train_data_dir=img")
    more = ("--output_dir=out/fox-v1s4", "--output_name=fox-v1s4", "--network_args", "conv_dim=4", "--network_dim=2")
    words = ("--name", "fox-v1s4", "--script", f"{bed.checkout}/train_network.py")
    before = options(bed, *words, "--", *given, *more)
    ended = bed.kl("plan", *words, "--write-spec", "fox-v1s4.toml", "--", *given, *more)
    assert ended.code == 0 and "kl launch fox-v1s4.toml trains" in ended.err
    after = options(bed, "fox-v1s4.toml")
    assert {name: after[name] for name in before} == before


@pytest.mark.parametrize("prompts", [True, False])
def test_the_prompts_of_the_datasets_folder_are_not_added(bed: Bed, prompts: bool) -> None:
    folder = bed.home / "datasets" / "wolf"
    folder.mkdir(parents=True)
    if prompts:
        (folder / "sample-prompts.txt").write_text("a wolf\n")
    given = ("--pretrained_model_name_or_path=owner/model", "--network_module=networks.lora", "--train_data_dir=img")
    words = ("--name", "wolf-v1s4", "--script", f"{bed.checkout}/train_network.py")
    before = options(bed, *words, "--", *given)
    assert bed.kl("plan", *words, "--write-spec", "wolf-v1s4.toml", "--", *given).code == 0
    (bed.here / "train.sh").write_text(
        f"python {bed.checkout}/train_network.py {' '.join(given)} --output_name wolf-v1s4\n"
    )
    assert bed.kl("import", "train.sh", "--to", "wolf.toml").code == 0
    for spec in ("wolf-v1s4.toml", "wolf.toml"):
        assert ("sample_prompts = []" in (bed.here / spec).read_text()) == prompts
        assert options(bed, spec, "--name", "wolf-v1s4").keys() - {"logging_dir"} == before.keys() - {"logging_dir"}


def test_write_spec_of_what_was_typed_with_a_spec(bed: Bed) -> None:
    sets = ("network_dim=8", "network_args.conv_dim=4", "comment=no", "run.notes=n")
    typed = tuple(word for each in sets for word in ("--set", each))
    arguments = ("--", "--comment=yes", "--network_args", "algo=x", "--train_data_dir", "img")
    ended = bed.kl("plan", "fox", *typed, "--write-spec", "new.toml", *arguments)
    assert ended.code == 0
    text = (bed.here / "new.toml").read_text()
    assert text.startswith(f'extends = "{bed.here}/fox.toml"\n\n[run]\nnotes = "n"\n')
    assert 'comment = "yes"' in text and '"no"' not in text
    first, second = options(bed, "fox", *typed, *arguments), options(bed, "new.toml")
    own = ("output_dir", "output_name", "logging_dir")
    assert {name: words for name, words in first.items() if name not in own} == {
        name: words for name, words in second.items() if name not in own
    }


def test_a_refused_plan_writes_no_spec(bed: Bed) -> None:
    assert bed.kl("plan", "fox", "--set", "nosuch=1", "--write-spec", "new.toml").code == 65
    assert bed.kl("launch", "fox", "--write-spec", "new.toml", DEBUG="1").code == 0
    assert not (bed.here / "new.toml").exists()
