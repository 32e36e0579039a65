"""An editable package in an environment that kl makes: named there, and imported from its own folder."""

from __future__ import annotations

import json
import re
from pathlib import Path

from launcher.record.packages import PackageRecord


def link_editable(site: Path, package: PackageRecord, folder: Path) -> None:
    """Have `site` import a package from its folder, as an editable installation of it would.

    No installer does this: theirs build in the folder, and leave files in it.
    """
    stem = f"{re.sub(r'[-_.]+', '_', package.name)}-{package.version}"
    information = site / f"{stem}.dist-info"
    information.mkdir()
    source = folder / "src"
    modules = source if source.is_dir() and not (source / "__init__.py").exists() else folder
    (site / f"__kl_{stem}.pth").write_text(f"{modules}\n", encoding="utf-8", errors="surrogateescape")
    (information / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {package.name}\nVersion: {package.version}\n", encoding="utf-8"
    )
    (information / "INSTALLER").write_text("kl\n", encoding="utf-8")
    url = json.dumps({"url": package.source_url.partition("#")[0], "dir_info": {"editable": True}})
    (information / "direct_url.json").write_text(url, encoding="utf-8")
    names = [
        f"__kl_{stem}.pth",
        *(f"{information.name}/{name}" for name in ("METADATA", "INSTALLER", "direct_url.json")),
    ]
    names.append(f"{information.name}/RECORD")
    (information / "RECORD").write_text("".join(f"{name},,\n" for name in names), encoding="utf-8")
