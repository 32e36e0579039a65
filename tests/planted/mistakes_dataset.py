"""Mistakes in the dataset config and in the data itself."""

from __future__ import annotations

import json

from data_files import png
from mistake import BY_EDIT, ERROR, WARNING, Planted, Write, add, config, put, remove, write

_LORA = "sd15-lora"


def _key(id_: str, old: str, new: str, hint: str = "", code: str = "dataset-unknown-key") -> Planted:
    return Planted(f"config-{id_}", _LORA, config(old, new), code, message=new.split(" ", maxsplit=1)[0], hint=hint)


def _value(id_: str, old: str, new: str, code: str, message: str = "", *, at: str = BY_EDIT) -> Planted:
    return Planted(f"config-{id_}", _LORA, config(old, new), code, message=message, at=at)


def _pictures(id_: str, changes: object, code: str, message: str = "", **more: object) -> Planted:
    more = {"at": None, "severity": WARNING, **more}
    return Planted(f"data-{id_}", _LORA, changes, code, message=message, **more)  # type: ignore[arg-type]


_SUBSET = "num_repeats = 10"
_SEVERAL = [f"data/img/{index:02}" for index in range(8)]

MISTAKES = (
    _key("num-repeat", "num_repeats", "num_repeat", "num_repeats"),
    _key("class-token", _SUBSET, f'class_token = "fox"\n{_SUBSET}', "class_tokens"),
    _key("keep-token", "keep_tokens", "keep_token", "keep_tokens"),
    _key("shuffle-captions", "shuffle_caption", "shuffle_captions", "shuffle_caption"),
    _key("caption-ext", "caption_extension", "caption_extention", "caption_extension"),
    _key("bucket", "enable_bucket", "enable_buckets", "enable_bucket"),
    _key("image-dirs", "image_dir", "image_dirs", "image_dir"),
    _key("batchsize", "batch_size", "batchsize", "batch_size"),
    _key("resolutions", "resolution", "resolutions", "resolution"),
    _key("min-bucket", "min_bucket_reso", "min_bucket_res", "min_bucket_reso"),
    _key("train-batch-size", "batch_size", "train_batch_size", "batch_size"),
    _key("flip", _SUBSET, f"flip_augment = true\n{_SUBSET}", "flip_aug"),
    _key("dropout", _SUBSET, f"caption_dropout = 0.1\n{_SUBSET}", "caption_dropout_rate"),
    _key("option-in-config", "batch_size", "learning_rate = 1e-4\nbatch_size", ""),
    Planted(
        "config-subset",
        _LORA,
        config("[[datasets.subsets]]", "[[datasets.subset]]"),
        "dataset-unknown-key",
        hint="subsets",
    ),
    Planted("config-generals", _LORA, config("[general]", "[generals]"), "dataset-unknown-key", hint="general"),
    _key("batch-size-in-subset", _SUBSET, f"batch_size = 2\n{_SUBSET}", ""),
    _key("resolution-in-subset", _SUBSET, f"resolution = 768\n{_SUBSET}", ""),
    Planted(
        "config-image-dir-in-general",
        _LORA,
        config("[general]", '[general]\nimage_dir = "{here}/data/img"'),
        "dataset-unknown-key",
        message="image_dir",
    ),
    _value("repeats-as-text", "num_repeats = 10", 'num_repeats = "10"', "dataset-wrong-type", "num_repeats"),
    _value("repeats-with-fraction", "num_repeats = 10", "num_repeats = 1.5", "dataset-wrong-type", "num_repeats"),
    _value("shuffle-as-text", "shuffle_caption = true", 'shuffle_caption = "true"', "dataset-wrong-type"),
    _value("bucket-as-number", "enable_bucket = true", 'enable_bucket = "yes"', "dataset-wrong-type"),
    _value("resolution-as-text", "resolution = 512", 'resolution = "512,512"', "dataset-wrong-type", "resolution"),
    _value("resolution-of-three", "resolution = 512", "resolution = [512, 512, 3]", "dataset-wrong-type"),
    _value("rate-as-text", _SUBSET, f'caption_dropout_rate = "0.1"\n{_SUBSET}', "dataset-wrong-type"),
    _value("extension-as-list", '".txt"', '[".txt", ".caption"]', "dataset-wrong-type", "caption_extension"),
    Planted(
        "config-rate-in-percent",
        _LORA,
        config(_SUBSET, f"caption_dropout_rate = 10\n{_SUBSET}"),
        "dataset-rate",
        WARNING,
        "10",
    ),
    Planted(
        "config-no-image-dir",
        _LORA,
        config('image_dir = "{here}/data/img"\n', ""),
        "dataset-missing-key",
        message="image_dir",
        at="[[datasets.subsets]]",
    ),
    _value(
        "bucket-steps",
        "min_bucket_reso = 256",
        "min_bucket_reso = 256\nbucket_reso_steps = 32",
        "dataset-bucket-steps",
        "32",
    ),
    _value("bucket-range", "max_bucket_reso = 1024", "max_bucket_reso = 256", "dataset-bucket-range", "256"),
    _value(
        "mixed-kinds",
        _SUBSET,
        f'{_SUBSET}\n\n[[datasets.subsets]]\nmetadata_file = "{{here}}/data/meta.json"',
        "dataset-mixed-kinds",
        at="[[datasets]]",
    ),
    _value("key-twice", _SUBSET, f"{_SUBSET}\nnum_repeats = 5", "dataset-broken", "num_repeats"),
    _value("not-closed", 'caption_extension = ".txt"', 'caption_extension = ".txt', "dataset-broken"),
    _value("folder-misspelt", "data/img", "data/imgs", "subset-folder-missing", "imgs"),
    Planted(
        "config-folder-relative",
        _LORA,
        config("{here}/data/img", "img"),
        "subset-folder-missing",
        message="img",
        hint="counts from",
    ),
    _value("home", "{here}/data/img", "~/img", "dataset-path", "~/img"),
    _value("repeats-0", _SUBSET, "num_repeats = 0", "dataset-empty", "num_repeats"),
    _value("steps-of-48", "batch_size", "bucket_reso_steps = 48\nbatch_size", "dataset-bucket-steps", "48"),
    _value("resolution-of-32", "resolution = 512", "resolution = 32", "dataset-resolution", "32"),
    _value("is-a-file", "data/img", "data/img/00.png", "subset-folder-missing", "00.png"),
    Planted(
        "config-same-subset",
        _LORA,
        config(_SUBSET, f'{_SUBSET}\n\n[[datasets.subsets]]\nimage_dir = "{{here}}/data/img"\nnum_repeats = 2'),
        "dataset-same-subset",
        at=None,
    ),
    Planted(
        "config-no-repeats",
        "sd15-several-datasets",
        config("num_repeats = 2", "num_repeats = 0"),
        "dataset-repeats",
        WARNING,
    ),
    Planted(
        "config-only-reg", _LORA, config(_SUBSET, f"{_SUBSET}\nis_reg = true"), "dataset-only-regularization", at=None
    ),
    Planted("config-batch-0", _LORA, config("batch_size = 4", "batch_size = 0"), "dataset-batch-size"),
    Planted(
        "config-and-folder",
        _LORA,
        add('dataset_config = "{here}/data/config.toml"\ntrain_data_dir = "{here}/data"'),
        "dataset-option-ignored",
        WARNING,
        at="train_data_dir",
    ),
    Planted("config-overrides-batch", _LORA, add("train_batch_size = 2"), "dataset-option-overridden", WARNING),
    Planted("config-overrides-resolution", _LORA, add('resolution = "768,768"'), "dataset-option-overridden", WARNING),
    Planted("config-missing", _LORA, add('dataset_config = "{here}/datasets.toml"'), "file", message="datasets.toml"),
    Planted(
        "metadata-missing", "sd15-metadata", remove("data/meta.json"), "metadata-unusable", message="meta.json", at=None
    ),
    Planted("metadata-broken", "sd15-metadata", write("data/meta.json", '{"00.png": '), "metadata-unusable", at=None),
    Planted(
        "metadata-other-names",
        "sd15-metadata",
        write("data/meta.json", json.dumps({"{here}/data/img/zz.png": {"caption": "fox"}})),
        "metadata-unusable",
        message="zz.png",
        at=None,
    ),
    Planted(
        "in-spec-key",
        "template-sdxl-locon",
        put("num_repeats", "num_repeat"),
        "dataset-unknown-key",
        hint="num_repeats",
    ),
    Planted(
        "in-spec-folder",
        "template-sdxl-locon",
        put('"img"', '"imgs"'),
        "subset-folder-missing",
        message="imgs",
    ),
    Planted(
        "in-spec-type",
        "template-sdxl-locon",
        put("resolution = 1024", 'resolution = "1024"'),
        "dataset-wrong-type",
        message="resolution",
    ),
    _pictures(
        "empty",
        tuple(Write(f"{stem}.{end}", None) for stem in _SEVERAL for end in ("png", "txt"))
        + write("data/img/note.md", "none"),
        "subset-without-pictures",
        severity=ERROR,
        at="image_dir",
    ),
    _pictures(
        "only-in-a-folder-below",
        (
            *(Write(f"{stem}.{end}", None) for stem in _SEVERAL for end in ("png", "txt")),
            *write("data/img/10_fox/1.png", png(512, 512)),
            *write("data/img/10_fox/1.txt", "fox, sitting"),
        ),
        "subset-without-pictures",
        severity=ERROR,
        at="image_dir",
    ),
    _pictures(
        "unreadable",
        write("data/img/08.png", "<html>not found</html>") + write("data/img/08.txt", "fox, sitting"),
        "picture-unreadable",
        "08.png",
        severity=ERROR,
    ),
    _pictures(
        "cut-off",
        write("data/img/08.png", png(512, 512)[:40]) + write("data/img/08.txt", "fox, sitting"),
        "picture-cut-off",
        "08.png",
    ),
    _pictures(
        "of-no-bytes",
        write("data/img/08.png", b"") + write("data/img/08.txt", "fox, sitting"),
        "picture-unreadable",
        "08.png",
        severity=ERROR,
    ),
    _pictures(
        "gif",
        write("data/img/08.gif", b"GIF89a" + bytes(30)) + write("data/img/08.txt", "fox, sitting"),
        "picture-not-taken",
        "08.gif",
    ),
    _pictures("one-stem", write("data/img/00.webp", png(512, 512)), "pictures-of-one-stem", "00"),
    _pictures("caption-of-no-bytes", write("data/img/03.txt", ""), "caption-file-empty", "03", severity=ERROR),
    _pictures("no-caption", remove("data/img/03.txt"), "caption-missing", "03"),
    _pictures("empty-caption", write("data/img/03.txt", "\n"), "caption-blank", "03"),
    _pictures("caption-alone", write("data/img/99.txt", "fox"), "caption-without-picture", "99"),
    _pictures(
        "caption-in-latin-1",
        write("data/img/03.txt", "fox, caf\xe9".encode("latin-1")),
        "caption-not-utf8",
        "03",
        severity=ERROR,
    ),
    _pictures(
        "caption-of-two-lines", write("data/img/03.txt", "fox, sitting\nforest, snow"), "caption-lines-lost", "03"
    ),
    _pictures(
        "other-extension", config('".txt"', '".caption"'), "caption-extension", ".txt", hint='".txt"', severity=ERROR
    ),
    _pictures(
        "mixed-extensions",
        (
            *(Write(f"{stem}.txt", None) for stem in _SEVERAL[:4]),
            *(Write(f"{stem}.caption", "fox, den") for stem in _SEVERAL[:4]),
        ),
        "caption-extension",
        ".caption",
        severity=ERROR,
    ),
    _pictures("keep-tokens-beyond", config("keep_tokens = 1", "keep_tokens = 12"), "keep-tokens-beyond", "12"),
    _pictures(
        "separator-absent", config("keep_tokens = 1", 'keep_tokens_separator = "|||"'), "keep-separator-absent", "|||"
    ),
    _pictures(
        "no-upscale",
        (
            *config("min_bucket_reso = 256\nmax_bucket_reso = 1024", "bucket_no_upscale = true"),
            *write("data/img/08.png", png(200, 200)),
            *write("data/img/08.txt", "fox, den"),
        ),
        "picture-left-small",
        "200",
    ),
    Planted(
        "folders-without-number",
        "sd15-folders",
        remove("train/10_fox")
        + tuple(
            Write(f"train/fox/{index}.{end}", png(512, 512) if end == "png" else "fox")
            for index in range(4)
            for end in ("png", "txt")
        ),
        "dataset-folders",
        at="train_data_dir",
    ),
    Planted("folders-one-too-deep", "sd15-folders", put('"train"', '"train/10_fox"'), "dataset-folders"),
    *(
        Planted(f"folders-{line.partition(' ')[0]}", "sd15-folders", add(line), code, severity, line.partition(" ")[0])
        for line, code, severity in (
            ("caption_dropout_rate = 5", "dataset-rate", WARNING),
            ("keep_tokens = 2", "dataset-keep-tokens", WARNING),
        )
    ),
    Planted(
        "folders-validation",
        "sd15-folders",
        add("validation_split = 1.5"),
        "dataset-validation-split",
    ),
    Planted(
        "folders-batch-0",
        "sd15-folders",
        put("train_batch_size = 2", "train_batch_size = 0"),
        "dataset-batch-size",
        message="train_batch_size is 0",
    ),
    Planted("folders-missing", "sd15-folders", put('"train"', '"trian"'), "dataset-folders", message="trian"),
    Planted(
        "folder-of-captions-only",
        "sd15-folders",
        tuple(Write(f"train/10_fox/{index:02}.png", None) for index in range(8)),
        "subset-without-pictures",
        at=None,
    ),
    Planted(
        "folders-odd-one-out",
        "sd15-folders",
        write("train/more/1.png", png(512, 512)) + write("train/more/1.txt", "fox"),
        "dataset-folders",
        WARNING,
        message="more",
        at=None,
    ),
    Planted(
        "reg-unused",
        "sd15-folders-reg",
        remove("train/10_fox animal") + write("train/1_fox/1.png", png(512, 512)) + write("train/1_fox/1.txt", "fox"),
        "reg-images-unused",
        WARNING,
        at=None,
    ),
    Planted("reg-missing", "sd15-folders-reg", put('"reg"', '"regs"'), "dataset-folders", message="regs"),
)
