#!/usr/bin/env python3
"""`curlew annotate` gives the published labels back and changes no other octet.

usage: annotate_published.py CURLEW

The published lines without their label go in; the same octets with the label as last member have
to come out.
"""

import json
import pathlib
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from results import Results, shared_or_skip  # noqa: E402

# The published files have the label somewhere in the middle, or last.
MEMBER = re.compile(rb'(, )?"flow_type": ("(?:[^"\\]|\\.)*")(, )?')


def without_label(line):
    match = MEMBER.search(line)
    before, after = match.group(1) or b"", match.group(3) or b""
    joint = b", " if before and after else b""
    return line[: match.start()] + joint + line[match.end() :], match.group(2)


def check_file(results, curlew, golden, group, folder):
    lines = golden.read_bytes().splitlines(keepends=True)
    stripped = [without_label(line) for line in lines]
    source = folder / "in" / golden.name
    source.parent.mkdir(exist_ok=True)
    source.write_bytes(b"".join(line for line, _ in stripped))
    out = folder / "out"
    command = [curlew, "annotate", "--group", group, source, "--out", out]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if not results.check(f"annotate {golden.name}", done.returncode == 0, done.stderr):
        return 0, 0
    result = (out / golden.name).read_bytes().splitlines(keepends=True)
    results.check(f"{golden.name}: lines", len(result) == len(stripped))
    equal = 0
    for (line, label), ours in zip(stripped, result):
        end = line.rstrip().removesuffix(b"}")
        wanted = end + b', "flow_type": ' + label + b"}" + line[len(end) + 1 :]
        equal += ours == wanted and json.loads(ours)["flow_type"] == json.loads(label)
    results.check(f"{golden.name}: octets", equal == len(lines), f"{equal} of {len(lines)}")
    (out / golden.name).unlink()
    return len(lines), equal


def main():
    curlew = sys.argv[1]
    results = Results()
    golden = shared_or_skip(results, "annotate", "datasets", "golden")
    if golden is None:
        results.exit()
    flows = equal = 0
    with tempfile.TemporaryDirectory() as folder:
        for file in sorted(golden.glob("*/*/*.json")):
            group = file.relative_to(golden).parts[0]
            counts = check_file(results, curlew, file, group, pathlib.Path(folder))
            flows += counts[0]
            equal += counts[1]
    print(f"{equal} of {flows} published lines given back octet for octet")
    results.exit()


if __name__ == "__main__":
    main()
