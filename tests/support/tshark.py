"""Fields of packets as tshark has them, of many captures with one start of it.

A start of tshark takes longer than most captures. Joined captures share tshark's memory of
connections: what is asked for has to be told from a packet's own octets.
"""

import pathlib
import subprocess
import tempfile

# Nothing is put together again, neither within a capture nor of two.
BY_ITSELF = ("ip.defragment:FALSE", "ipv6.defragment:FALSE", "tcp.desegment_tcp_streams:FALSE",
             "tcp.analyze_sequence_numbers:FALSE")


def joined(captures, path):
    """How many frames of each capture the file at `path` has, one capture after the other; None
    where one cannot be read to its end, and so not be joined."""
    counted = subprocess.run(["capinfos", "-T", "-M", "-r", "-c", *captures],
                             capture_output=True, text=True, check=False)
    merged = subprocess.run(["mergecap", "-a", "-I", "none", "-w", path, *captures],
                            capture_output=True, check=False)
    if counted.returncode or merged.returncode:
        return None
    return [int(line.rpartition("\t")[2]) for line in counted.stdout.splitlines()]


def lines_of(capture, fields, options, preferences=BY_ITSELF):
    """Yields (number, values as texts) of each frame that is shown."""
    command = ["tshark", "-n", "-r", capture, "-T", "fields", "-E", "separator=/t", *options,
               "-e", "frame.number"]
    for preference in preferences:
        command += ["-o", preference]
    for field in fields:
        command += ["-e", field]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    # 2 is a capture that ends in the middle, which gives what could be read.
    if done.returncode not in (0, 2):
        raise RuntimeError(done.stderr[-300:])
    for line in done.stdout.split("\n"):
        if line:
            number, *values = (line.split("\t") + [""] * len(fields))[:len(fields) + 1]
            yield int(number), values


def rows_of(captures, fields, *options):
    """{capture: [[number, values as texts], ...]}, frames numbered as in their capture."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "joined.pcapng"
        counts = joined(captures, path)
        if counts is None:
            return {capture: list(lines_of(capture, fields, options)) for capture in captures}
        frames = [(capture, number) for capture, count in zip(captures, counts, strict=True)
                  for number in range(1, count + 1)]
        rows = {capture: [] for capture in captures}
        for at, values in lines_of(path, fields, options):
            capture, number = frames[at - 1]
            rows[capture].append((number, values))
        return rows
