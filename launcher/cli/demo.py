"""`kl demo`: train a LoRA on a machine with nothing but Python."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

INSTALL = "pip install 'kohya-launcher[demo]'"


def demo_command(
    folder: Annotated[
        Path, typer.Argument(help="Where the demo is laid out and trains.", metavar="[FOLDER]")
    ] = Path("kl-demo"),
    plain: Annotated[bool, typer.Option("--plain", help="No live line.")] = False,
) -> int:
    """Train a small LoRA with kl's own demo trainer, through the very same `kl launch`."""
    from launcher.base.errors import ExitCode, KlError
    from launcher.cli.launch import launch_plan
    from launcher.cli.plan import refuse_errors
    from launcher.cli.prepare import Request, prepare
    from launcher.cli.render import short
    from launcher.demo.layout import lay_out, missing_packages

    missing = missing_packages()
    if missing:
        raise KlError(
            f"The demo trains for real and needs {', '.join(missing)}.",
            code=ExitCode.ENVIRONMENT_NOT_READY,
            hint=f"Install them: {INSTALL}   (in a clone: pip install -e '.[demo]')",
        )
    demo = lay_out(folder.absolute())
    output = demo.spec.parent.parent / "output"
    name = free_name(demo.name, output)
    print(
        "This is kl's demo: its trainer takes sd-scripts' options and writes sd-scripts' files, but it is not\n"
        "sd-scripts. It trains a LyCORIS LoRA on a tiny U-Net and eight pictures it drew itself.\n"
        f"  the spec      {short(demo.spec)}\n"
        f"  the command   kl launch {name}\n"
    )
    sets = [f"run.output_root={output}", "env.kind=python", f"env.path={sys.executable}"]
    plan = prepare(Request(str(demo.spec), sets, (), name), {})
    refuse_errors(plan)
    exit_code = launch_plan(plan, plain=plain)
    if exit_code == 0:
        print(
            "\nNow a real one. With a clone of kohya-ss/sd-scripts and its environment, write fox.toml:\n\n"
            '  extends = "sdxl-locon"\n\n'
            "  [run]\n"
            '  sd_scripts = "~/sd-scripts"\n\n'
            "  [env]\n"
            '  kind = "venv"\n'
            '  path = "~/sd-scripts/venv"\n\n'
            "  [model]\n"
            '  pretrained_model_name_or_path = "~/models/sdxl-base.safetensors"\n\n'
            "  [[datasets]]\n"
            "  resolution = 1024\n"
            "    [[datasets.subsets]]\n"
            '    image_dir = "~/pictures/fox"\n\n'
            "and type:  kl plan fox-v1s2400   and then   kl launch fox-v1s2400"
        )
    return exit_code


def free_name(name: str, output: Path) -> str:
    """The name, or that of the first later version that has no run yet: the demo may be run again and again."""
    from launcher.spec.names import parse_name

    parsed = parse_name(name)
    version = parsed.version or 1
    while (output / f"{parsed.stem}-v{version}s{parsed.steps}").exists():
        version += 1
    return f"{parsed.stem}-v{version}s{parsed.steps}"
