"""Mistakes in the sample prompts."""

from __future__ import annotations

from mistake import ERROR, PROMPTS, WARNING, Planted, add, prompts, put, remove, write

_LORA = "sd15-lora"
_FIRST = "--w 512 --h 512 --d 1"


def _line(id_: str, new: str, code: str, message: str = "", hint: str = "", *, severity: object = ERROR) -> Planted:
    return Planted(f"prompt-{id_}", _LORA, prompts(_FIRST, new), code, severity, message, hint)  # type: ignore[arg-type]


MISTAKES = (
    _line("width", "--width 512 --h 512 --d 1", "prompt-flag-unknown", "--width", "--w"),
    _line("height", "--w 512 --height 512 --d 1", "prompt-flag-unknown", "--height", "--h"),
    _line("steps", "--w 512 --h 512 --steps 20 --d 1", "prompt-flag-unknown", "--steps", "--s"),
    _line("cfg", "--w 512 --h 512 --cfg 7 --d 1", "prompt-flag-unknown", "--cfg", ""),
    _line("seed", "--w 512 --h 512 --seed 1", "prompt-flag-unknown", "--seed", "--d"),
    _line("negative", "--w 512 --h 512 --neg ugly --d 1", "prompt-flag-unknown", "--neg", "--n"),
    _line("not-by-8", "--w 500 --h 512 --d 1", "prompt-value-changed", "500", "", severity=WARNING),
    _line("word-for-number", "--w wide --h 512 --d 1", "prompt-flag-value", "wide"),
    _line("seed-of-minus-one", "--w 512 --h 512 --d -1", "prompt-flag-value", "-1", severity=WARNING),
    _line("steps-beyond", "--w 512 --h 512 --s 2000 --d 1", "prompt-flag-twice", "--s"),
    _line("fraction", "--w 512.5 --h 512 --d 1", "prompt-flag-value", "512"),
    _line("sampler", "--w 512 --h 512 --d 1 --ss eulr_a", "prompt-sampler", "eulr_a", "euler_a"),
    _line("no-blank", "--w512 --h 512 --d 1", "prompt-flag-value", "--w512", "--w 512"),
    _line("one-dash", "-w 512 --h 512 --d 1", "prompt-flag-in-text", "-w", severity=WARNING),
    Planted("prompt-twice", _LORA, prompts("--s 28", "--s 28 --w 768"), "prompt-flag-twice", message="--w"),
    Planted("prompts-missing", _LORA, add('sample_prompts = "prompt.txt"'), "file", message="prompt.txt"),
    Planted("prompts-none", _LORA, remove(PROMPTS), "sample-without-prompts", at="sample_every"),
    Planted("prompts-empty", _LORA, write(PROMPTS, ""), "prompts-empty", WARNING, at=None),
    Planted("prompts-only-comments", _LORA, write(PROMPTS, "# fox\n# snow\n"), "prompts-empty", WARNING, at=None),
    Planted(
        "prompts-never-used",
        _LORA,
        put("sample_every_n_steps = 400\n", 'sample_prompts = "{here}/data/sample-prompts.txt"\n'),
        "prompts-without-samples",
        WARNING,
    ),
    Planted(
        "prompts-in-latin-1", _LORA, write(PROMPTS, "caf\xe9 --w 512".encode("latin-1")), "prompts-encoding", at=None
    ),
    Planted(
        "prompts-yaml",
        _LORA,
        add('sample_prompts = "p.yaml"') + write("p.yaml", "- prompt: fox\n"),
        "file",
        message="p.yaml",
    ),
    Planted(
        "prompts-json-broken",
        "sd15-prompts-json",
        write("prompts.json", '[{"prompt": "fox",}]'),
        "prompts-syntax",
        at="[{",
    ),
    Planted(
        "prompts-json-key",
        "sd15-prompts-json",
        write("prompts.json", '[{"prompt": "fox", "steps": 20}]'),
        "prompt-key-unknown",
        message="steps",
        hint="sample_steps",
        at="steps",
    ),
    Planted(
        "prompts-json-text",
        "sd15-prompts-json",
        write("prompts.json", '[{"prompt": "fox", "width": "512"}]'),
        "prompt-wrong-type",
        message="width",
        at="width",
    ),
    Planted(
        "prompts-toml-key",
        "sd15-prompts-toml",
        write("prompts.toml", '[prompt]\nwidht = 512\n[[prompt.subset]]\nprompt = "fox"\n'),
        "prompt-key-unknown",
        message="widht",
        hint="width",
        at="widht",
    ),
    Planted(
        "prompts-in-spec-key",
        "sd15-prompts-in-spec",
        put("negative_prompt", "negativ_prompt"),
        "unknown-key",
        message="negativ_prompt",
        hint="negative_prompt",
        at="[[sample_prompts]]",
    ),
    Planted(
        "prompts-in-spec-width",
        "sd15-prompts-in-spec",
        put("width = 512", "width = 500"),
        "prompt-value-changed",
        WARNING,
        message="500",
        at=None,
    ),
    Planted(
        "prompts-flag-in-table",
        "sd15-prompts-json",
        write("prompts.json", '[{"prompt": "fox --w 512"}]'),
        "prompt-flag-in-table",
        message="--w",
        at="--w",
    ),
    Planted(
        "prompts-idle",
        "sd15-gpus",
        put("num_cpu_threads_per_process = 4", "num_processes = 8"),
        "prompts-idle-gpus",
        WARNING,
        "8 processes",
        at=None,
    ),
)
