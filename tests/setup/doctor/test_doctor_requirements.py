"""Requirements against what is installed, whatever stands in files and metadata."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from doctor_bed import Bed, Package, instead, make_bed, make_checkout, make_environment, of, wrong
from hypothesis import given, settings
from hypothesis import strategies as st

from launcher.setup.doctor.diagnose import ENVIRONMENT, diagnose
from launcher.setup.doctor.diagnosis import Status
from launcher.setup.doctor.installation import Installation
from launcher.setup.doctor.needed import imported_at_once, module_of
from launcher.setup.doctor.requirement_lines import unmet, unmet_by
from launcher.setup.doctor.seen_environment import SeenEnvironment, see_environment
from launcher.setup.satisfied import requirement_lines


def seen(version: str = "3.10.13", **packages: str) -> SeenEnvironment:
    named = {name.replace("_", "-"): text for name, text in packages.items()}
    return SeenEnvironment(Path("/venv/bin/python"), version, packages=named)


@pytest.mark.parametrize(
    ("line", "packages", "met"),
    [
        ("toml==0.10.2", {"toml": "0.10.2"}, True),
        ("toml==0.10.2", {"toml": "0.10.1"}, False),
        ("toml==0.10.2", {}, False),
        ("toml", {"toml": "1"}, True),
        ("lion-pytorch>=0.0.6", {"lion_pytorch": "0.2.3"}, True),
        ("LyCORIS_lora", {"lycoris_lora": "4.1.3"}, True),
        ("torch==2.6.0", {"torch": "2.6.0+cu124"}, True),
        ("torch>=2", {"torch": "2.8.0.dev20250601"}, True),
        ("colorama ; sys_platform == 'win32'", {}, True),
        ("tomli ; python_version < '3.11'", {}, False),
        ("tomli ; python_version >= '3.11'", {}, True),
        ("diffusers[torch]==0.32.1", {"diffusers": "0.32.1"}, True),
        ("thing @ https://example.invalid/thing.zip", {"thing": "1"}, True),
        ("toml==0.10.2", {"toml": "no version"}, True),
        ("not a requirement !", {}, True),
    ],
)
def test_one_line(line: str, packages: Mapping[str, str], met: bool) -> None:
    assert (not list(unmet([line], seen(**packages)))) is met


def test_what_is_unmet_says_what_to_install() -> None:
    (found,) = unmet(["diffusers[torch]==0.32.1 ; python_version >= '3.8'"], seen())
    assert (found.requirement, found.name, found.have) == ("diffusers[torch]==0.32.1", "diffusers", None)
    (found,) = unmet(["thing @ https://example.invalid/thing.zip"], seen())
    assert found.requirement == "thing @ https://example.invalid/thing.zip"


@pytest.fixture
def bed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bed:
    return make_bed(tmp_path / "bed", monkeypatch)


def test_what_packages_need_themselves_is_followed(bed: Bed) -> None:
    packages = (
        Package("a", "1", ("b>=2", "c ; extra == 'more'", "d ; python_version < '3'")),
        Package("b", "2", ("e[x]==1", "a")),
        Package("e", "1", ("f ; extra == 'x'", "g ; extra == 'y'")),
    )
    found = list(unmet_by(["a"], see_environment(make_environment(bed.folder / "venv", packages), {})))
    assert [(each.by, each.requirement, each.have) for each in found] == [("e", "f", None)]
    more = list(unmet_by(["a[more]"], see_environment(make_environment(bed.folder / "other", packages), {})))
    assert {(each.by, each.requirement) for each in more} == {("e", "f"), ("a", "c")}


def test_what_a_package_on_demand_lacks_is_advice(bed: Bed) -> None:
    lion = Package("lion-pytorch", "0.2.3", ("einops>=0.7",))
    found = diagnose(
        Installation(make_checkout(bed.folder / "sd-scripts"), make_environment(bed.folder / "venv", instead(lion))),
        subjects=(ENVIRONMENT,),
        patience=None,
    )
    assert not wrong(found)
    said = of(found, "requirements.txt")
    assert said.status is Status.ADVICE and said.mend and said.mend.endswith(" 'einops>=0.7'")
    assert "lion-pytorch needs einops>=0.7, which is not installed" in said.message


def test_which_modules_are_imported_at_once(bed: Bed) -> None:
    found = imported_at_once(make_checkout(bed.folder / "sd-scripts"))
    assert {"accelerate", "cv2", "voluptuous"} <= found
    assert "lion_pytorch" not in found
    assert (module_of("opencv-python"), module_of("lion-pytorch")) == ("cv2", "lion_pytorch")


def test_a_checkout_without_requirements_is_sound(bed: Bed) -> None:
    checkout = make_checkout(bed.folder / "sd-scripts")
    (checkout / "requirements.txt").unlink()
    python = make_environment(bed.folder / "venv")
    found = diagnose(Installation(checkout, python), subjects=(ENVIRONMENT,), patience=None)
    assert "requirements.txt" not in {each.subject for each in found}


HOSTILE = st.text(alphabet="abz09-_.=<>!~[](){};,@# '\"\\/:+*\n", max_size=60)


@settings(max_examples=150, deadline=None)
@given(HOSTILE | st.text(max_size=60), st.dictionaries(st.sampled_from("abz"), HOSTILE, max_size=3))
def test_any_file_and_any_version_are_read(text: str, packages: dict[str, str]) -> None:
    for each in unmet(requirement_lines(text), seen(**packages)):
        assert each.name and each.requirement


@settings(max_examples=25, deadline=None)
@given(HOSTILE | st.text(max_size=80))
def test_any_metadata_is_read(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    folder = tmp_path_factory.mktemp("venv") / "a-1.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text(
        f"Name: a\nVersion: 1\nRequires-Dist: {text}\n", encoding="utf-8", errors="replace"
    )
    environment = SeenEnvironment(Path("/venv/bin/python"), "3.10.13", None, (folder.parent,), {"a": "1"})
    assert all(each.by == "a" for each in unmet_by(["a"], environment))
