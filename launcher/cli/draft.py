"""What `kl new` is going to write, worked out before anything is written."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from launcher.base.errors import ExitCode, KlError
from launcher.base.places import config_folder
from launcher.base.settings import Value
from launcher.base.words import counted, listed
from launcher.cli.ask import asked
from launcher.cli.render import short
from launcher.cli.schema import schema_of
from launcher.data.dataset_look import PictureFolder, look_at_pictures
from launcher.data.model_family import Kind, Model, recognise_file, recognise_folder
from launcher.data.model_files import cached_snapshot
from launcher.data.model_parts import find_parts, parts_within
from launcher.plan.new_dataset import (
    NewDataset,
    batch_size_of,
    config_text,
    pictures_in_epoch,
    plain_words,
    prompts_text,
    sensible_steps,
)
from launcher.plan.new_spec import (
    MODEL,
    SCHEMA,
    Line,
    Recipe,
    drops_for,
    is_for,
    lines_for,
    parts_of,
    read_recipe,
    schema_for,
    spec_text,
    template_for,
)
from launcher.plan.schema import as_text
from launcher.plan.tables import OWN_TABLES, RUN
from launcher.setup.checkouts import find_checkout
from launcher.setup.user_config import UserConfig, read_user_config
from launcher.spec.find import dataset_folder, spec_in
from launcher.spec.names import RunName, parse_name
from launcher.spec.overrides import parse_set
from launcher.spec.paths import expand, looks_like_hub_id
from launcher.spec.source_file import SUFFIXES, file_label
from launcher.spec.templates import Template, find_templates, template_named
from launcher.trainer.checkout import open_checkout

CONFIG, PROMPTS = "config.toml", "sample-prompts.txt"
_NEGATIVE = "low quality, worst quality, blurry"
_FINE_TUNING = re.compile(r"(?:\w+_)?train\.py|fine_tune\.py")
_USUAL_STEPS = 2000


@dataclass(frozen=True)
class Told:
    """What was typed."""

    name: str
    template: str | None
    dataset: str | None
    base_model: str | None
    output: str | None
    sets: Sequence[str]


@dataclass(frozen=True)
class NewFile:
    """A file to be written, and what it is, in words."""

    path: Path
    text: str
    what: str


@dataclass(frozen=True)
class Draft:
    """The files, the target by which `kl check` finds the spec, a run's name, and the words of a command for both."""

    files: tuple[NewFile, ...]
    target: str
    run: str
    command: str


def draft_of(told: Told) -> Draft:
    """Everything that is to be written. Asks for what was not told, at a terminal.

    Raises KlError for a name that is none, a spec that is there already, a template, model or dataset that is not, and
    for what nobody can be asked.
    """
    name, config = parse_name(told.name), read_user_config()
    spec = _spec_file(told.output, name)
    templates = find_templates(config.template_folders)
    chosen = template_named(told.template, templates) if told.template else None
    given = _given(told.sets)
    recipe = _recipe(chosen, name, config, given) if chosen else None
    base, model = _base_model(told.base_model, recipe, given)
    if recipe is None:
        recipe = _recipe(_fitting(base, model, templates), name, config, given)
    if model and model.family and not is_for(recipe, model):
        message = (
            f"{recipe.template.name} trains with {recipe.script}, and the base model is one of {model.family.value}."
        )
        raise KlError(message, code=ExitCode.USAGE, hint="Take another template; kl chooses one without --template.")
    folder = _dataset(told.dataset, name, config)
    lines = [*_dataset_lines(folder, name, config, drops_for(recipe, model))]
    word = re.sub(r"[^A-Za-z0-9]+", "_", folder.name).strip("_") + "_word"
    lines += [Line("model", MODEL, short(Path(base)) if Path(base).is_absolute() else base)] if base else []
    lines += [Line("model", part, short(path)) for part, path in _parts(recipe, base, model)]
    said = {line.key for line in given}
    lines = [line for line in (*lines, *lines_for(recipe, model, word)) if line.key not in said] + given
    files, steps = _files(folder, recipe, str(recipe.sets.get("token_string") or word))
    return _draft(name, spec, recipe, lines, files, steps)


def there_already(path: Path) -> KlError:
    """The error for a file that is there already."""
    hint = "Take another name, or --output FILE for another place."
    return KlError(f"{short(path)} is there already.", code=ExitCode.OUTPUT_UNAVAILABLE, hint=hint)


def _draft(
    name: RunName, spec: Path, recipe: Recipe, lines: Sequence[Line], files: Sequence[NewFile], steps: int
) -> Draft:
    run = name.text if name.steps else f"{name.stem}-v1s{steps}"
    found_by_name = spec.parent == Path.cwd() and spec.stem == name.stem
    command = run if found_by_name else f"{shlex.quote(file_label(spec))} --name {run}"
    head = f"{name.stem}: kl check {command}. What the template sets: kl templates {recipe.template.name}."
    yaml = spec.suffix.lower() != ".toml"
    schema, new = schema_for(spec, (config_folder(),)), None
    if schema is None:
        new = _schema_file(spec.parent, next((line for line in lines if line.key == "sd_scripts"), None))
        schema = f"./{SCHEMA}" if new else None
    text = spec_text(head, recipe, lines, yaml=yaml, schema=schema)
    written = NewFile(spec, text, f"extends {recipe.template.name}")
    return Draft((*files, *([new] if new else []), written), str(spec), run, command)


def _schema_file(folder: Path, named: Line | None) -> NewFile | None:
    """The schema of specs for the user's checkout, which the new spec names for editors; None without a checkout."""
    try:
        checkout = open_checkout(find_checkout(Path(expand(str(named.value), folder)) if named else None))
        return NewFile(folder / SCHEMA, as_text(schema_of(checkout, None)), "what editors complete and check specs by")
    except KlError:  # the check, which comes next, says what is wrong with the checkout
        return None


def _spec_file(output: str | None, name: RunName) -> Path:
    spec = Path(expand(output or f"{name.stem}.toml", Path.cwd()))
    if spec.suffix.lower() not in SUFFIXES:
        message = f"{output} is no name for a spec."
        raise KlError(message, code=ExitCode.USAGE, hint=f"It ends with {listed(SUFFIXES, 'or')}.")
    if not spec.parent.is_dir():
        raise KlError(f"There is no folder {short(spec.parent)}.", code=ExitCode.OUTPUT_UNAVAILABLE)
    there = spec_in(spec.parent, spec.stem, code=ExitCode.OUTPUT_UNAVAILABLE)
    if there or os.path.lexists(spec):
        raise there_already(there or spec)
    return spec


def _given(sets: Sequence[str]) -> list[Line]:
    """The settings of --set as lines of the spec. Raises KlError (wrong usage) as parse_set does, and for one twice."""
    settings = [parse_set(text) for text in sets]
    twice = next((each.path for each in settings if sum(other.path == each.path for other in settings) > 1), None)
    if twice:
        raise KlError(f"--set sets {twice} twice.", code=ExitCode.USAGE, hint="Keep one of them.")
    return [Line(".".join(each.table) or "model", each.key, each.value) for each in settings]


def _recipe(template: Template, name: RunName, config: UserConfig, given: Sequence[Line]) -> Recipe:
    recipe = read_recipe(template, name, config.template_folders)
    own = {line.key if line.table not in OWN_TABLES else f"{line.table}.{line.key}": line.value for line in given}
    return replace(recipe, sets={**recipe.sets, **own})


def _base_model(told: str | None, recipe: Recipe | None, given: Sequence[Line]) -> tuple[str, Model | None]:
    """The base model as the spec names it, "" where it is named already; and what it is, None where nobody can tell."""
    named = next((line.value for line in given if line.key == MODEL), recipe.sets.get(MODEL) if recipe else None)
    if told is None and isinstance(named, str):
        return "", _recognised(_model_path(named))
    text = told or asked(
        "Base model (a file, a folder, or owner/name on the hub)",
        missing="Nothing says which base model to train.",
        otherwise="Give it: --base-model FILE, or owner/name on the hub.",
    )
    path = _model_path(text)
    if path is None:
        return text, None
    model = _recognised(path)
    if model and model.kind not in (Kind.BASE, Kind.UNKNOWN, Kind.TRANSFORMER):
        hint = "Give the model that is to be trained on."
        raise KlError(f"{short(path)} is {model.kind.value}, not a base model.", code=ExitCode.USAGE, hint=hint)
    return (str(path) if os.path.lexists(expand(text, Path.cwd())) else text), model


def _model_path(text: str) -> Path | None:
    """Where a base model is; None for one of the hub that is not on this machine. Raises KlError for none at all."""
    path = Path(expand(text, Path.cwd()))
    if path.exists():
        return path
    if looks_like_hub_id(text):
        return cached_snapshot(text, os.environ)
    hint = "Give a file, a folder in diffusers' layout, or owner/name on the hub."
    raise KlError(f"There is no base model {short(path)}.", code=ExitCode.USAGE, hint=hint)


def _recognised(path: Path | None) -> Model | None:
    if path is None:
        return None
    return recognise_folder(path) if path.is_dir() else recognise_file(path)


def _fitting(base: str, model: Model | None, templates: Sequence[Template]) -> Template:
    name = template_for(model, Path(base)) if model else None
    if name is None or name not in {each.name for each in templates}:
        why = f"kl has no template for {model.family.value}" if model and model.family else "kl cannot tell what it is"
        name = asked(
            f"Template ({', '.join(each.name for each in templates)})",
            missing=f"No template is given for {base or 'the base model'}, and {why}.",
            otherwise="Give one: --template NAME. They are listed by: kl templates",
        )
    return template_named(name, templates)


def _dataset(told: str | None, name: RunName, config: UserConfig) -> Path:
    """The folder of the pictures. Raises KlError where there is none."""
    found = None if told else dataset_folder(name, config.datasets_root)
    if found:
        return found
    names = dict.fromkeys((name.stem, name.dataset))
    text = told or asked(
        "Folder of the pictures",
        missing=f"There is no dataset folder {' nor '.join(names)} in {short(config.datasets_root)}.",
        otherwise="Make it, or give another one: --dataset FOLDER.",
    )
    folder = Path(expand(text, Path.cwd()))
    if not folder.is_dir():
        raise KlError(f"There is no folder {short(folder)}.", code=ExitCode.USAGE, hint="Correct --dataset.")
    return folder


def _dataset_lines(folder: Path, name: RunName, config: UserConfig, drops: tuple[str, ...]) -> Iterator[Line]:
    usual = dataset_folder(name, config.datasets_root)
    if usual is None or os.path.realpath(usual) != os.path.realpath(folder):
        yield Line(RUN, "dataset_folder", short(folder))
    if drops:
        value: Value = list(drops)
        yield Line(RUN, "drop", value, "set by the template, and not meant here")


def _parts(recipe: Recipe, base: str, model: Model | None) -> Iterator[tuple[str, Path]]:
    """The text encoders and the VAE that the run needs: found beside the model, or asked for."""
    named = base or str(recipe.sets.get(MODEL) or "")
    path = Path(expand(named, Path.cwd())) if named else Path()
    wanted = parts_of(recipe, model)
    if recipe.script.startswith("sd3_"):
        wanted = tuple(part for part in wanted if part not in parts_within(path))
    found = find_parts(path, set(wanted)) if wanted else {}
    missing = [part for part in wanted if part not in found]
    for part in missing:
        text = asked(
            f"{part} (a file)",
            missing=f"{recipe.script} needs {listed(missing)}, and no such file is beside {short(path)}.",
            otherwise=f"Give it: --set {part}=FILE.",
        )
        found[part] = Path(expand(text, Path.cwd()))
    yield from ((part, found[part]) for part in wanted)


def _files(folder: Path, recipe: Recipe, word: str) -> tuple[list[NewFile], int]:
    """What the dataset's folder lacks, and how many steps a first run may take."""
    new = NewDataset(
        name=folder.name,
        side=recipe.side,
        batch_size=recipe.number("train_batch_size", 1),
        shuffles=not recipe.sets.get("cache_text_encoder_outputs"),
        needs_words=not (recipe.sets.get("use_object_template") or recipe.sets.get("use_style_template")),
        whole=bool(_FINE_TUNING.fullmatch(recipe.script)),
    )
    config, prompts = folder / CONFIG, folder / PROMPTS
    lacks = [path for path in (config, prompts) if not os.path.lexists(path)]
    looked = look_at_pictures(str(folder)) if lacks else ()
    if config in lacks and not any(not each.regularization for each in looked):
        hint = "It looks for .png, .jpg, .jpeg, .webp and .bmp in the folder and up to three folders below it."
        raise KlError(f"There are no pictures in {short(folder)}.", code=ExitCode.SPEC_REFUSED, hint=hint)
    files: list[NewFile] = []
    if config in lacks:
        files.append(NewFile(config, config_text(looked, new), _in_words(looked, new)))
    if prompts in lacks:
        drawn = f"a photo of {word}" if recipe.is_inversion else _word_of(looked, folder.name)
        text = prompts_text(looked, new, word=drawn, negative="" if recipe.is_flow else _NEGATIVE)
        files.append(NewFile(prompts, text, counted(text.count("\n") - 1, "prompt")))
    return files, _steps(looked if config in lacks else (), new, recipe)


def _steps(looked: Sequence[PictureFolder], new: NewDataset, recipe: Recipe) -> int:
    own = recipe.number("max_train_steps", 0)
    if own or not looked:
        return own or _USUAL_STEPS
    together = batch_size_of(looked, new) * recipe.number("gradient_accumulation_steps", 1)
    return sensible_steps(pictures_in_epoch(looked, new), together)


def _in_words(looked: Sequence[PictureFolder], new: NewDataset) -> str:
    number = sum(each.number for each in looked if not each.regularization)
    return f"{counted(number, 'picture')}, {pictures_in_epoch(looked, new)} with repeats"


def _word_of(looked: Sequence[PictureFolder], folder: str) -> str:
    words = next((each.words for each in looked if each.words and not each.regularization), "")
    return words or plain_words(folder)
