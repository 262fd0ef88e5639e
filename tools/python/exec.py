"""Becomes a runner: reads its argument vector and environment from a file and executes it.

Keeps arguments, values and secrets out of the supervisor's own formats, which would split or expand them.
"""

import json
import os
import sys

with open(sys.argv[1], encoding="utf-8") as file:
    spec = json.load(file)
os.chdir(spec["directory"])
# The process keeps its id through execve. Whoever finds the runner without its supervisor needs it.
with open("pid", "w", encoding="ascii") as file:
    file.write(str(os.getpid()))
os.execve(spec["argv"][0], spec["argv"], spec["environment"])
