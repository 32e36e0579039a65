"""The kinds of findings that making a plan can have. Those of the deeper checks stand beside each check."""

from __future__ import annotations

from launcher.base.findings import Code, Severity

UNKNOWN_KEY = Code(
    "unknown-key",
    Severity.ERROR,
    "No option, setting or prompt has this name. In a file given as --config_file the trainer would read it without a "
    "word and never use it.",
    "library/train_util.py, read_config_from_file",
    can_be_allowed=False,
)
WRONG_TYPE = Code(
    "wrong-type",
    Severity.ERROR,
    "The value is not of the type that the option's parser takes. From a --config_file the trainer takes any type and "
    "fails where it is first used, or computes with it.",
    "library/train_util.py, read_config_from_file",
    can_be_allowed=False,
)
NOT_A_CHOICE = Code(
    "not-a-choice",
    Severity.ERROR,
    "The option takes one of a few words, and this is none of them.",
    "the add_argument call of the option (kl options SCRIPT --json)",
    can_be_allowed=False,
)
WRONG_COUNT = Code(
    "wrong-count",
    Severity.ERROR,
    "The option takes another number of values.",
    "the add_argument call of the option (kl options SCRIPT --json)",
    can_be_allowed=False,
)
SAME_KEY_TWICE = Code(
    "same-key-twice",
    Severity.ERROR,
    "One thing is said twice in one place, and one of the two would be lost. sd-scripts takes the last one.",
    "library/train_util.py, read_config_from_file",
    can_be_allowed=False,
)
SET_BY_KL = Code(
    "set-by-kl",
    Severity.ERROR,
    "kl sets this option itself, so that every run has its own directory and record.",
    "kl",
    can_be_allowed=False,
)
SECRET = Code(
    "secret",
    Severity.ERROR,
    "A secret in a spec or an argument would end in the record, the log and the list of processes.",
    "kl",
    can_be_allowed=False,
)
REQUIRED = Code(
    "required",
    Severity.ERROR,
    "Without this option the trainer fails, often only after minutes of loading.",
    "train_network.py, NetworkTrainer.train",
)
NO_DATASET = Code(
    "no-dataset",
    Severity.ERROR,
    "Nothing says what to train on.",
    "train_network.py, NetworkTrainer.train",
)
NAME_STEPS = Code(
    "name-steps",
    Severity.WARNING,
    "The run is named after a number of steps that it does not train, and whoever reads the name later believes it.",
    "kl",
)
UNREAD = Code(
    "unread",
    Severity.WARNING,
    "Part of the trainer's source could not be read statically, so what belongs to it is not checked.",
    "kl",
)
PATH = Code(
    "path",
    Severity.ERROR,
    "The path holds an environment variable or a home folder that is not known.",
    "kl",
    can_be_allowed=False,
)
FILE = Code(
    "file",
    Severity.ERROR,
    "A dataset config or a file of sample prompts is missing or cannot be read. The trainer stops at a missing dataset "
    "config, and only logs missing prompts when the first sample is due.",
    "library/train_util.py, sample_images_common",
    can_be_allowed=False,
)
PROMPT = Code(
    "prompt",
    Severity.ERROR,
    "A sample prompt of the spec cannot be written as a line of the trainer's prompt file.",
    "library/train_util.py, line_to_prompt_dict",
    can_be_allowed=False,
)
NOTHING_TO_DROP = Code(
    "nothing-to-drop",
    Severity.ERROR,
    "run.drop names what nothing inherited sets: most likely it is misspelt.",
    "kl",
)
KEEP_LAST_SAVES = Code(
    "keep-last-saves",
    Severity.ERROR,
    "run.keep_last_saves has nothing to keep, or an option says the same otherwise.",
    "kl",
    can_be_allowed=False,
)
SPEC = Code(
    "spec",
    Severity.ERROR,
    "The spec cannot be read, or names what is not there, so nothing more can be checked.",
    "kl",
    can_be_allowed=False,
)
ENVIRONMENT = Code(
    "environment",
    Severity.ERROR,
    "The checkout of sd-scripts or the training environment is not there, or not whole.",
    "kl",
    can_be_allowed=False,
)
NAMED_TWICE = Code(
    "named-twice",
    Severity.WARNING,
    "A name stands for a checkout or an environment of kl's configuration, and something else is called so too: what "
    "was meant may be the other one.",
    "kl",
)
CALLER_NOT_COPIED = Code(
    "caller-not-copied",
    Severity.WARNING,
    "The shell script that launches the run holds a secret or cannot be read, so the run directory has no copy of it.",
    "kl",
)
ACTIVATION = Code(
    "activation",
    Severity.WARNING,
    "A part of what activating the conda environment does has failed, so the training would miss variables that its "
    "packages set.",
    "conda/activate.py, build_activate",
)
