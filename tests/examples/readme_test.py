"""The document and the plan that README.md shows are an example's, and what gpuhost prints for it.

usage: readme_test.py GPUHOST SOURCE
"""

import re
import subprocess
import sys
from pathlib import Path


def main(binary, source):
    shown = re.search(r"^```\n\$ gpuhost (plan .*)\n(.*?)^```$", (source / "README.md").read_text(),
                      re.MULTILINE | re.DOTALL)
    if not shown:
        return "README.md shows no plan"
    printed = subprocess.run([binary, *shown.group(1).split()], cwd=source, capture_output=True, text=True, timeout=60)
    if printed.stdout != shown.group(2):
        return f"README.md shows another plan than this:\n{printed.stdout}{printed.stderr}"
    return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2])))
