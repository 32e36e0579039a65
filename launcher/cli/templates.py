"""`kl templates`: what a spec can extend."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from launcher.spec.templates import Template


def templates_command(
    name: Annotated[
        str | None, typer.Argument(help="Print this one, whole.", metavar="[TEMPLATE]", show_default=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, for programs.")] = False,
) -> int:
    """List the templates with their purpose, your own among them. A spec says: extends = "TEMPLATE"."""
    import json

    from launcher.cli.render import show_lines
    from launcher.setup.user_config import read_user_config
    from launcher.spec.source_file import decoded, file_label, read_content
    from launcher.spec.templates import find_templates, template_named

    found = find_templates(read_user_config().template_folders)
    if name is not None:
        found = (template_named(name, found),)
    if as_json:
        print(json.dumps([_as_data(each) for each in found], indent=1))
    elif name is not None:
        label = file_label(found[0].path)
        show_lines(decoded(read_content(found[0].path, label), label).rstrip("\n").split("\n"))
    else:
        show_lines(_as_text(found))
    return 0


def _as_text(templates: Sequence[Template]) -> Iterator[str]:
    from launcher.base.places import shipped_folder
    from launcher.cli.render import short

    shipped = shipped_folder("templates")
    width = max((len(each.name) for each in templates), default=0)
    for template in templates:
        yield f"{template.name:<{width}}  {template.purpose or 'its file begins without a word about it'}"
        if template.path.parent != shipped:
            instead = ", instead of kl's own" if any(path.parent == shipped for path in template.hides) else ""
            yield f"{'':<{width}}  yours: {short(template.path)}{instead}"


def _as_data(template: Template) -> dict[str, object]:
    return {
        "name": template.name,
        "purpose": template.purpose,
        "path": str(template.path),
        "hides": [str(path) for path in template.hides],
    }
