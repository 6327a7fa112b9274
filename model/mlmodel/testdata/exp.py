# SPDX-License-Identifier: Apache-2.0
"""Reads float64 from standard input, and writes e to the power of each; the loader's
file is the first argument."""

import importlib.util
import sys

import numpy as np

spec = importlib.util.spec_from_file_location("flyball_model", sys.argv[1])
flyball_model = importlib.util.module_from_spec(spec)
spec.loader.exec_module(flyball_model)

x = np.frombuffer(sys.stdin.buffer.read(), dtype="<f8")
sys.stdout.buffer.write(flyball_model.exp(x).astype("<f8").tobytes())
