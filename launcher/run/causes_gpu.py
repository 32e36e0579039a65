"""Causes that have to do with the GPU, its driver, and what was built for it.

The texts are those of torch (c10/cuda, torch/cuda/__init__.py), accelerate (accelerator.py, state.py), xformers
(ops/fmha/dispatch.py) and bitsandbytes (cextension.py).
"""

from __future__ import annotations

from launcher.run.cause import Cause, Step, all_of, cuda, error, given, is_one_of, more_than, not_given

_OUT_OF_MEMORY = (
    error("OutOfMemoryError", ""),
    error("RuntimeError", r"(?:CUDA|HIP|XPU|MPS backend) out of memory"),
    cuda("out of memory"),
    cuda("CUBLAS_STATUS_ALLOC_FAILED"),
    error("RuntimeError", "cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
)
_RESOLUTION = (
    Step("Lower the resolution, which is {resolution}, and max_bucket_reso.", given("resolution")),
    Step("Lower the resolution, and max_bucket_reso with it.", not_given("resolution")),
)
_OTHERS = Step("See with nvidia-smi whether another program holds memory of the same GPU.")
_DRIVER = (
    Step("Update the driver of the GPU."),
    Step("Or install a torch that was built for an older CUDA, with the torchvision and xformers that belong to it."),
)
_NO_GPU = (
    Step("See whether nvidia-smi lists the GPU; if not, install the driver, or give the container access to it."),
    Step("See whether CUDA_VISIBLE_DEVICES names a GPU that is there."),
)
_AGAIN = Step("Set CUDA_LAUNCH_BLOCKING=1 in env.variables and start again: the traceback then shows the real place.")

GPU: tuple[Cause, ...] = (
    Cause(
        "gpu-memory-sampling",
        "The memory of the GPU was full while sample pictures were drawn.",
        (
            Step("Lower the width and height of the sample prompts."),
            Step("Set cache_latents, so that less is on the GPU.", not_given("cache_latents", "cache_latents_to_disk")),
            _OTHERS,
        ),
        _OUT_OF_MEMORY,
        frames=r"\bin (?:sample_images?\w*|do_sample)\b",
    ),
    Cause(
        "gpu-memory-caching",
        "The memory of the GPU was full while latents were cached, before training.",
        (
            Step("Lower vae_batch_size, which is {vae_batch_size}.", more_than("vae_batch_size", 1)),
            *_RESOLUTION,
            _OTHERS,
        ),
        _OUT_OF_MEMORY,
        frames=r"\bin \w*cache_(?:batch_)?latents\b",
    ),
    Cause(
        "gpu-memory",
        "The memory of the GPU was full.",
        (
            Step(
                "Lower the batch size (batch_size in the dataset config, train_batch_size where that has none), and "
                "raise gradient_accumulation_steps to make up for it.",
                given("dataset_config"),
            ),
            Step(
                "Lower train_batch_size, which is {train_batch_size}, and raise gradient_accumulation_steps to make "
                "up for it.",
                all_of(not_given("dataset_config"), more_than("train_batch_size", 1)),
            ),
            Step("Lower the batch size.", lambda options: not options),
            Step(
                "Set cache_latents: the VAE then leaves the GPU. It does not go with color_aug or random_crop.",
                not_given("cache_latents", "cache_latents_to_disk", "color_aug", "random_crop"),
            ),
            Step("Set gradient_checkpointing: slower, but much less memory.", not_given("gradient_checkpointing")),
            *_RESOLUTION,
            Step("Set sdpa or xformers.", not_given("sdpa", "xformers", "mem_eff_attn", "diffusers_xformers")),
            Step("Set mixed_precision to bf16, or fp16 on a GPU without bf16.", is_one_of("mixed_precision", "no")),
            _OTHERS,
        ),
        _OUT_OF_MEMORY,
    ),
    Cause(
        "gpu-driver-old",
        "The driver of the GPU is too old for the CUDA that torch was built with.",
        _DRIVER,
        (
            error("RuntimeError", r"The NVIDIA driver on your system is too old \(found version (?P<version>\d+)\)"),
            error("RuntimeError", r"Unexpected error from cudaGetDeviceCount\(\)[^\n]*CUDA driver version is insuffic"),
            cuda("CUDA driver version is insufficient for CUDA runtime version"),
            cuda("the provided PTX was compiled with an unsupported toolchain"),
        ),
    ),
    Cause(
        "gpu-driver-mismatch",
        "The driver that is loaded and the driver's libraries are not of the same version.",
        (
            Step("Restart the machine: the driver was probably updated while it ran."),
            Step("In a container, use the driver's libraries of the host, and none of the container's own."),
        ),
        (
            error("RuntimeError", r"Unexpected error from cudaGetDeviceCount\(\)[^\n]*Error 80[34]: "),
            cuda("(?:system has unsupported display driver|forward compatibility was attempted)"),
        ),
    ),
    Cause(
        "gpu-build",
        "The torch of the training environment was not built for this GPU.",
        (
            Step(
                "Install a torch built for a CUDA that knows this GPU: a newer one for a new GPU, an older for an old."
            ),
            Step("Install the torchvision and xformers that belong to it."),
        ),
        (cuda("no kernel image is available for execution on the device"), cuda("device kernel image is invalid")),
    ),
    Cause(
        "torch-without-cuda",
        "The torch of the training environment was built without CUDA: it knows no GPU.",
        (
            Step("Install torch, torchvision and xformers again, from torch's own index for the CUDA of this machine."),
            Step("To train without a GPU, set cpu = true in [accelerate] and mixed_precision to no."),
        ),
        (error("AssertionError", "Torch not compiled with CUDA enabled"),),
    ),
    Cause(
        "gpu-none",
        "torch finds no GPU on this machine.",
        (*_NO_GPU, Step("To train without a GPU, set cpu = true in [accelerate] and mixed_precision to no.")),
        (
            error("RuntimeError", "Found no NVIDIA driver on your system"),
            error("RuntimeError", "No CUDA GPUs are available"),
            error("RuntimeError", "CUDA driver initialization failed"),
            cuda("no CUDA-capable device is detected"),
            cuda("invalid device ordinal"),
        ),
    ),
    Cause(
        "gpu-busy",
        "The GPU is taken by another program, or in a mode that lets only one use it.",
        (
            Step("See with nvidia-smi what else runs on it, and wait for that or end it."),
            Step("See whether its compute mode is Default there."),
            Step("Choose another GPU with CUDA_VISIBLE_DEVICES in env.variables."),
        ),
        (cuda(r"(?:all )?CUDA-capable device(?:s|\(s\))? (?:are|is|is/are) busy or unavailable"),),
    ),
    Cause(
        "gpu-label",
        "A number on the GPU was outside its range: often a token or a timestep that the model has no place for.",
        (Step("See whether base model, text encoder and tokenizer belong together."), _AGAIN),
        (cuda("device-side assert triggered"),),
    ),
    Cause(
        "gpu-fault",
        "The GPU or its driver failed during a computation.",
        (
            Step("Look for Xid messages of the driver with dmesg: they say whether the GPU itself is at fault."),
            Step("Take back overclocking, and see whether the GPU gets too hot or too little power."),
            Step("Restart the machine when nvidia-smi fails too."),
            _AGAIN,
        ),
        (
            cuda(
                "(?:an illegal memory access|a misaligned address|uncorrectable ECC error|unspecified launch failure)"
            ),
            cuda("(?:an illegal instruction|unknown error|hardware stack error|the launch timed out)"),
            cuda("CUBLAS_STATUS_(?:EXECUTION_FAILED|INTERNAL_ERROR|NOT_INITIALIZED)"),
            error("RuntimeError", "cuDNN error: CUDNN_STATUS_(?:EXECUTION_FAILED|INTERNAL_ERROR|NOT_INITIALIZED)"),
            error("RuntimeError", r"CUDA unknown error - this may be due to an incorrectly set up environment"),
            error("RuntimeError", r"Unexpected error from cudaGetDeviceCount\(\)"),
        ),
    ),
    Cause(
        "precision-not-supported",
        "This machine cannot train with mixed_precision {precision}.",
        (
            Step("Set mixed_precision to fp16.", is_one_of("mixed_precision", "bf16")),
            Step("To train without a GPU, set mixed_precision to no."),
            Step("Where there is a GPU, see why torch does not find it: nvidia-smi, and torch.cuda.is_available()."),
        ),
        (
            error("ValueError", r"(?P<precision>fp16|bf16|fp8) mixed precision requires "),
            error("ValueError", r"Your setup doesn't support (?P<precision>bf16|tf32)"),
        ),
    ),
    Cause(
        "xformers-without-gpu",
        "xformers computes only on a GPU, and the training ran without one.",
        (Step("Set sdpa instead of xformers."),),
        (
            error(
                "NotImplementedError",
                r"No operator found for `memory_efficient_attention_\w+` with inputs:\n"
                r"(?:[^\n]*\n){1,12}?\s+device=cpu ",
            ),
            error("ValueError", r"torch\.cuda\.is_available\(\) should be True but is False\. xformers"),
        ),
    ),
    Cause(
        "xformers-build",
        "This xformers has nothing that fits the torch, the GPU or the precision of this training.",
        (
            Step("Set sdpa instead of xformers: it needs no other package."),
            Step(
                "Or install the xformers that was built for the torch of the environment; see python -m xformers.info."
            ),
        ),
        (
            error("NotImplementedError", "No operator found for `memory_efficient_attention_"),
            error(
                "ImportError|OSError|RuntimeError",
                r"[^\n]{0,300}xformers[^\n]{0,300}(?:undefined symbol|DLL load failed)",
            ),
        ),
        lines=(r"(?:WARNING\S*\s*)?xFormers can't load C\+\+/CUDA extensions",),
    ),
    Cause(
        "bitsandbytes-build",
        "bitsandbytes has nothing that fits the CUDA or the GPU of this machine.",
        (
            Step("See what is wrong with it: python -m bitsandbytes, in the training environment."),
            Step("Update it, or choose an optimizer without 8bit: AdamW needs no other package."),
        ),
        (
            error("RuntimeError", r"CUDA Setup failed despite (?:GPU|CUDA) being available"),
            error(
                "RuntimeError",
                r"\W{0,20}(?:Forgot to compile the bitsandbytes library|CUDA (?:SETUP ERROR|VERSION MISM))",
            ),
            error("AttributeError", r"'NoneType' object has no attribute 'c\w+(?:32bit|8bit|blockwise)\w*'"),
            error("NameError", r"name 'str2optimizer\w+' is not defined"),
        ),
    ),
    Cause(
        "processes-waited-too-long",
        "The processes of this training waited for one another until the time for that was over.",
        (
            Step("Look in the log for the process that failed or stalled first."),
            Step("Cache latents and text encoder outputs to disk in a run with one process first."),
            Step("Raise ddp_timeout."),
        ),
        (
            error("RuntimeError|DistBackendError", r"\[[^\n]*Watchdog caught collective operation timeout"),
            error("RuntimeError|DistBackendError", r"\[[^\n]*wait timeout after \d+ms"),
        ),
    ),
    Cause(
        "nccl",
        "NCCL, which moves data between the GPUs, failed.",
        (
            Step("Set NCCL_DEBUG=INFO in env.variables and start again: its last lines name the reason."),
            Step("Try NCCL_P2P_DISABLE=1: some GPUs cannot talk to one another directly."),
            Step("Train with one process: num_processes = 1 in [accelerate]."),
        ),
        (error("RuntimeError|DistBackendError", r"(?:\[[^\n]*)?NCCL (?:error|communicator)"),),
    ),
)
