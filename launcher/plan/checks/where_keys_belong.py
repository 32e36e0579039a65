"""Keys that are no options of the script, yet right in another place: in network_args, or in a dataset config."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from launcher.trainer.dataset_schema import read_dataset_schema
from launcher.trainer.network_args import network_keywords
from launcher.trainer.packages import Packages

Belongs = Callable[[str], str | None]


def other_places(checkout: Path, packages: Packages, network_module: object) -> Belongs:
    """What to do about a key that is right elsewhere: a function from the key to a hint, None where it is not.

    Sources are read when it is first asked.
    """

    def belongs(key: str) -> str | None:
        plain = key.replace("-", "_")
        return _in_network_args(plain, packages, network_module) or _in_datasets(plain, checkout)

    return belongs


def _in_network_args(key: str, packages: Packages, module: object) -> str | None:
    found = packages.find(module) if isinstance(module, str) else None
    read = network_keywords(found, "create_network") if found else None
    if read is None or key in read.positional or key not in (*read.read, *(old for old, _ in read.renamed)):
        return None
    return f"{module} reads it: write it under [network_args]."


def _in_datasets(key: str, checkout: Path) -> str | None:
    schema = read_dataset_schema(checkout)
    groups = {name: group for name, group in schema.groups.items() if not name.startswith("ARGPARSE")}
    if not any(key in group for group in groups.values()):
        return None
    option = next((option for option, meant in schema.renamed.items() if meant == key), None)
    hint = "It is a key of the dataset config: write it under [[datasets]] or [[datasets.subsets]]"
    return f"{hint}, or set {option} here." if option else f"{hint}."
