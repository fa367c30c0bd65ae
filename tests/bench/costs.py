"""Run a command and write down what it cost: ``python costs.py FILE COMMAND ...``.

It is small on purpose: the greatest memory of a child counts from what its parent had when it was made.
"""

import json
import os
import sys
import time

began = time.perf_counter()
child = os.posix_spawnp(sys.argv[2], sys.argv[2:], os.environ)
_, status, used = os.wait4(child, 0)
wall = time.perf_counter() - began
code = os.waitstatus_to_exitcode(status)
with open(sys.argv[1], "w") as file:  # noqa: PTH123
    json.dump(
        {"wall": wall, "cpu": used.ru_utime + used.ru_stime, "rss": used.ru_maxrss / 1024, "code": code}, file
    )
