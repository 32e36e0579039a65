"""Dataset configs that nobody would write: bounded in time, and never a traceback."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from dataset_bed import SOUND, dataset_candidate, only_finding
from dataset_sources import CONFIG_UTIL, SOURCES
from hypothesis import given, settings
from hypothesis import strategies as st

from launcher.base.findings import Severity
from launcher.base.origin import Origin, Source
from launcher.plan.checks.candidate import Candidate
from launcher.plan.checks.dataset_config import check_dataset_config
from launcher.plan.checks.dataset_json import find_json_lines
from launcher.plan.checks.dataset_source import LARGEST, read_dataset_text
from launcher.plan.plan import PlannedFile
from launcher.plan.read_blueprint import read_blueprint


class TestUnread:
    def test_a_schema_that_cannot_be_read(self, tmp_path: Path) -> None:
        changed = CONFIG_UTIL.replace("self.general_schema =", "self.common =")
        finding = only_finding(
            tmp_path, "[[datasets]]\nfoo = 1\n", sources={**SOURCES, "library/config_util.py": changed}
        )
        assert (finding.code, finding.severity) == ("dataset-unread", Severity.WARNING)

    def test_a_script_that_cannot_be_read(self, tmp_path: Path) -> None:
        sources = {**SOURCES, "train_network.py": "sanitizer = ConfigSanitizer(*kinds)\n"}
        finding = only_finding(tmp_path, "[[datasets]]\nfoo = 1\n", sources=sources)
        assert (finding.code, finding.severity) == ("dataset-unread", Severity.WARNING)

    @pytest.mark.parametrize(
        "text",
        ["# " + "x" * LARGEST, "a = " + "[" * 5000, "a" + "=b" * 5000, 'a = ["' + "a," * 50_000 + '"]',
         "a." * 5000 + "a = 1", 'a = "' + "\\\\" * 20_000 + '"', 'a = [{b="' + " } { " * 9000 + '"}]'],
        ids=["large", "deep", "equals", "commas", "dots", "backslashes", "braces"],
    )  # fmt: skip
    def test_what_would_take_minutes(self, tmp_path: Path, text: str) -> None:
        finding = only_finding(tmp_path, text + "\n")
        assert (finding.code, finding.severity) == ("dataset-unread", Severity.WARNING)
        assert read_blueprint(dataset_candidate(tmp_path, text + "\n"))[0] is None

    def test_large_json(self, tmp_path: Path) -> None:
        assert only_finding(tmp_path, "[" * LARGEST + "[", file="data.json").code == "dataset-unread"

    def test_deep_json(self, tmp_path: Path) -> None:
        assert only_finding(tmp_path, "[" * 100_000 + "]" * 100_000, file="data.json").code == "dataset-broken"


_ORIGIN = Origin(Source.SPEC, "fox.toml", Path("/fox.toml"), 1)
_WORDS = st.sampled_from(
    ["general", "datasets", "subsets", "image_dir", "resolution", "num_repeats", "[", "]", "[[", "]]", "{", "}", "=",
     ".", ",", "\n", " ", '"', "'", '"""', "#", "\\", "1", "true", "-", "0x", "1979-05-27", "\t", "\r\n",
     "é", "\0", "inf"]
)  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Candidate:
    """One run, whose dataset config each example replaces."""
    return dataset_candidate(tmp_path_factory.mktemp("run"), SOUND)


def _survives(run: Candidate, text: str, file: str) -> None:
    planned = PlannedFile(f"config{Path(file).suffix}", text.encode("utf-8", "surrogatepass"), _ORIGIN, Path(file))
    candidate = replace(run, files={"dataset_config": planned})
    for finding in (*check_dataset_config(candidate), *read_blueprint(candidate)[1]):
        assert len(finding.message) < 600 and finding.message.isprintable(), finding
        assert finding.where is not None
        finding.message.encode()
    read = read_dataset_text(candidate)
    assert read is not None
    assert read.config is not None or read.findings


class TestHostile:
    @settings(max_examples=300, deadline=None)
    @given(st.lists(_WORDS, max_size=60).map("".join))
    def test_words_of_toml(self, run: Candidate, text: str) -> None:
        _survives(run, text, "data.toml")

    @settings(max_examples=200, deadline=None)
    @given(st.text(max_size=200))
    def test_any_text(self, run: Candidate, text: str) -> None:
        _survives(run, text, "data.toml")
        _survives(run, text, "data.json")

    @settings(max_examples=300, deadline=None)
    @given(
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
            lambda inner: (
                st.lists(inner, max_size=4)
                | st.dictionaries(
                    st.sampled_from(["general", "datasets", "subsets", "image_dir", "resolution", "num_repeats"])
                    | st.text(max_size=60),
                    inner,
                    max_size=4,
                )
            ),
            max_leaves=30,
        )
    )
    def test_any_json(self, run: Candidate, value: Any) -> None:
        _survives(run, json.dumps(value), "data.json")

    @settings(max_examples=60, deadline=None)
    @given(
        st.sampled_from(["a = ", '[["', "[", "a.", '"', "[[datasets]]\n", "a = [", "a = {b = "]),
        st.sampled_from(["[", "{a=", "a.", "\\", ",", "]", '"', "'", "=", "\n", "[]\n", "{", '"a",', "1_", "\\u00e9"]),
        st.integers(1, 3000),
        st.text(max_size=10),
    )
    def test_endless_repetition(self, run: Candidate, start: str, again: str, times: int, end: str) -> None:
        _survives(run, start + again * times + end, "data.toml")

    @settings(max_examples=200, deadline=None)
    @given(st.recursive(st.integers() | st.text(max_size=5), lambda inner: st.lists(inner, max_size=3)
                        | st.dictionaries(st.text(max_size=5), inner, max_size=3), max_leaves=20))  # fmt: skip
    def test_json_lines_know_every_key(self, value: Any) -> None:
        text = json.dumps(value, indent=1)
        found = find_json_lines(text)
        assert found.repeated == ()
        rows = text.splitlines()

        def walk(part: Any, path: tuple[str | int, ...]) -> None:
            pairs = part.items() if isinstance(part, dict) else enumerate(part) if isinstance(part, list) else ()
            for key, inner in pairs:
                key_path = (*path, key)
                row = rows[found.lines[key_path] - 1]
                assert json.dumps(key) in row if isinstance(key, str) else row.strip()
                walk(inner, (*path, key))

        walk(value, ())
