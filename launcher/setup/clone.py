"""The steps that bring the checkout of sd-scripts where it is wanted: cloned beside its place, then moved there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from launcher.base.errors import ExitCode, KlError
from launcher.base.words import some_of
from launcher.record.git import without_credentials
from launcher.setup.facts import CheckoutFacts, Facts
from launcher.setup.made import Made
from launcher.setup.step import Command, Name, Step, Way
from launcher.setup.wishes import RELEASE, Wishes, is_official, source_folder
from launcher.trainer.checkout import SD_SCRIPTS

_GIT = ("git", "-c", "advice.detachedHead=false")


def checkout_steps(wishes: Wishes, facts: Facts) -> Iterator[Step]:
    """Clone, or what is to be done with a checkout that is there already.

    Raises KlError for one that kl did not make and was not told to adopt, and for one with changes that would have to
    go elsewhere.
    """
    checkout = facts.checkout
    if not checkout.exists:
        _refuse_without_one(wishes, checkout)
        yield _clone(wishes, facts)
        return
    mine = checkout.made is not None and checkout.made.whole
    if not mine and not wishes.adopt:
        raise _not_mine(checkout)
    if not checkout.is_checkout:
        raise KlError(
            f"{checkout.folder} is no checkout of sd-scripts.",
            code=ExitCode.ENVIRONMENT_NOT_READY,
            hint="Name another with --checkout-folder.",
        )
    _refuse_another_source(wishes, checkout)
    if wishes.update:
        yield Step(Name.FETCH, "Fetch what is new", f"from where {checkout.folder} was cloned", ways=_git(
            checkout.folder, ("fetch", "--tags", "--force", "origin")
        ))  # fmt: skip
    yield _at_revision(wishes, checkout)


def wanted_revision(wishes: Wishes, checkout: CheckoutFacts) -> str | None:
    """The revision that the checkout is to stand at; None for whatever it stands at, or the source does."""
    if wishes.revision:
        return wishes.revision
    if wishes.back and checkout.made is not None and checkout.made.before:
        return checkout.made.before[-1].commit
    if wishes.update:
        return checkout.newer
    return RELEASE if not checkout.exists and is_official(wishes) else None


def staging(folder: Path) -> Path:
    """Where a checkout is cloned before it is moved to its place in one go."""
    return folder.parent / f".{folder.name}.kl-making"


def _clone(wishes: Wishes, facts: Facts) -> Step:
    checkout, stage = facts.checkout, staging(facts.checkout.folder)
    source = str(source_folder(wishes) or wishes.source or SD_SCRIPTS)
    clone = stage / "checkout"
    revision = wanted_revision(wishes, checkout)
    at = checkout.target if source_folder(wishes) and checkout.target else revision
    commands = [Command((*_GIT, "clone", "--no-checkout", "--", source, str(clone)), stage)]
    if checkout.sparse:  # the other files may not be there to be had
        commands.append(Command((*_GIT, "sparse-checkout", "set", "--no-cone", *checkout.sparse), clone))
    if source_folder(wishes) and checkout.target:  # it may be on none of the branches that a clone takes along
        commands.append(Command((*_GIT, "fetch", "--quiet", "origin", checkout.target), clone))
    if revision is None and checkout.branch:
        at = checkout.branch
    commands.append(Command((*_GIT, "checkout", at, "--") if at else (*_GIT, "checkout", "HEAD", "--"), clone))
    commit = f" ({checkout.target[:12]})" if checkout.target and checkout.target != revision else ""
    standing = f"{revision or checkout.branch or 'its newest commit'}{commit}"
    notes = ["What is not committed there is not taken along."] if checkout.source_changed else []
    if checkout.sparse:
        notes.append("Only a part of the files is checked out there, and so it is here.")
    return Step(
        Name.CLONE,
        f"Clone {without_credentials(source)} at {standing} to {checkout.folder}",
        f"{RELEASE} is the newest release that this kl knows" if revision == RELEASE else "",
        ways=(Way(tuple(commands)),),
        makes=stage,
        made=Made(kind="checkout", name=wishes.name, source=without_credentials(source)),
        moves=(clone, checkout.folder),
        notes=tuple(notes),
    )


def _at_revision(wishes: Wishes, checkout: CheckoutFacts) -> Step:
    revision = wanted_revision(wishes, checkout)
    here = f"{checkout.folder} stands at {(checkout.commit or 'no commit')[:12]}"
    if wishes.back and (checkout.made is None or not checkout.made.before):
        raise KlError(
            f"Nothing is noted to go back to: {checkout.folder} was not updated.",
            code=ExitCode.ENVIRONMENT_NOT_READY,
            hint="To go to a revision: kl setup --rev REVISION",
        )
    if revision is None and wishes.update:
        return Step(Name.REVISION, "Check out a newer release", done=f"{here}; no release that it knows is newer")
    if revision is None:
        return Step(Name.CLONE, "The checkout", done=here)
    says = f"Check out {revision} in {checkout.folder}"
    if checkout.target is not None and checkout.target == checkout.commit:
        return Step(Name.REVISION, says, done=f"{here}, which is {revision}")
    if checkout.changed:
        raise KlError(
            f"{checkout.folder} has uncommitted changes: {some_of(checkout.changed)}.",
            code=ExitCode.ENVIRONMENT_NOT_READY,
            hint=f"Commit them, or put them away: git -C {checkout.folder} stash",
        )
    if wishes.source is not None and not wishes.update and checkout.target is None:
        ways = _git(checkout.folder, ("fetch", "--tags", "origin"), ("checkout", revision, "--"))
    else:
        ways = _git(checkout.folder, ("checkout", checkout.target or revision, "--"))
    return Step(Name.REVISION, says, f"it stands at {(checkout.commit or '')[:12]}", ways=ways)


def _git(folder: Path, *every: tuple[str, ...]) -> tuple[Way, ...]:
    return (Way(tuple(Command((*_GIT, *words), folder) for words in every)),)


def _refuse_without_one(wishes: Wishes, checkout: CheckoutFacts) -> None:
    if wishes.update or wishes.back:
        raise KlError(
            f"There is no checkout in {checkout.folder} yet.", code=ExitCode.ENVIRONMENT_NOT_READY, hint="kl setup"
        )


def _refuse_another_source(wishes: Wishes, checkout: CheckoutFacts) -> None:
    """What was said is not passed over: a checkout stays a clone of what it was cloned from."""
    before = checkout.made.source if checkout.made else None
    if before is None or wishes.source is None:
        return
    now = without_credentials(str(source_folder(wishes) or wishes.source))
    if now != before:
        raise KlError(
            f"{checkout.folder} was cloned from {before}, not from {now}.",
            code=ExitCode.ENVIRONMENT_NOT_READY,
            hint="Take another --name for it, or leave out --sd-scripts.",
        )


def _not_mine(checkout: CheckoutFacts) -> KlError:
    return KlError(
        f"{checkout.folder} is there already, and kl did not make it.",
        code=ExitCode.ENVIRONMENT_NOT_READY,
        hint="--adopt uses it in place; --checkout-folder or --name takes another folder.",
    )
