"""What is read in a script, against the words that bash and zsh really give to a program."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from launcher.spec.import_script import Reading, import_script

SHELLS = [
    pytest.param(name, marks=pytest.mark.skipif(not shutil.which(name), reason=f"needs {name}"))
    for name in ("bash", "zsh")
]
# Pieces of words, glued together at random: every kind of quote and expansion that is followed.
_PIECES = (
    "a", "--x=1", " ", "  ", "\n", "\\\n", "'b c'", '"d e"', "\\ ", "\\$", '"\\$A"', '"\\\\"', "$A", '"$A"', "${A}",
    '"${B:-no}"', "${B:-no no}", '"${B:-$A}"', '"${A:+yes}"', "${A%.*}", '"${A##*/}"', '"${list[@]}"', '"$@"', "''",
    '""', "# c\n", "x#y", "$'t\\tu'", '"$((2 * 3))"', '"${SPACED}"', "$SPACED", "1e-4", "=", "/", '"${EMPTY}"',
    "$EMPTY", '"$(dirname "/p/q")"', "${A:-'q'}", '"${B-it}"',
)  # fmt: skip
_BEGIN = "A=/m/n.o\nSPACED='s  t'\nEMPTY=\nlist=( one 'two three' )\n"


@pytest.mark.parametrize("shell", SHELLS)
@given(pieces=st.lists(st.sampled_from(_PIECES), max_size=12))
@settings(max_examples=150, deadline=None)
def test_the_words_are_those_of_the_shell(shell: str, pieces: list[str]) -> None:
    array = f"{_BEGIN}args=( {''.join(pieces)}\n)\n"
    said = subprocess.run(
        [shell, "-c", f"{array}printf '%s\\0' \"${{args[@]}}\""], capture_output=True, check=False, cwd="/"
    )
    if said.returncode or said.stderr:
        return  # a word that this shell refuses
    real = said.stdout.decode().split("\0")[:-1]
    text = f'{array}python train.py "${{args[@]}}"\n'
    found = import_script(text, Reading("a.sh", splits=shell == "bash", script="train.py"))
    words = [word.text for word in found.words]
    if any(word.why for word in found.words):
        return  # such as $Aa, which nobody set
    if not words:
        assert real in ([], [""])  # printf writes once without any word
        return
    assert words == real


@pytest.mark.parametrize("shell", SHELLS)
def test_a_whole_script(tmp_path: Path, shell: str) -> None:
    """Functions, conditions, cases, loops, here-documents and subshells round about the command."""
    (tmp_path / "train.py").write_text("import sys\nprint('\\0'.join(sys.argv[1:]), end='')\n")
    script = tmp_path / "run.sh"
    script.write_text(_SCRIPT)
    said = subprocess.run([shell, str(script)], capture_output=True, check=True, text=True, cwd=tmp_path)
    found = import_script(_SCRIPT, Reading("run.sh", splits=shell == "bash", path=str(script)))
    assert [word.text for word in found.words] == said.stdout.split("\0")
    assert found.folder == str(tmp_path) and found.script == "./train.py"


_SCRIPT = r"""
# This trains.
say() { echo "$@" >&2; }
cd "$(cd "$(dirname "$0")" && pwd)" || exit 1
case "$1" in
  (a|b) echo "one (1)";;
  *) : ;;
esac
for each in 1 2; do say "$each"; done
cat <<END >/dev/null
accelerate launch train_other.py --it's "not closed
END
if [[ -n "$1" && ( -d / ) ]]; then say "given"; else STEPS=5; fi
(( 1 < 2 )) && say yes
words="--one=1 --two"
list=(
  --three='3 3'   # comment (with ' in it
  # --four
)
run() {
  local name="$1"; shift
  python3 ./train.py --name="$name" "${list[@]}" --five $((1 + 4)) "$extra" >&1 2>/dev/null
}
extra="${words##* }"
run fox
"""
