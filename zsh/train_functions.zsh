# Functions for training scripts written in zsh. In yours:
#
#   source "$(kl zsh path)"
#
# kl does the work: a run that is made with these functions is a run like any other. README.md beside this file has an
# example. Names that begin with _kl_ are not for scripts.

if [ -z "${ZSH_VERSION:-}" ]; then
  echo "train_functions.zsh is for zsh: let the script begin with #!/usr/bin/env zsh and start it with zsh." >&2
  return 64 2>/dev/null || exit 64
fi

# Remembered now: an environment that is activated later may hide kl, and the script may change its folder.
typeset -g _kl_program=${commands[kl]:-}
typeset -g _kl_caller=${${ZSH_SCRIPT:-}:+${ZSH_SCRIPT:A}}
typeset -g _kl_name='' _kl_recorded=''
typeset -gi _kl_ending=0 _kl_refused=0

# Without a trap of its own a script ends at once on Ctrl-C, and its EXIT trap is not run. Traps are listed into a file:
# a subshell has others.
[[ -o interactive ]] || () { trap >|"$1"; [[ "$(<"$1")" == *INT* ]] } =(:) || trap 'exit 130' INT

# setup_training_vars NAME: sets DATASET_NAME, TRAINING_DIR, STEPS and OUTPUT_DIR, each unless it is set already.
# Fails when there is no dataset folder, and when the run directory is there already.
setup_training_vars() {
  emulate -L zsh
  setopt no_err_exit no_err_return
  _kl_wants 'setup_training_vars NAME' $(( $# == 1 )) || return
  _kl_name=$1
  _kl_recorded=''
  _kl_ending=0
  local assignments
  assignments=$(_kl zsh vars "$1")
  _kl_refused=$?  # a script that goes on nevertheless trains nothing
  (( _kl_refused )) && return $_kl_refused
  eval "$assignments"
}

# setup_conda_env ENVIRONMENT [FOLDER]: makes conda known to this shell, activates the environment, and looks whether
# that is so. FOLDER is where conda is installed, when it is not found by itself.
setup_conda_env() {
  emulate -L zsh
  setopt no_err_exit no_err_return
  _kl_wants 'setup_conda_env ENVIRONMENT [FOLDER]' $(( $# == 1 || $# == 2 )) || return
  local answer hook
  answer=$(_kl zsh conda "${@[2,-1]}") || return
  local -a found
  found=("${(@f)answer}")
  # mamba up to version 1 is asked like conda, which comes with it.
  [[ $found[1] != conda ]] && hook=$("$found[2]" shell hook --shell zsh 2>/dev/null) ||
    hook=$("$found[2]" shell.zsh hook) || return 69
  eval "$hook"
  local activate=$found[1]
  (( $+functions[$activate] )) || activate=conda
  if ! $activate activate "$1" || [[ ${CONDA_DEFAULT_ENV:-} != "$1" && ${CONDA_PREFIX:-} != "${1:a}" ]]; then
    print -ru2 -- "setup_conda_env: $1 is not active, but ${CONDA_DEFAULT_ENV:-no environment}."
    return 69
  fi
  if [[ ${commands[python]:-} != "$CONDA_PREFIX/bin/python" ]]; then
    print -ru2 -- "setup_conda_env: $1 is active, but python is ${commands[python]:-not there}, not its own."
    return 69
  fi
}

# get_lycoris_repo: prints the folder of the repository that LyCORIS is installed from; nothing when it is a package.
get_lycoris_repo() {
  emulate -L zsh
  setopt no_err_exit no_err_return
  if [[ -n ${LYCORIS_REPO:-} ]]; then
    print -r -- "$LYCORIS_REPO"
  else
    _kl zsh lycoris
  fi
}

# store_commits_hashes REPOSITORY...: takes the run directory, and writes commits, copies of the configuration and of
# this script, and their SHA-1 into it.
store_commits_hashes() {
  emulate -L zsh
  setopt no_err_exit no_err_return
  local name=${_kl_name:-${NAME:-}}
  _kl_wants 'setup_training_vars NAME first' $(( $#name )) || return
  (( _kl_refused )) && return $_kl_refused
  local -a caller
  [[ -n $_kl_caller ]] && caller=(--caller "$_kl_caller")
  _kl record "$caller[@]" -- "$name" "${(@)@:#}" || return
  _kl_recorded=$name
}

# run_training_script SCRIPT ARGUMENT...: trains, and returns the trainer's own exit code. With DEBUG=1 it only shows
# what would run. Ctrl-C and SIGTERM end the training first, and then the script.
run_training_script() {
  emulate -L zsh
  setopt no_err_exit no_err_return
  _kl_wants 'run_training_script SCRIPT ARGUMENT...' $(( $# )) || return
  (( _kl_refused )) && return $_kl_refused
  (( _kl_ending )) && return 143  # told to end while something else was going on
  local script=${1:a} name=${_kl_name:-${NAME:-}}
  shift
  local -a named
  named=("${(M)@:#--output_name=*}")
  local -a words
  words=(launch --verbose --script "$script" --name "${name:-${${named[-1]:-}#--output_name=}}")
  [[ -n $_kl_caller ]] && words+=(--caller "$_kl_caller")
  if [[ -o monitor ]]; then  # a shell that is typed into: Ctrl-C goes to what runs in front
    (_kl_train "$script:h" "$words[@]" -- "$@")
    return
  fi
  # Beside this shell, which so can take signals: one that waits for a program in front takes them only afterwards.
  local -i code=0 process
  local asked=''
  ( trap : INT QUIT; _kl_train "$script:h" "$words[@]" -- "$@" ) &
  process=$!
  trap 'asked=INT; [[ -t 0 || -t 1 || -t 2 ]] || kill -INT $process 2>/dev/null' INT  # a terminal sends it to kl too
  trap 'asked=TERM; kill -TERM $process 2>/dev/null' TERM
  while true; do
    code=0
    wait $process || code=$?
    kill -0 $process 2>/dev/null || break
  done
  [[ -z $asked ]] || exit $code
  return $code
}

# cleanup_empty_output: removes what this script has recorded when it holds nothing to keep; for trap … EXIT TERM.
# NO_CLEAN=1 keeps it.
cleanup_empty_output() {
  local -i code=$?
  emulate -L zsh
  setopt no_err_exit no_err_return
  _kl_ending=1
  [[ -n $_kl_recorded ]] && _kl zsh clean-up "$_kl_recorded"
  return $code
}

# _kl WORD...: calls kl.
_kl() {
  (_kl_become $funcstack[2] "$@")
}

# _kl_train FOLDER WORD...: becomes kl in a folder; kl says what is wrong with it.
_kl_train() {
  builtin cd -q -- "$1" 2>/dev/null
  _kl_become run_training_script "${@[2,-1]}"
}

# _kl_become FUNCTION WORD...: becomes kl, with the variables of the script, which need not be exported.
_kl_become() {
  local program=${_kl_program:-${commands[kl]:-}} variable
  if [[ -z $program ]]; then
    print -ru2 -- "$1: kl is not on the PATH. Install it, or link it into ~/.local/bin."
    exit 127
  fi
  for variable in DATASET_NAME TRAINING_DIR STEPS OUTPUT_DIR NO_CLEAN DEBUG; do
    [[ -n ${(P)variable:-} ]] && export "$variable"
  done
  exec "$program" "${@[2,-1]}"
}

# _kl_wants USAGE TRUE: says how a function is used unless it is.
_kl_wants() {
  (( $2 )) && return
  print -ru2 -- "usage: $1"
  return 64
}
