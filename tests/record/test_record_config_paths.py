"""Relative paths of a dataset config: made whole, and nothing else touched."""

from __future__ import annotations

import json
from pathlib import Path

import toml
from hypothesis import given
from hypothesis import strategies as st

from launcher.record.config_paths import with_whole_paths

FOLDER = Path("/code/sd-scripts")
CONFIG = b"""\
# kept to the letter where nothing is relative
[general]
caption_extension = ".txt"
conditioning_data_dir = "maps"
[[datasets]]
resolution = [64, 128]
  [[datasets.subsets]]
  image_dir = "a b/img"
  caption_prefix = "img/x"
  [[datasets.subsets]]
  image_dir = "/whole"
  metadata_file = "../meta.json"
"""


def test_relative_paths_are_taken_from_the_folder() -> None:
    content, relative = with_whole_paths("config.toml", CONFIG, FOLDER)
    data = toml.loads(content.decode())
    assert data["general"] == {"caption_extension": ".txt", "conditioning_data_dir": "/code/sd-scripts/maps"}
    assert data["datasets"][0]["subsets"] == [
        {"image_dir": "/code/sd-scripts/a b/img", "caption_prefix": "img/x"},
        {"image_dir": "/whole", "metadata_file": "/code/sd-scripts/../meta.json"},
    ]
    assert data["datasets"][0]["resolution"] == [64, 128]
    assert relative == ("maps", "a b/img", "../meta.json")
    assert with_whole_paths("config.toml", content, Path("/elsewhere")) == (content, ())


def test_json_stays_json() -> None:
    data = {"datasets": [{"subsets": [{"image_dir": "img", "num_repeats": 2}]}]}
    content, relative = with_whole_paths("config.json", json.dumps(data).encode(), FOLDER)
    assert json.loads(content)["datasets"][0]["subsets"] == [{"image_dir": "/code/sd-scripts/img", "num_repeats": 2}]
    assert relative == ("img",)


def test_whole_paths_leave_every_letter_as_it_is() -> None:
    config = b"\xef\xbb\xbf# a remark\r\n[[datasets]]\r\n[[datasets.subsets]]\r\nimage_dir = '/img'\r\n"
    assert with_whole_paths("config.toml", config, FOLDER) == (config, ())


@given(st.sampled_from(["config.toml", "config.json"]), st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_what_is_no_config_is_left_alone(name: str, content: bytes) -> None:
    assert with_whole_paths(name, content, FOLDER) == (content, ())


def test_tables_of_other_kinds_are_left_alone() -> None:
    for text in ("[]", "3", '{"datasets": 3, "general": []}', '{"datasets": [3, {"subsets": {"image_dir": "a"}}]}'):
        assert with_whole_paths("config.json", text.encode(), FOLDER) == (text.encode(), ())
