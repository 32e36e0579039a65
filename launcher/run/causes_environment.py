"""Causes in the training environment: packages that are missing or do not belong together.

The texts are those of Python's import system and of sd-scripts (library/train_util.py: get_optimizer,
prepare_accelerator, replace_unet_modules).
"""

from __future__ import annotations

from launcher.run.cause import Cause, Step, error, given

_CHECKOUT = Step("Install what the checkout asks for: pip install -r requirements.txt, in its folder.")
_MODULE = r"(?P<module>[\w.-]+)"
# The loader says so on Linux, Windows and macOS.
_BINARY = r"[^\n]{0,1000}(?:undefined symbol|cannot open shared object file|DLL load failed|Symbol not found)"

ENVIRONMENT: tuple[Cause, ...] = (
    Cause(
        "triton",
        "The Python module triton is missing in the training environment.",
        (
            Step("On Windows a message about triton can be ignored: training goes on without it."),
            Step("Leave out torch_compile: it needs triton.", given("torch_compile", "dynamo_backend")),
            Step("Otherwise install it: pip install triton, on Windows triton-windows, in the version for this torch."),
        ),
        (
            error("ModuleNotFoundError|ImportError", r"No module named '?triton\b"),
            error(
                "RuntimeError|BackendCompilerFailed|TritonMissing|InductorError",
                r"(?:[^\n]*\n)?[^\n]*Cannot find a working triton",
            ),
            error("TritonMissing", ""),
        ),
    ),
    Cause(
        "xformers-missing",
        "xformers is not installed in the training environment.",
        (Step("Set sdpa instead of xformers: it needs no other package."), Step("Or install xformers for this torch.")),
        (error("ImportError|ModuleNotFoundError", r"No (?:module named '?)?xformers\b"),),
    ),
    Cause(
        "wandb-missing",
        "wandb is not installed in the training environment, and log_with asks for it.",
        (Step("Set log_with to tensorboard, or install it: pip install wandb."),),
        (error("ImportError|ModuleNotFoundError", r"No (?:module named '?)?wandb\b"),),
    ),
    Cause(
        "optimizer-missing",
        "The package {module}, which the optimizer comes from, is not installed in the training environment.",
        (
            Step("Install it with the environment's own pip."),
            Step("Or choose another optimizer_type: AdamW needs no other package."),
        ),
        (
            error(
                "ImportError|ModuleNotFoundError",
                r"No (?:module named '?)?(?P<module>lion_pytorch|bitsandbytes|dadaptation|prodigy\w*|Prodigy|"
                r"schedulefree|pytorch_optimizer|came_pytorch)\b",
            ),
        ),
    ),
    Cause(
        "lycoris-missing",
        "LyCORIS is not installed in the training environment.",
        (Step("Install it: pip install lycoris-lora, with the environment's own pip."),),
        (error("ModuleNotFoundError", r"No module named 'lycoris\b"),),
    ),
    Cause(
        "lycoris-torch",
        "LyCORIS is too new for this torch: from 4.1 on it cannot be imported with torch below 2.7.",
        (Step("Install lycoris_lora below 4.1 with the environment's own pip, or a newer torch."),),
        (error("ValueError", r"infer_schema\(func\): Parameter \w+ has unsupported type list\["),),
    ),
    Cause(
        "module-missing",
        "The Python module {module} is missing in the training environment.",
        (
            Step("See whether env names the environment that was made for this checkout."),
            _CHECKOUT,
            Step("See whether network_module, {network_module}, is spelled right.", given("network_module")),
        ),
        (
            error("ModuleNotFoundError|ImportError", rf"No module named '?{_MODULE}"),
            error("ImportError", rf"No {_MODULE} / "),
        ),
    ),
    Cause(
        "binary-mismatch",
        "A compiled package was built for another version of torch, Python, CUDA or numpy.",
        (
            Step(
                "Install the package that the exception names again, in the version for the torch of the environment."
            ),
            Step("Leave xformers out and set sdpa if it is xformers.", given("xformers")),
            _CHECKOUT,
        ),
        (
            error("ImportError|OSError", _BINARY),
            error("ValueError", r"numpy\.\w+ size changed, may indicate binary incompatibility"),
            error("ImportError", r"numpy\.core\.multiarray failed to import"),
            error("RuntimeError", r"operator torchvision::\w+ does not exist"),
            error("RuntimeError", "Numpy is not available"),
        ),
    ),
    Cause(
        "package-version",
        "{module} is installed in a version that does not have {name}.",
        (
            _CHECKOUT,
            Step("See whether the checkout is older or newer than the environment that was made for it."),
        ),
        (
            error(
                "ImportError", rf"cannot import name '(?P<name>\w+)' from (?:partially initialized module )?'{_MODULE}'"
            ),
            error("AttributeError", rf"(?:partially initialized )?module '{_MODULE}' has no attribute '(?P<name>\w+)'"),
        ),
    ),
    Cause(
        "compiler",
        "torch could not compile the model.",
        (
            Step("Leave out torch_compile.", given("torch_compile")),
            Step("Leave out dynamo_backend.", given("dynamo_backend")),
            Step("Install a C++ compiler and the headers of Python."),
        ),
        (error("InvalidCxxCompiler|CppCompileError|BackendCompilerFailed|InductorError", ""),),
    ),
    Cause(
        "arguments",
        "The script did not take an argument: this checkout does not know it, or not with this value.",
        (
            Step("See which options the script has with kl options, and whether the checkout is of another release."),
            Step("Arguments behind -- reach the script unchanged: look there first."),
        ),
        (r"[\w./\\-]+: error: (?:unrecognized arguments|argument |the following arguments|ambiguous option)",),
    ),
)
