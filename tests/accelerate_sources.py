"""What stands in for `accelerate launch`, as the text of its module."""

from __future__ import annotations

# Does what accelerate's simple_launcher does: another process, waited for, its failure raised.
ONE_PROCESS = """
import subprocess, sys
words = sys.argv[1:]
while words and words[0].startswith("--"):
    words.pop(0)
command = [sys.executable, *words]
process = subprocess.Popen(command)
process.wait()
if process.returncode != 0:
    raise subprocess.CalledProcessError(returncode=process.returncode, cmd=command)
"""
