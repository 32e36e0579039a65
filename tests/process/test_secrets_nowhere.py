"""Secrets planted wherever a run could pick them up: none stands in any file that kl writes, and in nothing it says."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest
from launching import Bed, Said, kl

from launcher.demo.layout import Demo, lay_out, missing_packages
from launcher.record.manifest import read_manifest

pytestmark = pytest.mark.skipif(bool(missing_packages()), reason="the demo's packages are not installed")

NAME = "shapes-v1s4"
ENVIRON = {
    "WANDB_API_KEY": "wandb-5ecre7-0f-environment",
    "HF_TOKEN": "hf_5ecre7InTheEnvironment",
    "AWS_SECRET_ACCESS_KEY": "aws/5ecre7+0f/environment",
    "HTTPS_PROXY": "http://lynx:proxy-5ecre7@127.0.0.1:9",
    "HF_ENDPOINT": "https://lynx:endpoint-5ecre7@127.0.0.1:9",
}
# Stands for what only one place holds: a URL, a file, an argument.
PLANTED = {
    "remote": "remote-5ecre7", "lycoris": "lycoris-5ecre7",
    "spec": "spec-5ecre7-value", "file": "file-5ecre7-value",
}  # fmt: skip
SECRETS = [*ENVIRON.values(), "proxy-5ecre7", "endpoint-5ecre7", *PLANTED.values()]


class Whole:
    """The demo with secrets in every place, and everything that kl has said."""

    def __init__(self, folder: Path) -> None:
        self.bed = Bed(folder)
        self.demo = lay_out(folder / "demo")
        self.said: list[tuple[str, str]] = []
        self.python = _environment(folder / "environment")
        _plant(self.demo)

    def kl(self, *words: str, **hooks: str) -> Said:
        said = kl(self.bed, *words, cwd=self.demo.spec.parent, **{**ENVIRON, **hooks})
        self.said += [(words[0], said.out), (words[0], said.err)]
        return said

    def launch(self, name: str, *more: str, spec: Path | None = None, **hooks: str) -> Said:
        words = ("--name", name, "--set", "env.kind=python", "--set", f"env.path={self.python}", "--plain")
        return self.kl("launch", str(spec or self.demo.spec), *words, *more, **hooks)


def _environment(folder: Path) -> Path:
    """This environment once more, with a LyCORIS that was installed from a URL with a password in it."""
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "python").symlink_to(sys.executable)
    (folder / "pyvenv.cfg").write_text(f"home = {Path(sys.executable).resolve().parent}\n")
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    packages = folder / "lib" / version / "site-packages"
    information = packages / "lycoris_lora-9.9.dist-info"
    information.mkdir(parents=True)
    for place in {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}:
        for entry in Path(place).iterdir():
            if not entry.name.startswith("lycoris_lora-"):
                (packages / entry.name).symlink_to(entry)
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: lycoris_lora\nVersion: 9.9\n")
    (information / "RECORD").write_text("")
    url = f"https://lynx:{PLANTED['lycoris']}@git.example/lycoris.git"
    (information / "direct_url.json").write_text(
        f'{{"url": "{url}", "vcs_info": {{"vcs": "git", "commit_id": "{"a" * 40}", "requested_revision": "dev"}}}}'
    )
    return folder / "bin" / "python"


def _plant(demo: Demo) -> None:
    checkout = demo.checkout

    def git(*words: str) -> None:
        subprocess.run(["git", *words], cwd=checkout, check=True, capture_output=True)

    git("remote", "add", "origin", f"https://lynx:{PLANTED['remote']}@git.example/sd-scripts.git")
    git("remote", "add", "other", f"https://{PLANTED['remote']}@git.example/other.git")
    with (checkout / "train_network.py").open("a") as script:
        script.write("# edited, without a secret\n")
    with (checkout / "README.md").open("a") as readme:
        readme.write(f"the token is {ENVIRON['HF_TOKEN']}\n")
    (checkout / ".env").write_text(f"PASSWORD={PLANTED['file']}\n")
    (checkout / "my_token.txt").write_text(PLANTED["file"])
    (checkout / "notes.py").write_text(f"key = {ENVIRON['WANDB_API_KEY']!r}\n")
    spec = demo.spec.read_text().replace("save_every_n_steps = 20", "save_every_n_steps = 2")
    spec = spec.replace("sample_every_n_steps = 20", "sample_every_n_steps = 100")
    demo.spec.write_text(spec)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Whole:
    """Everything that is done with runs, done."""
    whole = Whole(tmp_path_factory.mktemp("secrets"))
    assert whole.launch(NAME, KL_DEMO_FAIL_AT_STEP="4").code == 1
    assert whole.kl("resume", NAME).code == 0
    assert whole.launch("shapes-v2s4", KL_DEMO_FAIL_AT_STEP="1").code == 1
    for words in (
        ("ls", "--failed", "--json"), ("show", NAME), ("show", NAME, "--json"), ("note", NAME, "a note"),
        ("verify", NAME, "--json"), ("diff", NAME, str(whole.demo.spec), "--json"), ("clean", "--yes"),
        ("plan", str(whole.demo.spec), "--name", NAME, "--json"),
        ("check", str(whole.demo.spec), "--name", "shapes-v3s4"), ("logs", NAME, "--kl"),
    ):  # fmt: skip
        whole.kl(*words)
    return whole


def test_the_runs_went_as_they_should(whole: Whole) -> None:
    """Or there would be nothing to search."""
    directory = whole.bed.root / NAME
    manifest = read_manifest(directory)
    assert [attempt.outcome for attempt in manifest.attempts] == ["failed", "succeeded"]
    assert not (whole.bed.root / "shapes-v2s4").exists() and list((whole.bed.state / "removed").glob("shapes-v2s4-*"))
    repositories = {each.name: each for each in manifest.repositories}
    assert repositories["sd-scripts"].remote == "https://git.example/sd-scripts.git"
    assert any(
        "git.example/lycoris" in path.read_text() for path in (directory / "environment.json", directory / "run.json")
    )
    left_out = " ".join(repositories["sd-scripts"].left_out)
    assert all(name in left_out for name in (".env", "my_token.txt", "notes.py", "README.md")), left_out
    patch = (directory / "patches" / "sd-scripts.patch").read_text()
    assert "edited, without a secret" in patch


def test_it_is_reproduced(whole: Whole) -> None:
    said = whole.kl("reproduce", NAME, "--allow", "code")
    assert said.code == 0, said.err


@pytest.mark.parametrize("place", ["key", "variable", "notes", "comment", "url", "value"])
def test_a_spec_with_a_secret_is_refused(whole: Whole, place: str) -> None:
    key = ENVIRON["WANDB_API_KEY"]
    text = {
        "key": f'wandb_api_key = "{PLANTED["spec"]}"',
        "variable": f'[env.variables]\nMY_TOKEN = "{PLANTED["spec"]}"',
        "notes": f'[run]\nnotes = "with {key}"',
        "comment": f"# my key is {key}",
        "url": f'[env.variables]\nALL_PROXY = "http://lynx:{PLANTED["spec"]}@127.0.0.1:9"',
        "value": f'training_comment = "by {ENVIRON["HF_TOKEN"]}"',
    }[place]
    spec = whole.demo.spec.parent / f"{place}.toml"
    spec.write_text(f'extends = "{whole.demo.spec.name}"\n{text}\n')
    said = whole.launch("shapes-v4s4", spec=spec)
    assert said.code == 65 and "[secret]" in said.err, said.err
    whole.kl("plan", str(spec), "--name", "shapes-v4s4", "--json")
    assert not (whole.bed.root / "shapes-v4s4").exists()


@pytest.mark.parametrize("key", ["wandb_api_key", "training_comment", "env.variables.MY_KEY"])
def test_an_argument_with_a_secret_is_refused(whole: Whole, key: str) -> None:
    value = ENVIRON["WANDB_API_KEY"]
    for words in (("--set", f"{key}={value}"), ("--", f"--{key}={value}")):
        if words[0] == "--set" or "." not in key:
            said = whole.launch("shapes-v5s4", *words)
            assert said.code == 65 and "[secret]" in said.err, said.err
            assert value not in said.out + said.err
    assert not (whole.bed.root / "shapes-v5s4").exists()


def test_a_note_with_a_secret_is_refused(whole: Whole) -> None:
    assert whole.kl("note", NAME, f"by {ENVIRON['HF_TOKEN']}").code == 64


def test_none_stands_anywhere(whole: Whole) -> None:
    """The last test: what all the others left is searched."""
    found = []
    for place, content in (*_written(whole), *((f"what kl {word} said", text.encode()) for word, text in whole.said)):
        found += [f"{secret} in {place}" for secret in SECRETS if secret.encode() in content]
    assert not found, "\n".join(found)


def test_the_search_finds_what_is_there(whole: Whole) -> None:
    names = {path.name for path, _ in _written(whole) if isinstance(path, Path)}
    assert {"run.json", "environment.json", "sdscripts.log", "sd-scripts.patch", "kl.log", "repos.git"} <= names
    assert any("removed" in str(path) for path, _ in _written(whole))
    assert any("Noted" in text for _, text in whole.said)


def _written(whole: Whole) -> Iterator[tuple[object, bytes]]:
    """Every file below the output root, and of kl's own: state, cache, configuration; also packed by git."""
    for root in (whole.bed.root, whole.bed.folder / "home"):
        for path in sorted(root.rglob("*")):
            if path.is_file() and not path.is_symlink():
                yield path, path.read_bytes()
            if path.is_dir() and (path / "objects").is_dir():
                words = ["git", "cat-file", "--batch-all-objects", "--batch"]
                yield f"objects of {path}", subprocess.run(words, cwd=path, capture_output=True, check=True).stdout
