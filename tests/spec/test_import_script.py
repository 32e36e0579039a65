"""What is found in a shell script, and what is said of the rest."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from launcher.base.errors import KlError
from launcher.spec.import_script import Reading, import_script
from launcher.spec.imported import Imported, splits_words


def read(text: str, **how: object) -> Imported:
    given = {"label": "a.sh", "splits": True, "path": "/s/a.sh", "home": "/home/me", **how}
    return import_script(text, Reading(**given))  # type: ignore[arg-type]


def texts(found: Imported) -> list[str]:
    return [word.text for word in found.words]


@pytest.mark.parametrize(
    "command",
    [
        "accelerate launch sdxl_train.py --x=1",
        "accelerate launch --num_processes 1 sdxl_train.py --x=1",
        "python -m accelerate.commands.launch sdxl_train.py --x=1",
        "python3.10 -u sdxl_train.py --x=1",
        "./venv/bin/python sdxl_train.py --x=1 2>&1 | tee log",
        "CUDA_VISIBLE_DEVICES=1 nohup accelerate launch sdxl_train.py --x=1 > log &",
        "time env A=b python sdxl_train.py --x=1",
        "conda run -n sd python sdxl_train.py --x=1",
        "exec torchrun sdxl_train.py --x=1",
        "if true; then\n  python sdxl_train.py --x=1\nfi",
        "(cd /r && python sdxl_train.py --x=1)",
        "train() {\n python sdxl_train.py \"$@\"\n}\ntrain --x=1",
        "function train {\n python sdxl_train.py --x=$1\n}\ntrain 1",
        "run_training_script sdxl_train.py --x=1",
        '"$PYTHON" sdxl_train.py --x=1',
        "./sdxl_train.py --x=1",
        "ls *.py; rm train.py.bak; python tools/resize.py; vi train.py; python sdxl_train.py --x=1",
    ],
)
def test_training_commands(command: str) -> None:
    found = read(command)
    assert found.script is not None and found.script.endswith("sdxl_train.py")
    assert texts(found) == ["--x=1"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("echo hello\n", "There is no training command in it."),
        ("", "There is no training command in it."),
        ("python tools/resize.py --x=1\n", "There is no training command in it."),
        ("python train.py --a\npython train.py --b\n", "Training commands stand in the lines 1 and 2."),
        ("args=( --x=1 )\n", "Nothing says which script the arguments are for."),
        ("python train.py 'a\n", "A ' is not closed."),
        ('python train.py "a\n', 'A " is not closed.'),
        ("python train.py ${a\n", "A ${ is not closed."),
        ("python train.py `a\n", "A ` is not closed."),
    ],
)
def test_what_is_refused(text: str, said: str) -> None:
    with pytest.raises(KlError) as refused:
        read(text)
    assert refused.value.message == said and refused.value.hint


def test_one_of_several() -> None:
    assert texts(read("python train.py --a\npython train.py --b\n", line=2)) == ["--b"]
    with pytest.raises(KlError, match="None begins in line 3"):
        read("python train.py --a\npython train.py --b\n", line=3)


def test_arguments_alone() -> None:
    """An array, or a bare list, with the script named beside it."""
    assert texts(read("args=( --x=1 )\nargs+=( --y )\n", script="train.py")) == ["--x=1", "--y"]
    found = read("--x=1 \\\n --y 2\n", script="train.py")
    assert texts(found) == ["--x=1", "--y", "2"] and found.script == "train.py"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("python train.py --x=$X", "X is not set in it"),
        ("python train.py --x=$1", "$1 is what the script is given"),
        ("python train.py --x=$(date)", "it is the output of a command"),
        ("python train.py --x=`date`", "it is the output of a command"),
        ("python train.py --x=$PWD", "it is not known where the script is started"),
        ("python train.py --x=${X/a/b}", "X is not set in it"),
        ("X=a\npython train.py --x=${X/a/b}", "${X/a/b} is not followed"),
        ("X=a\npython train.py --x=$((X + 1))", "it is worked out by the shell"),
        ("if a; then X=1; fi\npython train.py --x=$X", "the if in line 1 decides what X holds"),
        ("case $1 in a) X=1;; esac\npython train.py --x=$X", "the case in line 1 decides what X holds"),
        ("for X in 1 2; do\npython train.py --x=$X\ndone", "the for in line 1 decides what X holds"),
        ("[ -n a ] && X=1\npython train.py --x=$X", "the && in line 1 decides what X holds"),
        ("X=1 || X=2\npython train.py --x=$X", "the || in line 1 decides what X holds"),
        ("a=( )\nif a; then a+=( --x=1 ); fi\npython train.py ${a[@]}", "the if in line 2 decides about it"),
        ('X="$Y"\npython train.py --x=$X', "Y is not set in it"),
        ("python train.py --x=${X:?needed}", "X is not set in it"),
    ],
)
def test_what_cannot_be_known(text: str, why: str) -> None:
    (word,) = read(text).words
    assert word.why == why and word.text.startswith("--x=")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("python train.py --x=${X:-a}", "--x=a"),
        ("python train.py --x=${X:-$HOME/a}", "--x=/home/me/a"),
        ('D="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"\npython train.py --x="$D/c.toml"', "--x=/s/c.toml"),
        ("python train.py --x=${0:A:h}/c", "--x=/s/c"),
        ("cd /r\npython train.py --x=$PWD", "--x=/r"),
        ("if a; then X=1; fi\nX=2\npython train.py --x=$X", "--x=2"),
        ("STEPS=100\npython train.py --x=$((STEPS * 2 / 5))", "--x=40"),
        ("X=1 python train.py --x=${X:-2}", "--x=2"),
        ("true && X=1\npython train.py --x=$X", "--x=1"),
        ("X=a\nX+=b\npython train.py --x=$X", "--x=ab"),
        ("export X=a\npython train.py --x=$X", "--x=a"),
        ("local -r X=a\npython train.py --x=$X", "--x=a"),
        ("python train.py --x=~/a", "--x=~/a"),
        ("X=~/a\npython train.py --x=$X", "--x=/home/me/a"),
        ("python train.py --x=a\r\n", "--x=a"),
    ],
)
def test_what_can_be_known(text: str, value: str) -> None:
    (word,) = read(text).words
    assert (word.text, word.why) == (value, None)


def test_the_helper_functions() -> None:
    def variables(name: str) -> dict[str, str]:
        return {"STEPS": name.rpartition("s")[2], "TRAINING_DIR": "/default"}

    text = 'TRAINING_DIR=/t\nsetup_training_vars "fox-v1s24"\npython train.py --a=$STEPS --b=$TRAINING_DIR "$@"\n'
    assert texts(read(text, training_vars=variables)) == ["--a=24", "--b=/t"]


@pytest.mark.parametrize(
    ("text", "environment"),
    [
        ("source /v/bin/activate\n", {"kind": "venv", "path": "/v"}),
        ("cd /r\n. ./venv/bin/activate\n", {"kind": "venv", "path": "/r/venv"}),
        ("conda activate sd\n", {"kind": "conda", "name": "sd"}),
        ("source activate sd\n", {"kind": "conda", "name": "sd"}),
        ("setup_conda_env sd /opt/conda\n", {"kind": "conda", "name": "sd"}),
        ("conda activate /e/sd\n", {"kind": "conda", "path": "/e/sd"}),
        ("", {}),
    ],
)
def test_the_environment(text: str, environment: dict[str, str]) -> None:
    assert read(f"{text}python train.py\n").environment == environment


def test_an_environment_that_is_not_known_is_said() -> None:
    (note,) = read("conda activate $ENV\npython train.py\n").notes
    assert note.line == 1 and "ENV is not set in it" in note.message
    assert read("/v/bin/python train.py\n").environment == {"path": "/v/bin/python"}
    assert read("/v/bin/accelerate launch train.py\n").environment == {"path": "/v"}
    assert read("/usr/bin/python3 train.py\n").environment == {}
    assert read("conda run -n sd python train.py\n").environment == {"kind": "conda", "name": "sd"}


def test_variables_for_the_trainer() -> None:
    found = read("export A=1\nB=2\nC=3 env D=4 python train.py\nexport E=5\n")
    assert {name: field.text for name, field in found.variables.items()} == {"A": "1", "C": "3", "D": "4"}


def test_comments_stay_with_their_arguments() -> None:
    text = (
        "#!/bin/bash\n# What this is.\n\nset -e  # not this\na=(\n # over\n # it\n --x=1 # beside\n --y\n"
        "   2 # two\n # last\n)\n# nor this\npython train.py ${a[@]} --z # end\n"
    )
    found = read(text)
    assert found.comments == ("What this is.",)
    x, y, two, z = found.words
    assert (x.above, x.beside) == (("over", "it"), "beside")
    assert (y.above, y.beside, two.beside, two.below) == ((), None, "two", ("last",))
    assert z.beside == "end" and (x.line, two.line, z.line) == (8, 10, 14)


def test_a_command_of_windows_is_told_what_to_change() -> None:
    with pytest.raises(KlError) as refused:
        read("accelerate launch ^\n  --cpu train_network.py ^\n  --seed 1\n")
    assert refused.value.hint and "^" in refused.value.hint
    with pytest.raises(KlError) as refused:
        read("--seed 1 --sdpa\n")
    assert refused.value.hint == "Name it: --script SCRIPT."


def test_a_command_of_a_notebook() -> None:
    found = read("%cd /content/sd-scripts\n!accelerate launch --cpu train_network.py --seed 1\n")
    assert (found.script, texts(found)) == ("train_network.py", ["--seed", "1"])
    assert [each.text for each in found.accelerate] == ["--cpu"]


@pytest.mark.parametrize("between", ["\n", " \\ \n", " \\\n # c\n"])
def test_a_command_that_is_cut_off(between: str) -> None:
    """A backslash is missing, has a blank behind it, or a comment follows it: the shell ends the command there."""
    found = read(f"python train.py --x \\\n --a{between} --b=1 \\\n --c\n")
    assert texts(found) == ["--x", "--a"]
    (note,) = found.notes
    assert "are left out" in note.message and note.hint and "backslash" in note.hint


def test_a_page_that_writes_one_line_as_several() -> None:
    found = read("accelerate launch train.py --a=1\n  --b <your path> --c=<dir>\n  --d ^\n --e\n\necho done\n --f\n")
    assert texts(found) == ["--a=1", "--b", "<your path>", "--c=<dir>", "--d", "--e"]
    assert [word.why for word in found.words[2:4]] == ["it stands for a value of yours"] * 2
    (note,) = found.notes
    assert note.message.startswith("The arguments in the lines 2, 3, 4 are taken")


def test_redirections_are_no_placeholders() -> None:
    assert texts(read("python train.py --a <in >out\n")) == ["--a"]
    assert texts(read("python train.py --a <in>out --b < in > out 2>&1\n")) == ["--a", "--b"]


def test_whose_words_part_at_blanks() -> None:
    text = 'X="--a --b"\npython train.py $X\n'
    assert texts(read(text)) == ["--a", "--b"]
    assert texts(read(text, splits=False)) == ["--a --b"]
    assert splits_words(None, "") and splits_words(None, "#!/bin/sh\n") and not splits_words(None, "#!/bin/zsh\n")


@given(
    st.text("ab=$(){}[]<>|&;'\"`\\\n\t #!@*-+:?%/~.0123456789", max_size=200)
    | st.lists(
        st.sampled_from(
            ("if ", "then ", "fi\n", "for x in ", "do ", "done\n", "case ", " in ", ";;", "esac\n", "f() {", "}\n",
             "f\n", "a=(", ")", "a+=( $a )\n", "<<E\n", "E\n", "$((", "))", "${a:-", "}", "python train.py ", '"$@" ',
             "x=$x$x\n", "set -- ", "${a[@]} ", "function f ", "[[ ", " ]] ", "&& ", "|| ", "source ", "cd ", "export ",
             "'", '"')
        ),
        max_size=40,
    ).map("".join)
)  # fmt: skip
@settings(max_examples=400, deadline=None)
def test_anything_else_is_refused_with_a_place_or_read(text: str) -> None:
    try:
        found = read(text)
    except KlError as error:
        assert error.where and error.where.startswith("a.sh")
    else:
        assert len(found.words) < 100_000


def test_what_grows_without_end_is_bounded() -> None:
    doubling = "x=aaaaaaaa\n" + "x=$x$x$x$x\n" * 40 + "python train.py $x\n"
    assert sum(len(word) for word in texts(read(doubling))) < 10**6
    arrays = "a=( b c )\n" + 'a+=( "${a[@]}" "${a[@]}" )\n' * 40 + 'python train.py "${a[@]}"\n'
    assert len(texts(read(arrays))) < 10_000
    calls = "".join(f"f{n}() {{ {f'f{n + 1}; ' * 30} }}\n" for n in range(8)) + "f0\npython train.py --x\n"
    with pytest.raises(KlError, match="no training command"):
        read(calls.replace("python train.py --x\n", ""))
    with pytest.raises(KlError, match="grow beyond any use"):
        read("x=aaaaaaaa\n" + "x=$x$x$x$x\n" * 10 + f"a=( {'b$x ' * 4000} )\npython train.py\n")
    nested = "python train.py " + "${a:-" * 300 + "}" * 300 + "\n"
    assert read(nested).words[0].why
