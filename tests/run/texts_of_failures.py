"""How failures read in a log.

`real_texts` are the ends of trainings and library calls that were made to fail: those in `failure_texts/`, named after
their cause. `KNOWN` are texts as torch, xformers, bitsandbytes and others print them where there is a GPU, another
system or another release: the exception alone, or with the functions of its traceback.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

FOLDER = Path(__file__).parent / "failure_texts"

OWN = """Traceback (most recent call last):
  File "/src/sd-scripts/train_network.py", line 1913, in <module>
    trainer.train(args)
  File "/src/sd-scripts/train_network.py", line 1394, in {function}
{exception}
"""
ACCELERATE = """Traceback (most recent call last):
  File "/usr/lib/python3.10/runpy.py", line 196, in _run_module_as_main
    return _run_code(code, main_globals, None,
  File "/env/lib/python3.10/site-packages/accelerate/commands/launch.py", line 1223, in <module>
    main()
  File "/env/lib/python3.10/site-packages/accelerate/commands/launch.py", line 795, in simple_launcher
    raise subprocess.CalledProcessError(returncode=process.returncode, cmd=cmd)
subprocess.CalledProcessError: Command '['/env/bin/python', 'train_network.py', '--output_name=fox']' {ending}
"""
EXIT_1 = "returned non-zero exit status 1."
ADVICE_OF_TORCH = (
    "CUDA kernel errors might be asynchronously reported at some other API call, so the stacktrace below might be "
    "incorrect.\nFor debugging consider passing CUDA_LAUNCH_BLOCKING=1\n"
    "Compile with `TORCH_USE_CUDA_DSA` to enable device-side assertions.\n"
)
OOM = (
    "CUDA out of memory. Tried to allocate 2.50 GiB. GPU 0 has a total capacity of 23.64 GiB of which 1.21 GiB is "
    "free. Including non-PyTorch memory, this process has 22.41 GiB memory in use. Of the allocated memory 20.10 GiB "
    "is allocated by PyTorch, and 1.79 GiB is reserved by PyTorch but unallocated. If reserved but unallocated memory "
    "is large try setting PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True to avoid fragmentation.  See documentation "
    "for Memory Management  (https://pytorch.org/docs/stable/notes/cuda.html#environment-variables)"
)
NO_OPERATOR = (
    "NotImplementedError: No operator found for `memory_efficient_attention_forward` with inputs:\n"
    "     query       : shape=(1, 4096, 8, 40) (torch.float16)\n"
    "     key         : shape=(1, 4096, 8, 40) (torch.float16)\n"
    "     value       : shape=(1, 4096, 8, 40) (torch.float16)\n"
    "     attn_bias   : <class 'NoneType'>\n"
    "     p           : 0.0\n"
    "`decoderF` is not supported because:\n"
    "    xFormers wasn't build with CUDA support\n"
    "    attn_bias type is <class 'NoneType'>\n"
    "    operator wasn't built - see `python -m xformers.info` for more info"
)
XFORMERS_WARNING = (
    "WARNING[XFORMERS]: xFormers can't load C++/CUDA extensions. xFormers was built for:\n"
    "    PyTorch 2.1.2+cu121 with CUDA 1201 (you have 2.2.0+cu118)\n"
    "    Python  3.10.11 (you have 3.10.6)\n"
    "  Please reinstall xformers (see https://github.com/facebookresearch/xformers#installing-xformers)\n"
    "  Memory-efficient attention, SwiGLU, sparse and more won't be available.\n"
)


def cuda(message: str, kind: str = "RuntimeError") -> str:
    return f"{kind}: CUDA error: {message}\n{ADVICE_OF_TORCH}"


# (cause, exception, the function it came from)
KNOWN: tuple[tuple[str, str, str], ...] = (
    ("gpu-memory", f"torch.OutOfMemoryError: {OOM}", "train"),
    ("gpu-memory", f"torch.cuda.OutOfMemoryError: {OOM}", "train"),
    ("gpu-memory", "RuntimeError: CUDA out of memory. Tried to allocate 20.00 MiB (GPU 0; 7.79 GiB total)", "train"),
    ("gpu-memory", cuda("out of memory"), "train"),
    ("gpu-memory", cuda("CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"), "train"),
    (
        "gpu-memory",
        "torch.OutOfMemoryError: HIP out of memory. Tried to allocate 20.00 MiB. GPU 0 has a total",
        "train",
    ),
    ("gpu-memory", "RuntimeError: MPS backend out of memory (MPS allocated: 8.24 GB, max allowed: 9.07 GB).", "train"),
    ("gpu-memory-sampling", f"torch.OutOfMemoryError: {OOM}", "sample_image_inference"),
    ("gpu-memory-sampling", f"torch.OutOfMemoryError: {OOM}", "sample_images"),
    ("gpu-memory-caching", f"torch.OutOfMemoryError: {OOM}", "_default_cache_batch_latents"),
    ("gpu-memory-caching", f"torch.cuda.OutOfMemoryError: {OOM}", "cache_batch_latents"),
    ("gpu-memory-caching", f"torch.cuda.OutOfMemoryError: {OOM}", "new_cache_latents"),
    (
        "gpu-driver-old",
        "RuntimeError: The NVIDIA driver on your system is too old (found version 11040). Please update your GPU "
        "driver by downloading and installing a new version from the URL: http://www.nvidia.com/Download/index.aspx",
        "prepare_accelerator",
    ),
    ("gpu-driver-old", cuda("CUDA driver version is insufficient for CUDA runtime version"), "train"),
    ("gpu-driver-old", cuda("the provided PTX was compiled with an unsupported toolchain."), "train"),
    (
        "gpu-driver-mismatch",
        "RuntimeError: Unexpected error from cudaGetDeviceCount(). Did you run some cuda functions before calling "
        "NumCudaDevices() that might have already set an error? Error 804: forward compatibility was attempted on non "
        "supported HW",
        "train",
    ),
    ("gpu-driver-mismatch", cuda("system has unsupported display driver / cuda driver combination"), "train"),
    ("gpu-build", cuda("no kernel image is available for execution on the device"), "train"),
    ("gpu-build", cuda("no kernel image is available for execution on the device", "torch.AcceleratorError"), "train"),
    ("torch-without-cuda", "AssertionError: Torch not compiled with CUDA enabled", "_lazy_init"),
    ("gpu-none", "RuntimeError: No CUDA GPUs are available", "_lazy_init"),
    ("gpu-none", cuda("invalid device ordinal"), "train"),
    ("gpu-busy", cuda("all CUDA-capable devices are busy or unavailable"), "train"),
    ("gpu-busy", cuda("CUDA-capable device(s) is/are busy or unavailable", "torch.AcceleratorError"), "train"),
    ("gpu-label", cuda("device-side assert triggered"), "train"),
    ("gpu-fault", cuda("an illegal memory access was encountered"), "train"),
    ("gpu-fault", cuda("uncorrectable ECC error encountered"), "train"),
    ("gpu-fault", cuda("unspecified launch failure", "torch.AcceleratorError"), "train"),
    ("gpu-fault", "RuntimeError: cuDNN error: CUDNN_STATUS_EXECUTION_FAILED", "train"),
    ("gpu-fault", cuda("CUBLAS_STATUS_EXECUTION_FAILED when calling `cublasGemmEx( handle, opa, opb, m)`"), "train"),
    (
        "gpu-fault",
        "RuntimeError: CUDA unknown error - this may be due to an incorrectly set up environment, e.g. changing env "
        "variable CUDA_VISIBLE_DEVICES after program start. Setting the available devices to be zero.",
        "train",
    ),
    ("precision-not-supported", "ValueError: fp16 mixed precision requires a GPU (not 'cpu').", "__init__"),
    (
        "precision-not-supported",
        "ValueError: bf16 mixed precision requires PyTorch >= 1.10 and a supported device.",
        "__init__",
    ),
    ("xformers-build", NO_OPERATOR, "train"),
    (
        "binary-mismatch",
        "ImportError: DLL load failed while importing _C: The specified procedure could not be found.",
        "train",
    ),
    (
        "bitsandbytes-build",
        "RuntimeError: \n        CUDA Setup failed despite GPU being available. Please run",
        "train",
    ),
    (
        "bitsandbytes-build",
        "RuntimeError: \n🚨 Forgot to compile the bitsandbytes library? 🚨 \n1. You're not",
        "train",
    ),
    (
        "bitsandbytes-build",
        "RuntimeError: \n🚨 CUDA VERSION MISMATCH 🚨\nRequested CUDA version:          12.9\n",
        "train",
    ),
    ("bitsandbytes-build", "AttributeError: 'NoneType' object has no attribute 'cadam32bit_grad_fp32'", "train"),
    ("bitsandbytes-build", "NameError: name 'str2optimizer8bit_blockwise' is not defined", "train"),
    (
        "nccl",
        "torch.distributed.DistBackendError: NCCL error in: ../torch/csrc/distributed/c10d/ProcessGroupNCCL.cpp:1691, "
        "unhandled cuda error (run with NCCL_DEBUG=INFO for details), NCCL version 2.19.3",
        "train",
    ),
    (
        "processes-waited-too-long",
        "torch.distributed.DistBackendError: [Rank 1] Watchdog caught collective operation timeout: "
        "WorkNCCL(SeqNum=24, OpType=ALLREDUCE, NumelIn=1, NumelOut=1, Timeout(ms)=600000) ran for 600032 ms",
        "train",
    ),
    ("disk-full", "OSError: [Errno 28] No space left on device: '/out/fox/fox-state/optimizer.bin'", "save_state"),
    (
        "disk-full",
        "safetensors_rust.SafetensorError: Error while serializing: I/O error: No space left on device (os error 28)",
        "save_weights",
    ),
    ("disk-quota", "OSError: [Errno 122] Disk quota exceeded", "save_weights"),
    ("file-too-large", "OSError: [Errno 27] File too large", "save_weights"),
    ("disk-fault", "OSError: [Errno 5] Input/output error: '/nas/fox/1.png'", "load_image"),
    ("disk-fault", "OSError: [Errno 116] Stale file handle: '/nas/fox/1.png'", "load_image"),
    ("not-allowed", "PermissionError: [Errno 13] Permission denied: '/data/fox/1.npz'", "save_latents"),
    ("not-allowed", "OSError: [Errno 30] Read-only file system: '/data/fox/1.npz'", "save_latents"),
    (
        "not-allowed",
        "safetensors_rust.SafetensorError: Error while serializing: IoError(Os { code: 13, kind: PermissionDenied, "
        'message: "Permission denied" })',
        "save_weights",
    ),
    (
        "shared-memory",
        "RuntimeError: DataLoader worker (pid 4711) is killed by signal: Bus error. It is possible that dataloader's "
        "workers are out of shared memory. Please try to raise your shared memory limit.",
        "train",
    ),
    (
        "shared-memory",
        "RuntimeError: unable to write to file </torch_47_11_0>: No space left on device (28)",
        "train",
    ),
    ("open-files", "RuntimeError: received 0 items of ancdata", "train"),
    (
        "open-files",
        "RuntimeError: unable to open shared memory object </torch_47_11> in read-write mode: Too many open files (24)",
        "train",
    ),
    ("machine-memory", "RuntimeError: DataLoader worker (pid 4711) is killed by signal: Killed. ", "train"),
    ("machine-memory", "MemoryError", "train"),
    ("machine-memory", "OSError: [Errno 12] Cannot allocate memory", "train"),
    (
        "machine-memory",
        "OSError: The paging file is too small for this operation to complete. (os error 1455)",
        "load_file",
    ),
    (
        "machine-memory",
        "RuntimeError: [enforce fail at alloc_cpu.cpp:114] data. DefaultCPUAllocator: not enough memory: you tried to "
        "allocate 52428800 bytes.",
        "train",
    ),
    ("loader-died", "RuntimeError: DataLoader worker (pid(s) 4711, 4712) exited unexpectedly", "train"),
    ("loader-died", "RuntimeError: DataLoader worker (pid 4711) is killed by signal: Segmentation fault. ", "train"),
    (
        "port-in-use",
        "RuntimeError: The server socket has failed to listen on any local network address. The server socket has "
        "failed to bind to [::]:29500 (errno: 98 - Address already in use).",
        "train",
    ),
    ("port-in-use", "OSError: [Errno 98] Address already in use", "train"),
    (
        "hub-access",
        "huggingface_hub.errors.RepositoryNotFoundError: 401 Client Error. (Request ID: Root=1-abc)\n\n"
        "Repository Not Found for url: https://huggingface.co/api/models/owner/none.",
        "train",
    ),
    (
        "hub-access",
        "huggingface_hub.errors.GatedRepoError: 403 Client Error. (Request ID: Root=1-abc)\n\n"
        "Cannot access gated repo for url https://huggingface.co/black-forest-labs/FLUX.1-dev/resolve/main/ae.sft.",
        "train",
    ),
    (
        "hub-access",
        "OSError: owner/none is not a local folder and is not a valid model identifier listed on "
        "'https://huggingface.co/models'",
        "train",
    ),
    (
        "hub-offline",
        "OSError: We couldn't connect to 'https://huggingface.co' to load the files, and couldn't find them in the "
        "cached files.",
        "train",
    ),
    (
        "hub-offline",
        "huggingface_hub.errors.OfflineModeIsEnabled: Cannot reach https://huggingface.co/api/models/owner/name: "
        "offline mode is enabled. To disable it, please unset the `HF_HUB_OFFLINE` environment variable.",
        "train",
    ),
    (
        "hub-tokenizer",
        "OSError: Can't load tokenizer for 'openai/clip-vit-large-patch14'. If you were trying to load it from "
        "'https://huggingface.co/models', make sure you don't have a local directory with the same name.",
        "_load_tokenizer",
    ),
    (
        "hub-not-reached",
        "huggingface_hub.errors.LocalEntryNotFoundError: An error happened while trying to locate the file on the Hub "
        "and we cannot find the requested files in the local cache. Please check your connection and try again.",
        "train",
    ),
    ("hub-not-reached", "httpx.ConnectError: [Errno -3] Temporary failure in name resolution", "train"),
    ("hub-not-reached", "requests.exceptions.ReadTimeout: (ReadTimeoutError(\"HTTPSConnectionPool(host='h'", "train"),
    ("triton", "ModuleNotFoundError: No module named 'triton'", "train"),
    ("triton", "ModuleNotFoundError: No module named 'triton.ops'", "train"),
    ("triton", "torch._inductor.exc.TritonMissing: Cannot find a working triton installation. Either", "train"),
    (
        "triton",
        "torch._dynamo.exc.BackendCompilerFailed: backend='inductor' raised:\n"
        "RuntimeError: Cannot find a working triton installation. More information",
        "train",
    ),
    ("xformers-missing", "ImportError: No xformers / xformersがインストールされていないようです", "train"),
    ("xformers-missing", "ModuleNotFoundError: No module named 'xformers'", "train"),
    ("optimizer-missing", "ImportError: No lion_pytorch / lion_pytorch がインストールされていないようです", "train"),
    ("optimizer-missing", "ImportError: No bitsandbytes / bitsandbytesがインストールされていないようです", "train"),
    ("optimizer-missing", "ModuleNotFoundError: No module named 'prodigyplus'", "train"),
    ("lycoris-missing", "ModuleNotFoundError: No module named 'lycoris'", "train"),
    (
        "lycoris-torch",
        "ValueError: infer_schema(func): Parameter shape has unsupported type list[int]. The valid types "
        "are: dict_keys([<class 'torch.Tensor'>, <class 'int'>]). Got func with signature (shape: list[int])",
        "train",
    ),
    ("module-missing", "ModuleNotFoundError: No module named 'voluptuous'", "<module>"),
    (
        "binary-mismatch",
        "ImportError: /env/lib/python3.10/site-packages/flash_attn_2_cuda.cpython-310-x86_64-linux-gnu.so: undefined "
        "symbol: _ZN3c104cuda9SetDeviceEi",
        "<module>",
    ),
    (
        "binary-mismatch",
        "OSError: libcudart.so.11.0: cannot open shared object file: No such file or directory",
        "<module>",
    ),
    (
        "binary-mismatch",
        "ValueError: numpy.dtype size changed, may indicate binary incompatibility. Expected 96 from C header, got 88 "
        "from PyObject",
        "<module>",
    ),
    ("binary-mismatch", "RuntimeError: operator torchvision::nms does not exist", "<module>"),
    (
        "compiler",
        "torch._inductor.exc.InvalidCxxCompiler: No working C++ compiler found in torch._inductor.config.cpp.cxx: "
        "(None, 'g++')",
        "train",
    ),
    ("package-version", "AttributeError: module 'numpy' has no attribute 'bool8'", "<module>"),
    ("latents-nan", "RuntimeError: NaN detected in latents: /data/fox/1.png", "cache_batch_latents"),
    (
        "text-encoder-nan",
        "RuntimeError: NaN detected in text encoder outputs: /data/fox/1.png",
        "cache_batch_text_encoder_outputs",
    ),
    ("loss-nan", "ValueError: Loss is NaN, stopping training", "train"),
    ("duplicated-lora-name", "AssertionError: duplicated lora name: lora_unet_conv_in", "__init__"),
    (
        "wrong-base-model",
        "RuntimeError: Error(s) in loading state_dict for UNet2DConditionModel:\n\tMissing key(s) in state_dict: "
        '"down_blocks.0.attentions.0.norm.weight". ',
        "load_models_from_stable_diffusion_checkpoint",
    ),
    (
        "wrong-base-model",
        "NotImplementedError: Cannot copy out of meta tensor; no data! Please use torch.nn.Module.to_empty() instead",
        "load_target_model",
    ),
    (
        "parts-do-not-fit",
        "RuntimeError: Given groups=1, weight of size [320, 4, 3, 3], expected input[1, 16, 64, 64] to have 4 "
        "channels, but got 16 channels instead",
        "train",
    ),
    ("precisions-mixed", "RuntimeError: expected scalar type Half but found Float", "train"),
    ("cache-damaged", "ValueError: latents_64x64 not found in /data/fox/1_0064x0064_sd.npz", "load_latents"),
    ("cache-damaged", "KeyError: 'latents is not a file in the archive'", "load_latents"),
    (
        "picture-unreadable",
        "PIL.UnidentifiedImageError: Caught UnidentifiedImageError in DataLoader worker process 0.\n"
        "Original Traceback (most recent call last):\n"
        '  File "/env/lib/python3.10/site-packages/torch/utils/data/_utils/worker.py", line 349, in _worker_loop\n'
        "    data = fetcher.fetch(index)\n"
        "PIL.UnidentifiedImageError: cannot identify image file '/data/fox/1.png'\n",
        "reraise",
    ),
    ("picture-unreadable", "OSError: broken data stream when reading image file", "load_image"),
    ("picture-unreadable", "SyntaxError: broken PNG file (chunk b'IDAT')", "load_image"),
    ("model-file-damaged", "EOFError: Ran out of input", "load_state"),
    (
        "cache-and-augmentation",
        "AssertionError: when caching latents, either color_aug or random_crop cannot be used / latentをキャッシュ",
        "train",
    ),
    ("file-missing", "FileNotFoundError: [Errno 2] No such file or directory: '/data/fox/1.txt'", "train"),
    ("interrupted", "KeyboardInterrupt", "train"),
)


def log_of(exception: str, function: str = "train", *, before: str = "", ending: str = EXIT_1) -> str:
    """A log that ends with an exception and with what accelerate says of it."""
    return before + OWN.format(exception=exception.rstrip("\n"), function=function) + ACCELERATE.format(ending=ending)


def real_texts() -> Iterator[tuple[str, str]]:
    """The cause and the end of the log of each real failure, with what accelerate says of it."""
    for file in sorted(FOLDER.glob("*.txt")):
        text = file.read_text(encoding="utf-8")
        whole = "accelerate/commands/" in text or "No data found" in text
        yield file.name.split("--")[0], text if whole else text + ACCELERATE.format(ending=EXIT_1)
