"""Causes outside the training: memory and disk of the machine, files, ports, the hub, and who ended the trainer.

The texts are those of Python, torch (c10/core/impl/alloc_cpu.cpp, caffe2/serialize/inline_container.cc), safetensors,
numpy, accelerate (utils/launch.py), huggingface_hub, transformers and diffusers.
"""

from __future__ import annotations

import signal

from launcher.run.cause import Cause, Step, all_of, error, given, more_than, not_given

_OS = "OSError|IOError|BlockingIOError|PermissionError"
_NO_TOKENIZER = error("OSError|EnvironmentError", "Can't load (?:the )?tokenizer for ")
_RUST = r"Error while (?:serializing|deserializing header): (?:I/O error|IoError)[^\n]*"
_WORKERS = Step(
    "Lower max_data_loader_n_workers, which is {max_data_loader_n_workers}: each is a process with memory of its own.",
    more_than("max_data_loader_n_workers", 0),
)
_WORKERS_OPEN = Step(
    "Set max_data_loader_n_workers to 1 or 0: each is a process with memory of its own, and there are 8 otherwise.",
    not_given("max_data_loader_n_workers"),
)
_in_memory = all_of(given("cache_latents"), not_given("cache_latents_to_disk"))
_LESS_MEMORY = (
    _WORKERS,
    _WORKERS_OPEN,
    Step("Set cache_latents_to_disk: cached latents then leave the memory.", _in_memory),
    Step("Set lowram if the GPU has more room than the machine.", not_given("lowram")),
    Step("End other programs, or add swap space."),
)
_FREE = (
    Step("Make room: df -h shows how much each disk has; old checkpoints and states are the largest."),
    Step("Keep fewer states: set run.keep_last_saves, or leave out save_state.", given("save_state")),
    Step("Keep fewer checkpoints: set run.keep_last_saves.", not_given("save_state")),
)
_HUB = (
    Step("See whether this machine reaches the hub, through its proxy if there is one."),
    Step("Download it once where there is a connection, and name the folder or file instead of the hub's id."),
)
_NO_ID = Step(
    "If a folder or file of this machine was meant, it is not there: give its whole path, and not that of a link to it."
)
_TOKENIZER = (
    _HUB[0],
    Step("Set tokenizer_cache_dir, so that tokenizers are stored for the next time.", not_given("tokenizer_cache_dir")),
    Step("Or copy the hub's cache, ~/.cache/huggingface/hub, from a machine that has the tokenizer."),
)
_MAY_ASK = Step("HF_HUB_OFFLINE forbids asking the hub: leave it out of env.variables if it stands there.")

DISK_IS_FULL = Cause(
    "disk-full",
    "The disk that the trainer wrote to was full.",
    _FREE,
    (
        error(_OS, r"\[Errno 28\]"),
        error("SafetensorError", _RUST + r"(?:code: 28\b|os error 28\b|StorageFull)"),
        error("RuntimeError", r"\[enforce fail at inline_container\.cc:\d+\] \. PytorchStreamWriter failed writing"),
        error("RuntimeError", r"\[enforce fail at inline_container\.cc:\d+\] \. unexpected pos \d+ vs \d+"),
    ),
)

MACHINE: tuple[Cause, ...] = (
    Cause(
        "shared-memory",
        "The memory that the loader's processes share was full; in a container it is small (/dev/shm).",
        (
            Step("Set max_data_loader_n_workers to 0."),
            Step("Start the container with --ipc=host, or a larger --shm-size."),
        ),
        (
            error("RuntimeError", r"DataLoader worker \(pid[^\n]*is killed by signal: Bus error"),
            error(
                "RuntimeError", r"unable to (?:open|write to|resize|mmap)[^\n]*(?:shared memory|/torch_\d+)[^\n]*\(28\)"
            ),
        ),
        signals=(signal.SIGBUS,),
    ),
    DISK_IS_FULL,
    Cause(
        "disk-quota",
        "The account may not write more to this disk: its quota is used up.",
        (Step("Make room, or set an output root on another disk."), Step("See the quota with quota -s.")),
        (error(_OS, r"\[Errno 122\]"), error("SafetensorError", _RUST + r"(?:code: 122\b|os error 122\b)")),
    ),
    Cause(
        "file-too-large",
        "A file became larger than the disk's format or a limit allows.",
        (
            Step("Set an output root on a disk that takes large files: FAT32 ends at 4 GiB."),
            Step("See the limit with ulimit -f."),
        ),
        (error(_OS, r"\[Errno 27\]"), error("SafetensorError", _RUST + r"(?:code: 27\b|os error 27\b)")),
    ),
    Cause(
        "disk-fault",
        "A disk could not be read or written.",
        (
            Step("Look for messages of the disk with dmesg."),
            Step("On a network disk, see whether its server is there."),
        ),
        (
            error(_OS, r"\[Errno (?:5|107|116)\]"),
            error("SafetensorError", _RUST + r"(?:code: 5\b|os error 5\b)"),
        ),
    ),
    Cause(
        "not-allowed",
        "The trainer may not read or write a file.",
        (
            Step("See who owns the file that the exception names, and whether its disk is mounted read-only."),
            Step("Caches stand beside the pictures: cache_latents_to_disk needs a dataset folder that can be written."),
        ),
        (
            error(_OS, r"\[(?:Errno (?:13|30|1)|WinError 5)\]"),
            error("SafetensorError", _RUST + r"(?:code: (?:13|30)\b|os error (?:13|30)\b)"),
            error("RuntimeError", r"File [^\n]{0,1000} cannot be opened\."),
        ),
    ),
    Cause(
        "open-files",
        "The trainer had more files open than it may.",
        (_WORKERS, _WORKERS_OPEN, Step("Raise the limit before kl is started: ulimit -n 65536.")),
        (
            error(_OS, r"\[Errno 2[34]\]"),
            error("RuntimeError", r"unable to open shared memory object[^\n]*Too many open files"),
            error("RuntimeError", r"received \d+ items of ancdata"),
        ),
    ),
    Cause(
        "machine-memory",
        "The memory of the machine was full, not that of the GPU.",
        _LESS_MEMORY,
        (
            error(
                "RuntimeError", r"\[enforce fail at alloc_cpu\.cpp:\d+\][^\n]*DefaultCPUAllocator: (?:can't|not enough)"
            ),
            error("RuntimeError", r"DataLoader worker \(pid[^\n]*is killed by signal: Killed"),
            r"MemoryError(?::|$)",
            error("MemoryError|_ArrayMemoryError", "Unable to allocate"),
            error(_OS, r"\[Errno 12\]"),
            error(_OS, r"[^\n]{0,300}\((?:os error|WinError) 1455\)|\[WinError 1455\]"),
            error("SafetensorError", _RUST + r"(?:code: 12\b|os error 12\b)"),
        ),
    ),
    Cause(
        "loader-died",
        "A process that loads pictures ended without a word: often the memory of the machine was full.",
        (
            Step("Set max_data_loader_n_workers to 0: the exception then says what is wrong."),
            Step("Look for 'Out of memory' with dmesg."),
        ),
        (error("RuntimeError", r"DataLoader worker \(pid(?:\(s\))? [\d, ]+\) (?:exited unexpectedly|is killed by)"),),
    ),
    Cause(
        "killed",
        "Something ended the trainer by force: where nobody did, it was the kernel, because the machine's memory (not "
        "the GPU's) was full.",
        (
            Step("Look for 'Out of memory' with dmesg or journalctl -k, and in a container at its memory limit."),
            *_LESS_MEMORY,
        ),
        signals=(signal.SIGKILL,),
    ),
    Cause(
        "ended-from-outside",
        "Something else than kl ended the trainer: a shutdown, a batch system with a time limit, or a person.",
        (Step("See when the machine or the batch system ended it, and go on from the last state if one was saved."),),
        signals=(signal.SIGTERM, signal.SIGHUP),
    ),
    Cause(
        "interrupted",
        "The trainer was interrupted, and not by kl.",
        (Step("Use kl stop, or Ctrl-C where kl runs: the run then counts as stopped, not as failed."),),
        (r"KeyboardInterrupt(?::|$)",),
        signals=(signal.SIGINT,),
    ),
    Cause(
        "crashed",
        "Compiled code in the training environment crashed.",
        (
            Step("See whether torch, torchvision, xformers and bitsandbytes belong together, and update the driver."),
            Step("Set PYTHONFAULTHANDLER=1 in env.variables and start again: the log then names the place."),
            Step("If it happens at another place each time, test the machine's memory."),
        ),
        signals=(signal.SIGSEGV, signal.SIGABRT, signal.SIGILL, signal.SIGFPE),
    ),
    Cause(
        "port-in-use",
        "The port over which the processes of this training talk is used by another program, often another training.",
        (
            Step("Set main_process_port in [accelerate] to another number; 0 takes a free one."),
            Step("See with ss -ltnp which program has it; it may be left over from a training that died."),
        ),
        (
            error("ConnectionError", r"Tried to launch distributed communication on port `(?P<port>\d+)`"),
            error(
                "DistNetworkError|RuntimeError", r"The server socket has failed to listen on any local network address"
            ),
            error(_OS, r"\[Errno (?:98|48|10048)\]"),
        ),
    ),
    Cause(
        "hub-access",
        "The hub did not give a model: it does not exist under this name, or one has to agree to its terms first.",
        (
            Step("See on the hub whether the name is right, and agree to the terms of the model there."),
            Step("Put a token that may read it into the environment as HF_TOKEN."),
        ),
        (
            error("GatedRepoError|RepositoryNotFoundError|RevisionNotFoundError|EntryNotFoundError", ""),
            error("HfHubHTTPError|HTTPError", "40[134] Client Error"),
            error(_OS, "You are trying to access a gated repo"),
            error(_OS, r"[^\n]{0,300} is not a local folder and is not a valid model identifier"),
        ),
    ),
    Cause(
        "hub-offline",
        "Something that is not on this machine was to come from the hub, which could not be asked.",
        (_NO_ID, _MAY_ASK, *_HUB),
        (
            error("OfflineModeIsEnabled", ""),
            error("LocalEntryNotFoundError", r"[^\n]*outgoing traffic has been disabled"),
            error(_OS, r"Cannot load model [^\n]* model is not cached locally"),
            error(_OS, r"We couldn't connect to '[^\n]*to load (?:this|the) "),
            error(_OS, r"Can't load (?:the )?(?:config\w*|model|image processor|feature extractor) "),
        ),
    ),
    Cause(
        "hub-tokenizer",
        "A tokenizer could not be loaded: it is not stored on this machine, and the hub could not be asked.",
        (_MAY_ASK, *_TOKENIZER),
        (error("TypeError", "expected str, bytes or os.PathLike object, not NoneType"), _NO_TOKENIZER),
        frames=r"\btokenization_\w+\.py|\bin _?load_tokenizer\b",
    ),
    Cause(
        "hub-not-reached",
        "The hub, or another server that the trainer asked, could not be reached.",
        _HUB,
        (
            error(
                "ConnectionError|ConnectTimeout|ReadTimeout|ProxyError|SSLError", r"\(?(?:Max|Proxy|Read|HTTPSConn|\()"
            ),
            error("ConnectionError|MaxRetryError|NameResolutionError", ""),
            error("ConnectError|ConnectTimeout|ReadTimeout", ""),
            error("LocalEntryNotFoundError", ""),
            error("gaierror", ""),
        ),
    ),
)
