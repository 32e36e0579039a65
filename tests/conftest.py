"""What all tests start from."""

from __future__ import annotations

import os
import signal
import tempfile

# What tests read of made-up checkouts does not belong into the user's own cache, nor their runs into his state.
_OWN = tempfile.TemporaryDirectory(prefix="kl-tests-")
os.environ["XDG_CACHE_HOME"] = f"{_OWN.name}/cache"
os.environ["XDG_STATE_HOME"] = f"{_OWN.name}/state"

# Started in the background of a script, or under nohup, we ignore these signals, and so would every process that a
# test starts: kl then rightly leaves them without effect, and the tests that send them would wait for ever.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
