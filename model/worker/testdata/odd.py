# SPDX-License-Identifier: Apache-2.0
"""A model that doubles x, and does odd things for negative ones."""

import os
import signal
import subprocess
import sys
import time

if os.path.exists("exit_at_import"):
    print("there is nothing to import")
    os._exit(3)


def _load_pyfunc(path):
    return Model()


class Model:
    calls = 0

    def predict(self, rows, params=None):
        Model.calls += 1
        x = list(rows["x"] if hasattr(rows, "keys") else rows[:, 0])
        if params:
            return [{"x": float(v), "params": params} for v in x]
        for v in x:
            odd = ODD.get(v)
            if odd is not None:
                odd(len(x))
        if -7 in x:
            return [0.0] * (len(x) + 1)
        if -12 in x:
            return [os.environ.get("A_SECRET", "none")]
        return [float(2 * v) for v in x]


def bad(n):
    raise ValueError("minus one is bad")


def hang(n):
    print("it hangs")
    time.sleep(1000)


def garbage(n):
    os.write(3, b"garbage" * 100)


def grow(n):
    held = []
    while True:
        held.append(bytearray(10_000_000))


def talk(n):
    line = b"x" * (1 << 20)
    for _ in range(2048):  # two gigabytes
        sys.stdout.buffer.write(line)


def header(n):  # of an answer that claims to be very long
    os.write(3, (0xF101).to_bytes(2, "little") + (6).to_bytes(2, "little") + bytes(20) + (1 << 62).to_bytes(8, "little"))


def child(n):
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"])


ODD = {
    -1: bad,
    -2: lambda n: os._exit(4),
    -3: hang,
    -4: grow,
    -5: talk,
    -6: garbage,
    -8: lambda n: os.kill(os.getpid(), signal.SIGKILL),
    -9: child,
    -10: header,
    -11: lambda n: sys.exit(5),
    -13: lambda n: time.sleep(0.05),
}
