#!/usr/bin/env python3
"""What is wrong outside is told in one sentence, with the right exit code, and leaves nothing that
looks whole.

usage: bad_input.py CURLEW
"""

import gzip
import json
import os
import pathlib
import random
import shlex
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from ledgers import unclosed  # noqa: E402
from results import ROOT, Results  # noqa: E402

SEED = 20181
DAMAGED_CAPTURES = 60


class Case:
    """A folder of its own, with the program and a good capture."""

    def __init__(self, results, curlew, folder):
        self.results = results
        self.curlew = curlew
        self.folder = folder
        self.capture = folder / "good.pcap"
        done = self.run("traffic", "gateway-boot", "-o", self.capture)
        results.check("curlew traffic", done.returncode == 0, done.stderr)

    def run(self, *arguments):
        command = [self.curlew, *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)

    def left_in(self, archive):
        return [path for path in archive.rglob("*") if path.is_file()]

    def refused(self, claim, code, words, *arguments):
        """Exit code, one line that holds the words, and no file in the archive."""
        archive = self.folder / "refused"
        done = self.run(*arguments, *(("--archive", archive) if "run" in arguments else ()))
        lines = done.stderr.splitlines()
        results = self.results
        results.check(f"{claim}: exit code", done.returncode == code, f"{done.returncode}")
        results.check(f"{claim}: one line", len(lines) == 1, done.stderr)
        told = all(word in done.stderr for word in words)
        results.check(f"{claim}: names thing and cause", told, done.stderr)
        results.check(f"{claim}: leaves nothing", not self.left_in(archive))
        shutil.rmtree(archive, ignore_errors=True)


def check_captures(case):
    folder = case.folder
    good = case.capture.read_bytes()
    files = {
        "empty.pcap": b"",
        "text.pcap": b"this is no capture\n" * 10,
        "usb.pcap": good[:20] + (189).to_bytes(4, "little") + good[24:],
        "torn.gz": gzip.compress(good)[:9],
    }
    for name, octets in files.items():
        (folder / name).write_bytes(octets)
    case.refused("missing capture", 1, ["missing.pcap", "No such"], "run", folder / "missing.pcap")
    case.refused("empty capture", 1, ["empty.pcap", "empty"], "run", folder / "empty.pcap")
    case.refused("foreign file", 1, ["text.pcap", "not a capture"], "run", folder / "text.pcap")
    usb = folder / "usb.pcap"
    case.refused("link type", 1, ["usb.pcap", "not supported"], "run", usb)
    case.refused("torn gzip", 1, ["torn.gz"], "run", folder / "torn.gz")
    case.refused("folder as capture", 1, [str(folder)], "run", folder)
    os.mkfifo(folder / "fifo")
    case.refused("fifo as capture", 1, ["fifo", "regular"], "run", folder / "fifo")


def check_command_line(case):
    good = case.capture
    case.refused("unknown group", 2, ["nobody"], "run", good, "--group", "nobody")
    case.refused("group with a path", 2, ["../x"], "run", good, "--group", "../x")
    case.refused("bad filter", 2, ["udp prot"], "run", good, "--filter", "udp prot 53")
    case.refused("bad selection", 2, ["--select"], "run", good, "--select", "host")
    case.refused("unknown role", 2, ["nurse"], "run", good, "--set", "nurse=10.0.0.1")
    case.refused("role set twice", 2, ["--set camera=10.0.0.2"], "run", good, "--group", "ipcam",
                 "--set", "camera=10.0.0.1", "--set", "camera=10.0.0.2")
    case.refused("scenario", 2, ["../x"], "run", good, "--scenario", "../x")
    case.refused("traffic", 2, ["nothing"], "traffic", "nothing", "-o", good)
    case.refused("preset", 2, ["joy-4"], "run", good, "--preset", "joy-4")
    for claim, arguments in {
        "no command": [],
        "unknown command": ["fly"],
        "unknown option": ["run", good, "--archive", "a", "--fast"],
        "no archive": ["run", good],
        "hexadecimal": ["run", good, "--archive", "a", "--packets", "0x10"],
        "range": ["run", good, "--archive", "a", "--packets", "0513"],
        "workers": ["run", good, "--archive", "a", "--workers", "0"],
        "fields": ["run", good, "--archive", "a", "--fields", "none"],
        "seconds that are no number": ["bench", "--seconds", "nan"],
        "capture without a name": ["bench", "--capture", ""],
        "seed": ["traffic", "gateway-boot", "-o", "a", "--seed", "-1"],
        "seed of 65 bits": ["traffic", "gateway-boot", "-o", "a", "--seed", str(1 << 64)],
        "frames of nothing": ["bench", "--frame-octets", "0"],
    }.items():
        done = case.run(*arguments)
        case.results.check(f"{claim}: exit code", done.returncode == 2, done.stderr)
        case.results.check(f"{claim}: nothing on stdout", done.stdout == "", done.stdout)
        one_line = len(done.stderr.splitlines()) == 1 and done.stderr.startswith("curlew: ")
        case.results.check(f"{claim}: one line", one_line, done.stderr)
    done = case.run("run", "--fast", "--archive", "a")
    told = done.stderr == "curlew: run has no option '--fast' (see curlew --help)\n"
    case.results.check("an option that is none is named before what is wanted", told, done.stderr)


def check_output(case):
    with open("/dev/full", "w", encoding="utf-8") as full:
        command = [case.curlew, "run", case.capture, "--archive", case.folder / "full", "--json"]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    case.results.check("lost output: exit code", done.returncode == 1, f"{done.returncode}")
    # What was done is done, though nobody could be told.
    archive = case.folder / "untold"
    records = archive / "any" / case.folder.name / "good.json"
    for command, key in (
        (["run", case.capture, "--archive", archive], "records_written"),
        (["compare", records, records], "records_equal"),
    ):
        for how, redirection in (("lost", "2>/dev/full"), ("closed", "2>&-")):
            line = " ".join([shlex.quote(str(word)) for word in [case.curlew, *command, "--json"]])
            done = subprocess.run(["sh", "-c", f"{line} {redirection}"], stdout=subprocess.PIPE,
                                  text=True, check=False)
            claim = f"{command[0]}, stderr {how}"
            case.results.check(f"{claim}: exit code", done.returncode == 0, f"{done.returncode}")
            case.results.check(f"{claim}: JSON", json.loads(done.stdout)[key] > 0, done.stdout)


def check_decimals(case):
    """What begins with 0 is no octal."""
    archive = case.folder / "decimals"
    done = case.run("run", case.capture, "--archive", archive, "--packets", "010")
    case.results.check("zeros in front: exit code", done.returncode == 0, done.stderr)
    manifest = json.loads(next(archive.rglob("*.manifest.json")).read_text())
    packets = manifest["configuration"]["packets"]
    case.results.check("zeros in front: decimal", packets == "10", packets)


def check_archive(case):
    file = case.folder / "file"
    file.write_text("in the way")
    done = case.run("run", case.capture, "--archive", file / "archive")
    case.results.check("archive below a file: exit code", done.returncode == 1, done.stderr)
    case.results.check("archive below a file: told", str(file) in done.stderr, done.stderr)
    case.refused("verify nothing", 1, ["nowhere"], "verify", case.folder / "nowhere")


def check_bound_on_files(case):
    """RLIMIT_FSIZE: as a full disk, and no end by a signal that nobody sees."""
    archive = case.folder / "bounded"
    done = subprocess.run(["prlimit", "--fsize=4096:4096", case.curlew, "run", case.capture,
                           "--archive", archive], capture_output=True, text=True, check=False)
    case.results.check("files too large: exit code", done.returncode == 1, f"{done.returncode}")
    case.results.check("files too large: told", "File too large" in done.stderr, done.stderr)
    case.results.check("files too large: leaves nothing", not case.left_in(archive))


def check_signature_files(case):
    signatures = case.folder / "signatures"
    shutil.copytree(ROOT / "signatures", signatures)
    (signatures / "broken.toml").write_text('[[signature]\nid = "x"\n')
    options = ("--signatures", signatures, "run", case.capture)
    case.refused("TOML error", 2, ["broken.toml:1"], *options)
    (signatures / "broken.toml").unlink()
    (signatures / "groups" / "any.toml").write_text("name = \n")
    case.refused("group error", 2, ["any.toml:1"], *options)
    options = ("--signatures", case.folder / "none", "run", case.capture)
    case.refused("no signatures", 2, ["none"], *options)


def packets_in(summary):
    apart = sum(summary["packets_not_metered"].values()) + sum(summary["packets_lost"].values())
    return summary["packets_offered"] == summary["packets_metered"] + apart


def check_truncated_capture(case):
    good = case.capture.read_bytes()
    cut = case.folder / "cut.pcap"
    cut.write_bytes(good[: len(good) // 2 + 3])
    archive = case.folder / "cut-archive"
    done = case.run("run", cut, "--archive", archive, "--json")
    results = case.results
    results.check("cut capture: exit code", done.returncode == 0, done.stderr)
    results.check("cut capture: warning", "warning: " in done.stderr, done.stderr)
    summary = json.loads(done.stdout)
    results.check("cut capture: what could be read", summary["packets_metered"] > 10)
    results.check("cut capture: ledger", packets_in(summary), done.stdout)
    (manifest,) = archive.rglob("*.manifest.json")
    results.check("cut capture: manifest says so", "ends in the middle" in manifest.read_text())


def write_damaged_captures(case):
    """Random flips and cuts."""
    randomness = random.Random(SEED)
    good = case.capture.read_bytes()
    captures = []
    for number in range(DAMAGED_CAPTURES):
        octets = bytearray(good)
        for _ in range(randomness.randrange(1, 200)):
            octets[randomness.randrange(24, len(octets))] = randomness.randrange(256)
        if number % 3 == 0:
            del octets[randomness.randrange(len(octets)) :]
        captures.append(case.folder / f"damaged-{number}.pcap")
        captures[-1].write_bytes(octets)
    return captures


def check_damaged_captures(case):
    """Each a dataset whose ledger closes, or one sentence. All of them in one run, for to start
    the program takes longer than such a capture."""
    captures = write_damaged_captures(case)
    archive = case.folder / "damaged"
    results = case.results
    done = case.run("run", *captures, "--archive", archive, "--json")
    refusals = [line for line in done.stderr.splitlines() if line.startswith("curlew: ")]
    results.check("damaged captures: exit code", done.returncode == (1 if refusals else 0),
                  f"{done.returncode}: {done.stderr[-1000:]}")
    manifests = {}
    for path in archive.rglob("*.manifest.json"):
        manifest = json.loads(path.read_text(encoding="utf-8"))
        manifests[manifest["capture"]["file"]] = manifest
    for capture in captures:
        claim = f"{capture.name} of seed {SEED}"
        told = [line for line in refusals if line.startswith(f"curlew: {capture}: ")]
        sealed = capture.name in manifests
        results.check(f"{claim}: sealed or refused in one sentence", sealed != (len(told) == 1),
                      f"sealed {sealed}, told {told}")
        if sealed:
            wrong = unclosed(manifests[capture.name])
            results.check(f"{claim}: ledger", not wrong, ", ".join(wrong))
    results.check("damaged captures: nothing else is told",
                  len(refusals) + len(manifests) == len(captures), done.stderr[-1000:])
    done = case.run("verify", archive)
    results.check("datasets of damaged captures verify", done.returncode == 0, done.stderr)


def main():
    results = Results()
    with tempfile.TemporaryDirectory() as folder:
        case = Case(results, pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(folder))
        check_captures(case)
        check_command_line(case)
        check_decimals(case)
        check_archive(case)
        check_bound_on_files(case)
        check_output(case)
        check_signature_files(case)
        check_truncated_capture(case)
        check_damaged_captures(case)
    results.exit()


if __name__ == "__main__":
    main()
