"""The whole set-up as steps: from wishes and facts alone, so that it can be shown before anything is done."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from launcher.base.errors import ExitCode, KlError
from launcher.setup.clone import checkout_steps
from launcher.setup.facts import Facts
from launcher.setup.make_environment import environment_steps
from launcher.setup.step import Command, Name, Step, Way
from launcher.setup.torch_build import TorchBuild, choose_torch, torch_said
from launcher.setup.wishes import Wishes

# What a training imports before it reads its arguments; one line each of what is there. Takes half a minute.
_TRIAL = """\
import torch, torchvision, accelerate, diffusers, transformers, safetensors, toml, voluptuous, lycoris.kohya, library
print("torch", torch.__version__, "CUDA", torch.version.cuda, "usable" if torch.cuda.is_available() else "not usable")
"""


def plan_setup(wishes: Wishes, facts: Facts) -> tuple[Step, ...]:
    """Every step, in order, with those that are seen to be done already.

    Nothing is looked at but the facts. Raises KlError for what cannot be done: see the steps.
    """
    if facts.machine.git is None:
        raise KlError(
            "git is not installed.",
            code=ExitCode.ENVIRONMENT_NOT_READY,
            hint="Install it: apt install git, brew install git, or https://git-scm.com/downloads",
        )
    torch = torch_for(wishes, facts)
    steps = (*checkout_steps(wishes, facts), *environment_steps(wishes, facts, torch))
    changes = any(step.done is None and step.name is not Name.FETCH for step in steps)
    return (*steps, *_afterwards(wishes, facts, changes=changes))


def torch_for(wishes: Wishes, facts: Facts) -> TorchBuild:
    """The torch for this checkout and this machine."""
    said = torch_said(facts.checkout.readme) if facts.checkout.readme else None
    made = facts.checkout.made
    before = made.before[-1].torch if wishes.back and made is not None and made.before else None
    return choose_torch(before.split()[0] if before else wishes.torch, wishes.cuda, said, facts.machine)


def fingerprint(facts: Facts) -> str:
    """What was there when the check went well: the commit, the packages, torch's build."""
    from launcher.base.files import sha256_of  # noqa: PLC0415

    environment = facts.environment
    parts = (facts.checkout.commit, sorted(environment.packages.items()), environment.build, str(environment.python))
    return sha256_of(repr(parts).encode())


def _afterwards(wishes: Wishes, facts: Facts, *, changes: bool) -> Iterator[Step]:
    environment = facts.environment
    python = str(environment.folder / "bin" / "python")
    made = environment.made
    seen = made is not None and not changes and made.checked == fingerprint(facts)
    yield Step(
        Name.CHECK,
        "Import what training imports",
        "takes half a minute",
        "it went well, and nothing has changed since" if seen else None,
        (Way((Command((python, "-c", _TRIAL), facts.checkout.folder),)),),
    )
    done = "kl's configuration names them" if facts.configured else None
    yield Step(Name.CONFIGURATION, "Write checkout and environment into kl's configuration", "", done)
    if wishes.accelerate_config:
        words = (python, "-c", "from accelerate.utils import write_basic_config; write_basic_config()")
        ways = (Way((Command(words, Path.home()),)),)
        done = "it is there already" if facts.accelerate_configured else None
        yield Step(Name.ACCELERATE, "Write accelerate's default configuration", "you asked for it", done, ways)
