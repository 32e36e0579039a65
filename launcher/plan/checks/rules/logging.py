"""Rules about where the trainer writes its curves and messages."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from launcher.base.findings import Severity
from launcher.plan.checks.candidate import Candidate
from launcher.plan.checks.rules.loop import loop_says
from launcher.plan.checks.rules.rule import Rule, Said, rule
from launcher.trainer.source_text import Evidence

_ACCELERATOR = "library/train_util.py, prepare_accelerator"
_IMPORTS_WANDB = Evidence("library/train_util.py", "prepare_accelerator", (r"import wandb",))
_TENSORBOARD = Evidence("library/train_util.py", "prepare_accelerator", (r'log_with = "tensorboard"',))
_CONFIG = r"init_kwargs = toml\.load\(args\.log_tracker_config\)"
_TRACKERS = Evidence("library/train_util.py", "init_trackers", (_CONFIG,))
_TRACKERS_OLD = Evidence("train_network.py", "train", (_CONFIG,))  # before v0.10
_LOG_FILE = Evidence("library/utils.py", "setup_logging", (r"logging\.FileHandler\(args\.console_log_file",))
_WITHOUT_ACCOUNT = ("offline", "disabled", "dryrun")
_OTHER_WAYS = ("WANDB_API_KEY", "WANDB_ANONYMOUS", "WANDB_IDENTITY_TOKEN_FILE")
_LARGEST = 1_048_576  # bytes of a file of settings


@rule(
    "wandb-missing",
    Severity.ERROR,
    "The trainer imports wandb where log_with asks for it, after it has read the dataset, and fails.",
    _ACCELERATOR,
    _IMPORTS_WANDB,
    options=("log_with",),
)
def _wandb_missing(candidate: Candidate) -> Said | None:
    if not _wandb(candidate) or not candidate.packages.known or candidate.packages.find("wandb"):
        return None
    asked, label = candidate.value("log_with"), candidate.environment.label
    message = f"log_with = {asked!r} needs wandb, which {label} does not have."
    return Said(message, 'Install wandb there, or write "tensorboard".')


@rule(
    "wandb-key",
    Severity.ERROR,
    "Without a terminal wandb cannot ask for a key: the trainer fails once the base model is loaded and the latents "
    "are cached.",
    "library/train_util.py, init_trackers; wandb, init",
    _IMPORTS_WANDB,
    options=("log_with", "wandb_api_key"),
)
def _wandb_key(candidate: Candidate) -> Said | None:
    environ = candidate.environ
    if not _wandb(candidate) or candidate.chosen("log_tracker_config"):
        return None  # the file may say how to do without
    if candidate.packages.known and not candidate.packages.find("wandb"):
        return None  # a finding of its own
    if any(environ.get(name) for name in _OTHER_WAYS) or environ.get("WANDB_MODE", "").lower() in _WITHOUT_ACCOUNT:
        return None
    home = environ.get("HOME")
    if not home or _logged_in(environ, Path(home), candidate.trainer.checkout):
        return None
    message = f"log_with = {candidate.value('log_with')!r} needs a key of Weights & Biases, and there is none."
    return Said(message, "Set WANDB_API_KEY in the environment, or WANDB_MODE=offline to keep the curves here.")


def _logged_in(environ: Mapping[str, str], home: Path, checkout: Path) -> bool:
    """Whether `wandb login` left a key, or settings that need none, where wandb looks for them."""
    host = urlsplit(environ.get("WANDB_BASE_URL", "")).hostname or "wandb"
    netrc = environ.get("NETRC")
    for path in [Path(netrc)] if netrc else [home / ".netrc", home / "_netrc"]:
        text = _text(path)
        if text is None and _exists(path):
            return True  # whatever it holds
        if text and (host in text or "default" in text.split()):
            return True
    folders = [Path(environ.get("WANDB_CONFIG_DIR") or home / ".config" / "wandb"), checkout / "wandb"]
    settings = "".join(_text(folder / "settings") or "" for folder in folders)
    return "api_key" in settings or "mode" in settings


@rule(
    "tensorboard-missing",
    Severity.WARNING,
    "Without the package accelerate leaves the tracker out, and no curve is written; it says so only when it is asked "
    "to debug.",
    f"{_ACCELERATOR}; accelerate/tracking.py, filter_trackers",
    _TENSORBOARD,
    options=("log_with", "logging_dir"),
)
def _tensorboard_missing(candidate: Candidate) -> Said | None:
    if candidate.value("log_with") not in (None, "tensorboard") or not candidate.packages.known:
        return None
    if candidate.packages.find("tensorboard") or candidate.packages.find("tensorboardX"):
        return None
    if candidate.packages.find("accelerate") is None:
        return None  # then nothing is known of this environment, or it cannot train at all
    message = f"{candidate.environment.label} has no tensorboard: no curves will be written to logs/."
    return Said(message, "Install tensorboard there.", "log_with")


@rule(
    "tracker-config",
    Severity.ERROR,
    "The trainer reads the file as TOML once everything is loaded, and fails.",
    "library/train_util.py, init_trackers",
    _TRACKERS,
    _TRACKERS_OLD,
    options=("log_tracker_config",),
)
def _tracker_config(candidate: Candidate) -> Said | None:
    path = candidate.path("log_tracker_config")
    if path is None:
        return None
    tables = _tables(path)
    if isinstance(tables, str):
        return Said(f"log_tracker_config: {path} {tables}.", "Correct it, or leave it out.")
    used = [name for name in _used(candidate) if name in tables]
    wrong = next((name for name in used if not isinstance(tables[name], dict)), None)
    if wrong:
        return Said(f"log_tracker_config: {wrong} in {path} is not a table.", f"Write [{wrong}].")
    if used:
        return None
    has = f"has only {', '.join(sorted(tables)[:5])}" if tables else "is empty"
    message = f"log_tracker_config has no effect: {path} {has}."
    return Said(message, f"Write [{_used(candidate)[0]}].", severity=Severity.WARNING)


@rule(
    "wandb-run-name",
    Severity.WARNING,
    "wandb_run_name only reaches wandb; the tables of log_tracker_config replace it.",
    "library/train_util.py, init_trackers",
    _TRACKERS,
    _TRACKERS_OLD,
    options=("wandb_run_name", "log_with", "log_tracker_config"),
)
def _wandb_run_name(candidate: Candidate) -> Said | None:
    if not candidate.value("wandb_run_name") or not candidate.chosen("wandb_run_name"):
        return None
    if not _wandb(candidate):
        message = "wandb_run_name has no effect: log_with does not ask for wandb."
        return Said(message, 'Set log_with = "wandb", or leave it out.')
    if candidate.chosen("log_tracker_config"):
        message = "wandb_run_name has no effect: log_tracker_config replaces it."
        return Said(message, 'Write name = "…" under [wandb] in that file.')
    return None


@rule(
    "console-log-file",
    Severity.ERROR,
    "The trainer opens the file before anything else, and makes no folder for it.",
    "library/utils.py, setup_logging",
    _LOG_FILE,
    options=("console_log_file",),
)
def _console_log_file(candidate: Candidate) -> Said | None:
    path = candidate.path("console_log_file")
    if path is None or not loop_says(candidate, r"setup_logging\(args"):
        return None
    try:
        if not path.parent.is_dir():
            return Said(f"console_log_file: there is no folder {path.parent}.", "Make it, or leave the option out.")
        if path.is_dir():
            return Said(f"console_log_file: {path} is a folder.", "Name a file in it.")
    except (OSError, ValueError):
        return None
    message = f"console_log_file sends the trainer's messages to {path}, and sdscripts.log lacks them."
    return Said(message, "Leave it out: the run directory keeps everything that is printed.", severity=Severity.ADVICE)


def _wandb(candidate: Candidate) -> bool:
    return candidate.value("log_with") in ("wandb", "all")


def _used(candidate: Candidate) -> tuple[str, ...]:
    """The trackers that this run will have; "all" takes every one that is installed."""
    chosen = candidate.value("log_with")
    if chosen == "all":
        return ("wandb", "tensorboard", "comet_ml", "aim", "mlflow", "clearml", "dvclive", "swanlab", "trackio")
    return (chosen if isinstance(chosen, str) else "tensorboard",)


def _tables(path: Path) -> Mapping[str, object] | str:
    """The tables of a TOML file as the trainer reads it, with `toml`; else what is wrong with it."""
    import toml  # noqa: PLC0415 - only a log_tracker_config needs it

    text = _text(path)
    if text is None:
        return "is no text file of at most 1 MiB" if _exists(path) else "is not there"
    try:
        return toml.loads(text)
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        return f"cannot be read as TOML: {(str(error).splitlines() or ['it is none'])[0].rstrip('.')}"


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):
        return True


def _text(path: Path) -> str | None:
    try:
        if not path.is_file() or path.stat().st_size > _LARGEST:
            return None
        return path.read_bytes().decode("utf-8")
    except (OSError, ValueError):
        return None


RULES: tuple[Rule, ...] = (
    _wandb_missing,
    _wandb_key,
    _tensorboard_missing,
    _tracker_config,
    _wandb_run_name,
    _console_log_file,
)
