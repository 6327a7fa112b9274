# SPDX-License-Identifier: Apache-2.0
# Says on one line of JSON what this interpreter is, and what is installed for it.
import json
import platform
import re
import sys
from importlib import metadata

if sys.path and sys.path[0] == "":
    del sys.path[0]  # the folder that this runs in is no place of packages
found = {}
for d in metadata.distributions():
    name, version = d.metadata["Name"], d.version
    if not name or not version:
        continue
    name = re.sub(r"[-_.]+", "-", name).lower()
    if name not in found:  # the first on the path is the one that is imported
        found[name] = {"name": name, "version": version}
        if d.read_text("direct_url.json") is not None:
            found[name]["local"] = True
json.dump(
    {
        "path": sys.executable,
        "version": platform.python_version(),
        "implementation": platform.python_implementation(),
        "platform": sys.platform + "-" + platform.machine(),
        "libc": " ".join(platform.libc_ver()).strip(),
        "packages": [found[k] for k in sorted(found)],
    },
    sys.stdout,
)
