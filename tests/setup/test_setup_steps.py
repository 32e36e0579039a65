"""The steps of a set-up, from wishes and facts alone."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from conda_bed import conda_bed

from launcher.base.errors import ExitCode, KlError
from launcher.setup.conda import CondaProgram, conda_program
from launcher.setup.facts import CheckoutFacts, EnvironmentFacts, Facts, Interpreter, Machine
from launcher.setup.made import Before, Made
from launcher.setup.step import Name, Step
from launcher.setup.steps import fingerprint, plan_setup
from launcher.setup.wishes import RELEASE, Wishes
from launcher.trainer.checkout import SD_SCRIPTS

README = "pip install torch==2.6.0 torchvision==0.21.0 --index-url https://packages.invalid/whl/cu124"
MACHINE = Machine(
    git="/bin/git", pythons=(Interpreter(Path("/py/3.12"), (3, 12)), Interpreter(Path("/py/3.10"), (3, 10)))
)
CHECKOUT, ENVIRONMENT = Path("/home/me/sd-scripts"), Path("/home/me/env")
PACKAGES = {
    "torch": "2.6.0+cu124", "torchvision": "0.21.0+cu124", "lycoris-lora": "4.0.0", "accelerate": "1.6.0",
    "xformers": "0.0.29",
}  # fmt: skip
VENV = Made(kind="venv", name="sd-scripts", whole=True, torch="2.6.0 cu124")
MINE = Made(kind="checkout", name="sd-scripts", whole=True, source=SD_SCRIPTS)


def _facts(**changes: object) -> Facts:
    bare = Facts(MACHINE, CheckoutFacts(CHECKOUT), EnvironmentFacts(ENVIRONMENT), Path("/state"))
    return replace(bare, **changes)  # type: ignore[arg-type]


def _done(**changes: object) -> Facts:
    """Facts of a machine on which all is done."""
    checkout = CheckoutFacts(
        CHECKOUT, True, True, MINE, "a" * 40, target="a" * 40, readme=README, requirements="accelerate==1.6.0\n-e .\n"
    )
    environment = EnvironmentFacts(
        ENVIRONMENT, True, VENV, ENVIRONMENT / "bin" / "python", (3, 10), PACKAGES, CHECKOUT, "cu124", ("torch==2.6.0",)
    )
    machine = replace(MACHINE, gpus=("a GPU",), driver_cuda=(12, 4), architectures=((8, 6),))
    facts = replace(_facts(checkout=checkout, environment=environment, machine=machine), configured=True)
    facts = replace(facts, **changes)  # type: ignore[arg-type]
    if facts.environment.made is not None:
        made = Made(kind="venv", name="sd-scripts", whole=True, torch="2.6.0 cu124", checked=fingerprint(facts))
        if facts.environment.made == VENV:
            facts = replace(facts, environment=replace(facts.environment, made=made))
    return facts


def _left(wishes: Wishes, facts: Facts) -> dict[str, Step]:
    return {step.name.value: step for step in plan_setup(wishes, facts) if step.done is None}


def _words(step: Step, way: int = 0) -> list[list[str]]:
    return [list(command.argv) for command in step.ways[way].commands]


def _refused(wishes: Wishes, facts: Facts) -> str:
    with pytest.raises(KlError) as caught:
        plan_setup(wishes, facts)
    assert caught.value.hint
    return caught.value.message


def test_on_a_bare_machine_everything_is_to_do() -> None:
    left = _left(Wishes(), _facts())
    assert list(left) == ["clone", "environment", "torch", "requirements", "check", "configuration"]
    clone = _words(left["clone"])
    assert SD_SCRIPTS in clone[0] and clone[-1][-2:] == [RELEASE, "--"]
    assert left["clone"].makes != CHECKOUT and left["clone"].moves is not None  # never half in its place
    assert _words(left["environment"]) == [["/py/3.10", "-m", "venv", str(ENVIRONMENT)]]
    torch = _words(left["torch"])[0]
    assert torch[:4] == [f"{ENVIRONMENT}/bin/python", "-m", "pip", "install"] and "torch==2.6.0" in torch
    assert "http" not in " ".join(torch)  # nobody has named an index yet
    needed = left["requirements"]
    assert {"requirements.txt", "lycoris_lora<4.1", "-c"} <= {*_words(needed)[0]}
    assert needed.ways[0].commands[0].folder == CHECKOUT  # it has `-e .`
    assert needed.files[0][1] == b"torch==2.6.0\ntorchvision==0.21.0\n"


def test_where_all_is_done_nothing_is_left() -> None:
    assert _left(Wishes(), _done()) == {}
    assert all(step.done for step in plan_setup(Wishes(), _done()))


def test_the_index_of_a_build_is_the_readmes_or_the_wished_one() -> None:
    checkout = CheckoutFacts(CHECKOUT, target="a" * 40, readme=README)
    facts = _facts(checkout=checkout)
    by_pip = _left(Wishes(), facts)["torch"]
    assert _words(by_pip)[0][-2:] == ["--index-url", "https://packages.invalid/whl/cpu"]
    assert "--index-url" not in _words(by_pip, -1)[0]  # at last the user's own
    by_uv = _left(Wishes(cuda="cu126"), replace(facts, machine=replace(MACHINE, uv="/bin/uv")))["torch"]
    assert _words(by_uv)[0][-2:] == ["--torch-backend", "cu126"]
    assert [way.commands[0].argv[0] for way in by_uv.ways][-2:] == ["/bin/uv", f"{ENVIRONMENT}/bin/python"]
    named = _left(Wishes(torch_index="https://mine.invalid/simple"), facts)["torch"]
    assert [_words(named)[0][-1], len(named.ways)] == ["https://mine.invalid/simple", 1]
    offline = _left(Wishes(), replace(facts, machine=replace(MACHINE, offline=True)))["torch"]
    assert len(offline.ways) == 1 and "--index-url" not in _words(offline)[0]


def test_xformers_goes_with_its_torch() -> None:
    other = _done(environment=replace(_done().environment, xformers_wants=("torch==2.5.1",)))
    step = _left(Wishes(), other)["xformers"]
    assert step.optional and {"--only-binary", "-c"} <= {*_words(step)[0]}
    assert "xformers" not in [each.name.value for each in plan_setup(Wishes(cuda="cpu"), _done())]


def test_another_build_of_the_same_torch_replaces_it() -> None:
    step = _left(Wishes(cuda="cu126"), _done())["torch"]
    assert "--force-reinstall" in _words(step)[0]


def test_what_went_missing_is_put_back() -> None:
    environment = _done().environment
    less = replace(environment, packages={name: each for name, each in PACKAGES.items() if name != "accelerate"})
    assert [*_left(Wishes(), _done(environment=less))] == ["requirements", "check"]
    elsewhere = replace(environment, library=Path("/another/checkout"))
    assert "requirements" in _left(Wishes(), _done(environment=elsewhere))
    assert "requirements" in _left(Wishes(extras=("prodigyopt",)), _done())
    assert "torch" in _left(Wishes(torch="2.7.1"), _done())


def test_half_made_by_kl_is_made_anew_and_nothing_else_is() -> None:
    environment = _done().environment
    half = replace(environment, made=Made(kind="venv", name="x"))
    left = _left(Wishes(), _done(environment=half))
    assert left["environment"].makes == ENVIRONMENT and {"torch", "requirements", "check"} <= left.keys()
    assert "--force-reinstall" not in _words(left["torch"])[0]
    broken = replace(environment, made=Made(kind="venv", name="x", whole=True, running="torch"), broken=("torch",))
    assert _left(Wishes(), _done(environment=broken))["environment"].makes == ENVIRONMENT
    mine = replace(broken, made=Made(kind="venv", name="x", whole=True, adopted=True, running="torch"))
    assert "left half installed" in _refused(Wishes(adopt=True), _done(environment=mine))


def test_what_kl_did_not_make_needs_to_be_told() -> None:
    foreign = _done(checkout=replace(_done().checkout, made=None))
    assert "kl did not make it" in _refused(Wishes(), foreign)
    assert _left(Wishes(adopt=True), foreign) == {}
    environment = replace(_done().environment, made=None)
    assert "kl did not make it" in _refused(Wishes(), _done(environment=environment))
    assert [*_left(Wishes(adopt=True), _done(environment=environment))] == ["check"]


def test_what_is_said_is_never_passed_over() -> None:
    assert "was cloned from" in _refused(Wishes(source="https://fork.invalid/x"), _done())
    assert "has Python 3.10 already" in _refused(Wishes(python="3.12"), _done())
    assert _left(Wishes(python="3.10"), _done()) == {}
    assert "is a venv environment already" in _refused(Wishes(kind="conda"), _done())


def test_a_checkout_with_changes_is_not_moved() -> None:
    changed = replace(_done().checkout, changed=("train_network.py",), target="b" * 40)
    assert "uncommitted changes: train_network.py" in _refused(Wishes(revision="sd3"), _done(checkout=changed))
    assert _left(Wishes(), _done(checkout=changed)) == {}


def test_to_a_newer_release_and_back() -> None:
    newer = _done(checkout=replace(_done().checkout, newer="v9.0", target="b" * 40))
    left = _left(Wishes(update=True), newer)
    assert _words(left["fetch"])[0][-1] == "origin" and _words(left["revision"])[0][-2] == "b" * 40
    assert [*_left(Wishes(update=True), _done())] == ["fetch"]
    assert "Nothing is noted to go back to" in _refused(Wishes(back=True), _done())
    before = Before(commit="c" * 40, packages={**PACKAGES, "accelerate": "1.5.0", "pip": "1"}, torch="2.5.1 cu124")
    made = Made(kind="checkout", name="x", whole=True, before=[before])
    left = _left(Wishes(back=True), _done(checkout=replace(_done().checkout, made=made, target="c" * 40)))
    assert _words(left["revision"])[0][-2] == "c" * 40 and "torch==2.5.1" in _words(left["torch"])[0]
    pins = left["requirements"].files[0][1].decode().split()
    assert "accelerate==1.5.0" in pins and "torch==2.5.1" in pins and not any(pin.startswith("pip=") for pin in pins)
    assert "There is no checkout" in _refused(Wishes(update=True), _facts())


def test_pythons_in_their_order() -> None:
    assert "/py/3.12" in _words(_left(Wishes(python="3.12"), _facts())["environment"])[0]
    assert "No Python 3.11 is there" in _refused(Wishes(python="3.11"), _facts())
    with_uv = replace(MACHINE, pythons=(), uv="/bin/uv")  # it would try, and fail after the clone
    said = _refused(Wishes(python="/nope/python"), _facts(machine=with_uv))
    assert said == "/nope/python is no Python that a venv can be made of."
    fetched = _left(Wishes(python="3.11"), _facts(machine=replace(MACHINE, uv="/bin/uv")))["environment"]
    assert "3.11" in _words(fetched)[0] and "uv finds or downloads" in fetched.says
    assert "git is not installed" in _refused(Wishes(), _facts(machine=replace(MACHINE, git=None)))


@pytest.mark.parametrize("kind", ["conda", "mamba1", "mamba", "micromamba"])
def test_conda_takes_the_commands(kind: str, tmp_path: Path) -> None:
    bed = conda_bed(tmp_path / "home", kind)
    program = conda_program(bed.environ(), bed.home)
    environment = EnvironmentFacts(bed.root / "envs" / "lora")
    step = _left(Wishes(kind="conda"), _facts(machine=replace(MACHINE, conda=program), environment=environment))[
        "environment"
    ]
    for path, content in step.files:
        path.parent.mkdir(parents=True)
        path.write_bytes(content)
    (environment.folder / "kl-made.json").touch()  # the mark is there before anything else
    for command in step.ways[0].commands:
        subprocess.run(command.argv, cwd=command.folder, env=bed.environ(), check=True, capture_output=True)
    assert (environment.folder / "bin" / "python").exists() and (environment.folder / "kl-made.json").exists()
    assert "python=3.10" in bed.calls()[-1]


def test_without_conda_there_is_no_conda_environment() -> None:
    assert "Neither conda nor mamba nor micromamba" in _refused(Wishes(kind="conda"), _facts())
    program = CondaProgram(Path("/bin/conda"), "conda")
    assert "a Python of its own" in _refused(
        Wishes(kind="conda", python="/usr/bin/python3"), _facts(machine=replace(MACHINE, conda=program))
    )


def test_a_part_of_the_files_stays_a_part() -> None:
    source = CheckoutFacts(CHECKOUT, target="a" * 40, branch="main", sparse=("/*", "!/big/"), source_changed=True)
    step = _left(Wishes(source="/mine"), _facts(checkout=source))["clone"]
    words = _words(step)
    assert words[1][-2:] == ["/*", "!/big/"] and words[-1][-2:] == ["main", "--"] and len(step.notes) == 2


def test_accelerates_configuration_only_when_asked() -> None:
    assert Name.ACCELERATE not in [step.name for step in plan_setup(Wishes(), _done())]
    assert "accelerate" in _left(Wishes(accelerate_config=True), _done())
    assert _left(Wishes(accelerate_config=True), _done(accelerate_configured=True)) == {}


def test_an_error_has_its_code() -> None:
    with pytest.raises(KlError) as caught:
        plan_setup(Wishes(), _done(checkout=replace(_done().checkout, made=None)))
    assert caught.value.code is ExitCode.ENVIRONMENT_NOT_READY
