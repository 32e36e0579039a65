"""`kl completion`: what a shell needs to complete kl's words."""

from __future__ import annotations

from enum import Enum
from typing import Annotated

import typer

from launcher.base.places import shipped_folder

# Words are given and taken as they are: nothing of an answer is ever evaluated. For bash 3.2, which macOS has, too.
BASH = r"""_kl() {
  local IFS=$'\n' line value first=1 directive=
  local program=${COMP_WORDS[0]/#\~\//$HOME/}
  COMPREPLY=()
  while IFS= read -r line; do
    if [[ -n $first ]]; then directive=$line first=; continue; fi
    printf -v value %q "${line%%$'\t'*}"
    COMPREPLY+=("$value")
  done < <("$program" _complete bash "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null </dev/null)
  if [[ $directive == *nospace* ]]; then
    compopt -o nospace 2>/dev/null
  elif [[ $directive == *folders* && ${#COMPREPLY[@]} == 0 ]]; then
    compopt -o dirnames 2>/dev/null
  elif [[ $directive == *files* && ${#COMPREPLY[@]} == 0 ]]; then
    compopt -o default 2>/dev/null
  fi
}
complete -F _kl kl
"""


class Shell(str, Enum):
    """A shell that can be told."""

    ZSH = "zsh"
    BASH = "bash"


def completion_command(
    shell: Annotated[Shell, typer.Argument(help="The shell that is to complete.", show_default=False)],
) -> None:
    """Print what makes Tab complete kl's words.

    eval "$(kl completion zsh)" goes into ~/.zshrc, eval "$(kl completion bash)" into ~/.bashrc.
    """
    print(script_for(shell), end="")


def script_for(shell: Shell) -> str:
    """The functions for a shell, as text to be evaluated."""
    return BASH if shell is Shell.BASH else (shipped_folder("zsh") / "_kl").read_text("utf-8")
