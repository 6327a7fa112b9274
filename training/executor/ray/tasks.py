# SPDX-License-Identifier: Apache-2.0
"""Runs a command as so many tasks of Ray, each with FLYBALL_TASK from 0, once.

usage: python tasks.py TASKS CPUS GPUS MEMORY NAMES COMMAND...
NAMES are the variables that go with the tasks, between commas. It ends with the first
exit code that is not 0; 1 where Ray lost a task.
"""

import os
import subprocess
import sys

import ray

count, cpus, gpus, memory = map(int, sys.argv[1:5])
own = {name: os.environ[name] for name in sys.argv[5].split(",") if name}
command = sys.argv[6:]


@ray.remote(num_cpus=cpus or 1, num_gpus=gpus, memory=memory or None, max_retries=0)
def run(number):
    done = subprocess.run(command, env={**os.environ, **own, "FLYBALL_TASK": str(number)}, check=False)
    return 128 - done.returncode if done.returncode < 0 else done.returncode


ray.init()
codes = []
for task in [run.remote(number) for number in range(count)]:
    try:
        codes.append(ray.get(task))
    except ray.exceptions.RayError as err:
        print(err, file=sys.stderr)
        codes.append(1)
sys.exit(next((code for code in codes if code), 0))
