"""Every option of the real accelerate, given in [accelerate], is what its own parser reads; and it asks nothing."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from real_bed import PYTHON, needs

from launcher.base.origin import Origin, Source
from launcher.base.ports import free_port
from launcher.base.settings import Setting, Value
from launcher.plan.accelerate import NEUTRAL_CONFIG, accelerate_arguments
from launcher.setup.environments import accelerate_folder
from launcher.trainer.options import Option, ScriptOptions
from launcher.trainer.reader import read_parser

pytestmark = needs(PYTHON)

_PARSE = """
import json, sys
from accelerate.commands.launch import launch_command_parser
parser = launch_command_parser()
print("READ", json.dumps([vars(parser.parse_args(words)) for words in json.load(sys.stdin)], default=str))
"""
_SAY = """
import json, os
names = ("RANK", "WORLD_SIZE", "MASTER_PORT", "ACCELERATE_MIXED_PRECISION")
os.write(1, f"SAID {json.dumps([os.environ.get(name) for name in names])}\\n".encode())
"""
_NOT_ALONE = ("config_file", "training_script", "training_script_args", "aws_access_key_id", "aws_secret_access_key")


def _known() -> ScriptOptions:
    folder = accelerate_folder(PYTHON)
    assert folder is not None
    read = read_parser(folder.parent, "accelerate/commands/launch.py", "launch_command_parser", package="accelerate")
    assert read.options and not read.unread
    return read


def _words(tmp_path: Path, known: ScriptOptions, *pairs: tuple[str, Value]) -> list[str]:
    origin = Origin(Source.SPEC, "fox.toml", tmp_path / "fox.toml", 1)
    config = tmp_path / "accelerate.yaml"
    config.write_bytes(NEUTRAL_CONFIG)
    made = accelerate_arguments(
        [Setting(("accelerate",), key, value, origin) for key, value in pairs],
        known,
        config_file=str(config),
        trainer_precision="bf16",
        cores=2,
        free_port=free_port,
    )
    assert not made.findings, made.findings
    return [word for argument in made.arguments for word in argument.words]


def _example(option: Option) -> tuple[Value, Any]:
    """A value that an option takes, and what its parser is to hold then."""
    if option.is_flag:
        return True, option.const if isinstance(option.const, bool) else True
    if option.choices:
        return str(option.choices[-1]), option.choices[-1]
    if option.action == "AppendAction":
        return ["a=1", "b"], ["a=1", "b"]
    if option.type == "int":
        return 7, 7
    if option.type == "float":
        return 0.5, 0.5
    return "text", "text"


def test_every_option_arrives(tmp_path: Path) -> None:
    known = _known()
    tried = [option for option in known.options if option.name not in _NOT_ALONE and option.type != "<lambda>"]
    examples = [(option, *_example(option)) for option in tried]
    lines = []
    for option, value, _ in examples:
        key = option.name if not option.is_flag else max(option.flags, key=len).removeprefix("--")
        lines.append([*_words(tmp_path, known, (key, value)), "script.py"])
    done = subprocess.run([PYTHON, "-c", _PARSE], input=json.dumps(lines), capture_output=True, text=True, check=True)
    read = json.loads(done.stdout.partition("READ ")[2])
    assert len(read) == len(examples) > 80
    for (option, _, expected), found in zip(examples, read, strict=True):
        held = found[option.name]
        if option.name.endswith(("_file", "_hostfile", "log_dir")):
            assert held == str(tmp_path / "text"), option.name
        else:
            assert held == expected, option.name
        assert found["training_script"] == "script.py"


def _launch(tmp_path: Path, *machines: Sequence[tuple[str, Value]]) -> list[list[str | None]]:
    """What the processes of each machine say, started at the same time; nobody is there to answer a question."""
    known = _known()
    script = tmp_path / "say.py"
    script.write_text(_SAY)
    home = tmp_path / "home"
    home.mkdir()
    environ = {"PATH": os.environ["PATH"], "HOME": str(home)}
    started = [
        subprocess.Popen(
            [PYTHON, "-m", "accelerate.commands.launch", *_words(tmp_path, known, *pairs), str(script)],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environ, text=True,
        )
        for pairs in machines
    ]  # fmt: skip
    outputs = [each.communicate(timeout=240)[0] for each in started]
    assert all(each.returncode == 0 for each in started), outputs
    said = [line for text in outputs for line in text.splitlines()]
    return sorted(json.loads(line.partition("SAID ")[2]) for line in said if "SAID " in line)


def test_one_process_is_asked_nothing(tmp_path: Path) -> None:
    assert _launch(tmp_path, []) == [[None, None, None, "bf16"]]


def test_two_processes_meet_at_the_port_of_their_run(tmp_path: Path) -> None:
    first, second = _launch(tmp_path, [("num_processes", 2)])
    assert (first[:2], second[:2]) == (["0", "2"], ["1", "2"])
    assert first[2] == second[2] not in (None, "29500")


def test_two_machines_meet(tmp_path: Path) -> None:
    where: list[tuple[str, Value]] = [("num_machines", 2), ("main_process_ip", "127.0.0.1")]
    where.append(("main_process_port", free_port()))
    said = _launch(tmp_path, [*where, ("machine_rank", 0)], [*where, ("machine_rank", 1)])
    assert [each[:2] for each in said] == [["0", "2"], ["1", "2"]]
