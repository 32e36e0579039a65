"""reproduce.sh: a run again in plain git and accelerate commands, for someone without kl."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from launcher.plan.plan import Argument, Plan
from launcher.plan.shell import quoted
from launcher.record.config_paths import with_whole_paths
from launcher.record.manifest import RepositoryRecord
from launcher.record.variables import PLACES, RECORDED

REPRODUCE_SCRIPT = "reproduce.sh"
CHECKOUT = "sd-scripts"  # the name of the checkout's record
# They follow from the interpreter, the code and the run directory.
SET_ANEW = frozenset({
    "PATH", "PYTHONPATH", "VIRTUAL_ENV", "CONDA_PREFIX", "CONDA_DEFAULT_ENV", "CONDA_SHLVL", "CONDA_PROMPT_MODIFIER",
    "KL_RUN",
})  # fmt: skip
# They are about this machine: whoever trains again sets his own, and what was recorded holds where he does not.
OF_THE_MACHINE = PLACES | {
    "CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER", "NVIDIA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "ZE_AFFINITY_MASK",
    "ROCR_VISIBLE_DEVICES", "LD_LIBRARY_PATH", "LD_PRELOAD", "PYTHONHOME", "HF_ENDPOINT", "NCCL_SOCKET_IFNAME",
}  # fmt: skip
SEED = "seed"  # the option
_OUTPUTS = ("output_dir", "logging_dir")
_DATASET_CONFIG = "dataset_config"

_HEAD = """\
#!/bin/sh
# Trains {name} again, with git and accelerate alone: the recorded code, options and files of this folder.
#
#     sh reproduce.sh
#
# These may be set:
#   PYTHON      the interpreter that trains; environment.json lists the packages it should have
#   SD_SCRIPTS  where the commit of sd-scripts is fetched from: a clone of it, or its address; nothing is changed there
#   OUTPUT      the folder that is made for the model; the code is put beside it, into OUTPUT-code
set -eu
unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE GIT_OBJECT_DIRECTORY GIT_ALTERNATE_OBJECT_DIRECTORIES GIT_NAMESPACE KL_RUN
CDPATH=
"""

_BODY = """\

say() { printf '%s\\n' "$*" >&2; }
fail() { say "reproduce.sh: $*"; exit 1; }
plain_git() { git -c core.autocrlf=false -c core.hooksPath=/dev/null -c advice.detachedHead=false "$@"; }

case $0 in */*) RUN=${0%/*} ;; *) RUN=. ;; esac
RUN=$(cd -- "${RUN:-/}" && pwd -P)
[ -f "$RUN/run.json" ] || fail "give its path: sh FOLDER/reproduce.sh"
command -v git >/dev/null || fail "git is not installed"
PYTHON=$(command -v "$PYTHON") || fail "the interpreter is not there: PYTHON names another"
case $PYTHON in /*) ;; *) PYTHON=$PWD/$PYTHON ;; esac
: "${OUTPUT:=$RUN-reproduced}"
mkdir -- "$OUTPUT" "$OUTPUT-code" || fail "OUTPUT must name a new folder, with $OUTPUT-code beside it"
CODE=$(cd -- "$OUTPUT-code" && pwd -P)
OUTPUT=$(cd -- "$OUTPUT" && pwd -P)

# fetch FOLDER COMMIT SOURCE: true when the repository in FOLDER has the commit then.
fetch() {
  if [ -d "$3" ]; then
    set -- "$1" "$2" "$(cd -- "$3" && pwd -P)"
    plain_git -C "$1" fetch --quiet --depth=1 --no-tags \\
      --upload-pack='git -c uploadpack.allowAnySHA1InWant=true upload-pack' "$3" "$2" || return 1
  else
    GIT_TERMINAL_PROMPT=0 plain_git -C "$1" fetch --quiet --depth=1 --no-tags "$3" "$2" ||
      GIT_TERMINAL_PROMPT=0 plain_git -C "$1" fetch --quiet "$3" '+refs/heads/*:refs/heads/fetched/*' || return 1
  fi
  plain_git -C "$1" cat-file -e "$2^{commit}"
}

# code FOLDER COMMIT TREE PATCH SOURCE...: the files of a commit, with a patch, in a folder of their own.
# Without a PATCH or a TREE to compare with, "".
code() {
  folder=$1 commit=$2 tree=$3 patch=$4 found=
  shift 4
  mkdir -p -- "$folder"
  plain_git -C "$folder" init --quiet --template=
  for source do
    if [ -z "$found" ] && [ -n "$source" ] && fetch "$folder" "$commit" "$source"; then found=$source; fi
  done
  [ -n "$found" ] || fail "commit $commit was found in none of: $*"
  plain_git -C "$folder" checkout --quiet --detach "$commit"
  if [ -n "$patch" ]; then
    plain_git -C "$folder" apply --index --binary --whitespace=nowarn "$RUN/$patch" || fail "$patch does not apply"
  fi
  if [ -n "$tree" ] && [ "$(plain_git -C "$folder" write-tree)" != "$tree" ]; then
    fail "$folder does not have the files that were trained with"
  fi
}

"""


_SEED = """\
# The run was given no seed: the trainer took one, which its model says.
if [ -z "${SEED:-}" ] && [ -f "$RUN/metadata.json" ]; then
  SEED=$(sed -n 's/^ *"ss_seed": "\\([0-9][0-9]*\\)",\\{0,1\\}$/\\1/p' "$RUN/metadata.json")
fi
[ -n "${SEED:-}" ] || say "the run's seed is not known: SEED names one"\
"""


def reproduce_script(plan: Plan, repositories: Sequence[RepositoryRecord], variables: Mapping[str, str]) -> bytes:
    """The script for a plan whose code was recorded as `repositories`.

    `variables` are those of record/variables.py that the trainer has from outside the plan; those of the plan come
    over them. The script takes the run directory from its own place, so that it may be copied or moved. It never
    writes there, nor into the checkout.
    """
    every = {**variables, **plan.environment.variables, **plan.variables}
    return "\n".join(_lines(plan, repositories, every)).encode("utf-8", "backslashreplace")


def unset_then(variables: Mapping[str, str]) -> tuple[str, ...]:
    """The variables that change a training and that one with these `variables` did not have."""
    return tuple(sorted(RECORDED - OF_THE_MACHINE - SET_ANEW - variables.keys()))


def import_folders(repositories: Sequence[RepositoryRecord]) -> Iterator[tuple[RepositoryRecord, str]]:
    """The folders from which Python imports what was recorded beside the checkout, by their names in a repository.

    "" is the repository's own folder. A repository that pip fetched is a package of the environment, and none here.
    """
    for record in repositories:
        if record.name == CHECKOUT or record.inside or not record.commit or not record.path.startswith("/"):
            continue
        if (Path(record.path) / "src").is_dir():
            yield record, "src"
        yield record, ""


def python_path(paths: str, repositories: Sequence[RepositoryRecord]) -> Iterator[tuple[RepositoryRecord | None, str]]:
    """What PYTHONPATH is made of where the repositories stand elsewhere: `paths`, then those of `import_folders`.

    So Python looks through them as it did: an installed repository comes after PYTHONPATH. Each folder comes with the
    repository that it stands in, or with None and its whole name.
    """
    for folder in filter(None, paths.split(os.pathsep)):
        inside = next(
            ((record, part) for record in repositories if (part := _part_of(Path(folder), record)) is not None), None
        )
        yield inside or (None, folder)
    yield from import_folders(repositories)


def _part_of(folder: Path, record: RepositoryRecord) -> str | None:
    """The name of a folder inside a repository; None when it stands elsewhere."""
    if not record.commit or not record.path.startswith("/"):
        return None
    try:
        part = folder.relative_to(record.path)
    except ValueError:
        return None
    return "" if part == Path() else str(part)


def place_of_checkout(plan_checkout: Path, repositories: Sequence[RepositoryRecord]) -> str:
    """The checkout's folder inside its repository, which is "" unless the trainer is a part of a larger one."""
    record = next((each for each in repositories if each.name == CHECKOUT), None)
    return (_part_of(plan_checkout, record) if record else None) or ""


def _lines(plan: Plan, repositories: Sequence[RepositoryRecord], variables: Mapping[str, str]) -> Iterator[str]:
    checkout = next((each for each in repositories if each.name == CHECKOUT), None)
    yield _HEAD.format(name=plan.name)
    yield f'[ -n "${{PYTHON:-}}" ] || PYTHON={quoted(str(plan.environment.python))}'
    if checkout is None or not checkout.commit:
        yield from ("", "echo 'reproduce.sh: the commit of sd-scripts was not recorded' >&2", "exit 1", "")
        return
    yield f'[ -n "${{SD_SCRIPTS:-}}" ] || SD_SCRIPTS={quoted(checkout.path)}'
    yield _BODY
    for record in repositories:
        yield from _code(record, checkout)
    for record in repositories:
        yield from (f"say {quoted(f'not in {record.name}: {left}')}" for left in record.left_out)
    config = _whole_config(plan)
    if config is not None:
        name, content = config
        yield f'printf %s {quoted(content.decode())} > "$OUTPUT"/{quoted(name)}'
    yield from _variables(variables, repositories)
    yield f'cd -- "$CODE"/{quoted(str(Path(CHECKOUT, place_of_checkout(plan.trainer.checkout, repositories))))}'
    words = [f'"$PYTHON" {" ".join(plan.argv[1:3])}']
    words += [_word(word, plan, argument, config) for argument in plan.accelerate for word in argument.words]
    words.append(quoted(plan.trainer.script))
    words += [_word(word, plan, argument, config) for argument in plan.arguments for word in argument.words]
    if not any(argument.name == SEED for argument in plan.arguments):
        yield _SEED
        words.append('${SEED:+"--seed=$SEED"}')
    yield " \\\n  ".join(words)
    yield f'say "The model is in $OUTPUT, trained with the code in $CODE: "{quoted(" ".join(plan.outputs.final))}'
    yield ""


def _code(record: RepositoryRecord, checkout: RepositoryRecord) -> Iterator[str]:
    if not record.commit:
        reason = record.problem or "it has no commit"
        yield f"say {quoted(f'{record.name} is not as it was: {reason}')}"
        return
    if not record.path.startswith("/"):
        yield f"say {quoted(f'{record.name} was installed from {record.path} at {record.commit}: PYTHON must have it')}"
        return
    if record.problem:
        yield f"say {quoted(f'{record.name} may not be as it was: {record.problem}')}"
    sources = [quoted(source) for source in (record.path, record.remote) if source]
    own = '"$SD_SCRIPTS"'
    if record.name == CHECKOUT:
        sources[:1] = [own]
    elif record.name.startswith(f"{CHECKOUT}/"):  # a submodule
        sources.insert(0, f"{own}/{quoted(os.path.relpath(record.path, checkout.path))}")
    words = [record.commit, record.tree or "", record.patch or ""]
    yield f'code "$CODE"/{quoted(record.name)} {" ".join(map(quoted, words))} {" ".join(sources)}'


def _whole_config(plan: Plan) -> tuple[str, bytes] | None:
    """The dataset config of the run, when it has paths that are relative to the checkout."""
    named = next((each.value for each in plan.arguments if each.name == _DATASET_CONFIG), None)
    file = next((each for each in plan.files if str(plan.directory / each.name) == named), None)
    if file is None:
        return None
    try:
        content, relative = with_whole_paths(file.name, file.content, plan.trainer.checkout)
    except ValueError:
        return None
    return (file.name, content) if relative else None


def _variables(variables: Mapping[str, str], repositories: Sequence[RepositoryRecord]) -> Iterator[str]:
    unset = (*unset_then(variables), *(() if "PYTHONPATH" in variables else ("PYTHONPATH",)))
    yield " \\\n  ".join(textwrap.wrap(f"unset {' '.join(unset)}", 116))
    yield "PATH=${PYTHON%/*}:$PATH; export PATH"
    for name in ("VIRTUAL_ENV", "CONDA_PREFIX"):
        if name in variables:
            yield f"{name}=${{PYTHON%/*}}; {name}=${{{name}%/*}}; export {name}"
    folders = [
        f'"$CODE"/{quoted(str(Path(record.name, part)))}' if record else quoted(part)
        for record, part in python_path(variables.get("PYTHONPATH", ""), repositories)
    ]
    if folders:
        yield f"PYTHONPATH={':'.join(folders)}; export PYTHONPATH"
    for name, value in variables.items():
        if name in SET_ANEW or not (name.isidentifier() and name.isascii()):
            continue
        own = f'[ -n "${{{name}+set}}" ] || ' if name in OF_THE_MACHINE else ""
        yield f"{own}{name}={quoted(value)}; export {name}"


def _word(word: str, plan: Plan, argument: Argument, config: tuple[str, bytes] | None) -> str:
    """A word of the command, with the run directory's own place in it."""
    flag, equals, value = word.partition("=")
    for before, path in ((f"{flag}{equals}", value), ("", word)):
        rest = path.removeprefix(str(plan.directory))
        if rest != path and (not rest or rest.startswith("/")):
            made_anew = argument.name in _OUTPUTS or (config is not None and rest == f"/{config[0]}")
            place = "$OUTPUT" if made_anew else "$RUN"
            return "".join((quoted(before) if before else "", f'"{place}"', quoted(rest) if rest else ""))
    if argument.name == "logging_dir" and equals:  # elsewhere, in a run without a spec
        return f'{flag}="$OUTPUT"/logs'
    return quoted(word)
