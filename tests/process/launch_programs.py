"""The programs that launching.py starts: what stands in for the trainer, and kl's launch."""

from __future__ import annotations

BAR = "steps:  {percent}%|#####     | {step}/{total} [00:01<00:01,  1.50s/it, avr_loss=0.25]"
# What the text of a trainer starts with.
HEADER = """
import os, signal, subprocess, sys, time
from pathlib import Path
OUT, NAME, SIGNS = Path({directory!r}), {name!r}, Path({signs!r})
def bar(step, total):
    text = {bar!r}.format(percent=100 * step // total, step=step, total=total)
    sys.stderr.write("\\r" + text)
    sys.stderr.flush()
def sign(name):
    (SIGNS / (name + ".partial")).write_text(str(os.getpid()))
    (SIGNS / (name + ".partial")).rename(SIGNS / name)
def gate(name):
    sign(name)
    while not (SIGNS.parent / ("go-" + name)).exists():
        time.sleep(0.01)
def save(name, stop_halfway=lambda: None):
    text = b'{{"a":{{"dtype":"U8","shape":[4],"data_offsets":[0,4]}}}}'
    with (OUT / name).open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text + b"ab")
        file.flush()
        stop_halfway()
        file.write(b"cd")
def start_worker(apart):
    worker = "import os, pathlib, signal, sys, time\\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\\n"
    worker += "pathlib.Path(sys.argv[1] + '.partial').write_text(str(os.getpid()))\\n"
    worker += "os.rename(sys.argv[1] + '.partial', sys.argv[1])\\ntime.sleep(1000)"
    subprocess.Popen([sys.executable, "-c", worker, str(SIGNS / "worker")], start_new_session=apart)
    while not (SIGNS / "worker").exists():
        time.sleep(0.02)
"""

# Launches a pickled plan as the command line does, and says what came of it.
LAUNCH = """
import json, pathlib, pickle, sys, time
from launcher.base.errors import KlError
from launcher.run import supervise
from launcher.run.launch import launch
from launcher.run.screen import PlainScreen
patience = float(sys.argv[2])
if sys.stdin.isatty():  # as a login shell does: this terminal's hangup is ours
    import fcntl, termios
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
for name in ("WHEN_ASKED", "WHEN_LEFT_BEHIND"):
    stages = getattr(supervise, name)
    setattr(supervise, name, tuple(supervise.Stage(stage.signal, patience) for stage in stages))
if sys.argv[3]:
    import launcher.record.archive, launcher.run.launch
    home = pathlib.Path(sys.argv[1]).parent
    def gated(function):
        def wait(*arguments, **more):
            (home / "signs" / "kl.partial").write_text("0")
            (home / "signs" / "kl.partial").rename(home / "signs" / "kl")
            while not (home / "go-kl").exists():
                time.sleep(0.01)
            return function(*arguments, **more)
        return wait
    place, name = launcher.run.launch, "take" if sys.argv[3] == "before" else sys.argv[3]
    if sys.argv[3] == "archive":  # in its middle: the files are there, their manifest is not
        place, name = launcher.record.archive, "first_manifest"
    if "." in sys.argv[3]:
        import importlib
        module, _, name = sys.argv[3].rpartition(".")
        place = importlib.import_module(module)
    setattr(place, name, gated(getattr(place, name)))
try:
    if sys.argv[4]:
        from launcher.cli.launch import launch_detached
        sys.exit(launch_detached(pickle.load(open(sys.argv[1], "rb"))))
    result = launch(pickle.load(open(sys.argv[1], "rb")), PlainScreen())
except KlError as error:
    print(json.dumps({"error": error.message}), flush=True)
    sys.exit(int(error.code))
print(json.dumps({
    "outcome": result.outcome.value, "directory": result.directory and str(result.directory),
    "exception": result.failure.exception if result.failure else None,
    "removed_to": result.removed_to and str(result.removed_to),
    "artifacts": [artifact.path.name for artifact in result.artifacts],
}), flush=True)
sys.exit(result.exit_code)
"""
