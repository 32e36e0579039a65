"""What a set-up writes into the user's configuration: checkout and environment, so that specs need name none."""

from __future__ import annotations

import json
import re
from pathlib import Path

from launcher.base.errors import KlError
from launcher.base.files import write_whole
from launcher.base.places import config_folder
from launcher.plan.tables import ENV, RUN, base_folder
from launcher.setup.facts import EnvironmentFacts
from launcher.setup.user_config import FILE, read_user_config
from launcher.spec.paths import expand


def is_configured(name: str, checkout: Path, environment: EnvironmentFacts) -> bool:
    """Whether a spec that names neither gets these two."""
    try:
        settings = read_user_config().settings
    except KlError:
        return False
    found = {each.path: each for each in settings}

    def path_of(key: str) -> Path | None:
        setting = found.get(key)
        if setting is None or not isinstance(setting.value, str):
            return None
        return Path(expand(setting.value, base_folder(setting), origin=setting.origin))

    return path_of(f"{RUN}.sd_scripts") == checkout and path_of(f"{ENV}.path") == environment.folder


def configure(name: str, checkout: Path, environment: EnvironmentFacts) -> str | None:
    """Make both what specs get that name none. What the configuration says already stays: then the text says so.

    Raises KlError for a configuration that cannot be read, and OSError.
    """
    settings = {each.path for each in read_user_config().settings}
    kind = environment.made.kind if environment.made else "venv"
    wanted = {}
    if f"{RUN}.sd_scripts" not in settings:
        wanted[RUN] = [f"sd_scripts = {json.dumps(str(checkout))}"]
    if not settings & {f"{ENV}.kind", f"{ENV}.name", f"{ENV}.path"}:
        wanted[ENV] = [f'kind = "{kind}"', f"path = {json.dumps(str(environment.folder))}"]
    file = config_folder() / FILE
    text = file.read_text(encoding="utf-8") if file.exists() else ""
    for table, lines in wanted.items():
        text = _with_lines(text, table, lines)
    if wanted:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_whole(file, text.encode())
    if len(wanted) == 2:
        return None
    return f"{file} names others, and stays as it is. A spec that wants these says: sd_scripts, and path in [env]."


def _with_lines(text: str, table: str, lines: list[str]) -> str:
    header = re.search(rf"^\[{table}\][^\n]*\n?", text, re.MULTILINE)
    block = "\n".join(lines) + "\n"
    if header is None:
        return f"{text.rstrip()}\n\n[{table}]\n{block}".lstrip("\n")
    before = text[: header.end()]
    return f"{before}{'' if before.endswith(chr(10)) else chr(10)}{block}{text[header.end() :]}"
