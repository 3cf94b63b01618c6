"""Which of the shared captures a test looks at, and their records as `curlew run` writes them."""

import csv
import functools
import hashlib
import json
import os
import pathlib
import re
import subprocess

from results import SHARED

LINK_TYPES = {"ether", "rawip", "rawip4", "rawip6", "null", "linux-sll", "linux-sll2", "ppp"}
WIRELESS = {"ieee-802-11-radiotap", "ieee-802-11"}


def all_wanted(arguments):
    return "--all" in arguments or os.environ.get("CURLEW_ALL_CAPTURES") == "1"


def in_sample(text, one_in):
    """Chosen by a hash, so that a sample is the same everywhere."""
    return int(hashlib.sha256(text.encode()).hexdigest()[:8], 16) % one_in == 0


def of_datasets(one_in=1):
    """Captures and rebuilt captures of the datasets, or every `one_in`-th of the cut ones."""
    found = sorted(SHARED.glob("datasets/captures/**/*.pcap*"))
    found += sorted(SHARED.glob("datasets/replayed/**/*.pcap*"))
    return [path for path in found if one_in == 1 or
            ".full." not in path.name and in_sample(path.name, one_in)]


def of_public(one_in=1, wireless=False):
    """Public captures of the link types that are metered, each content once, or every
    `one_in`-th."""
    table = SHARED / "captures-public" / "MANIFEST.tsv"
    if not table.exists():
        return []
    with open(table, encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines, delimiter="\t"))
    wanted = LINK_TYPES | (WIRELESS if wireless else set())
    distinct = {row["sha256"]: row["file"] for row in rows if row["link"] in wanted}
    return [table.parent / path for digest, path in sorted(distinct.items())
            if in_sample(digest, one_in)]


@functools.cache
def with_protocol(name):
    """Public captures that hold a protocol by tshark's or nDPI's word, as in their table."""
    with open(SHARED / "captures-public" / "MANIFEST.tsv", encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines, delimiter="\t"))
    return {row["file"] for row in rows
            if name in re.split(r"[,. ]", f"{row['ndpi_protocols']},{row['tshark_protocols']}"
                                .lower())}


def short_name(path):
    return str(path.relative_to(SHARED)) if path.is_relative_to(SHARED) else path.name


class Run:
    """One `curlew run` over captures of which no two give their dataset the same name.

    `datasets` has the path of each capture's, `refused` the sentence for each that has none.
    """

    def __init__(self, curlew, captures, archive, *options):
        done = subprocess.run([curlew, "run", *captures, "--archive", archive, "--json", *options],
                              capture_output=True, text=True, check=False)
        if not done.stdout:
            raise RuntimeError(f"curlew run: {done.returncode}: {done.stderr.strip()[-300:]}")
        self.summary = json.loads(done.stdout)
        told = self.summary["failures"]
        self.refused = {capture: sentence for capture in captures for sentence in told
                        if sentence.startswith(f"{capture}: ")}
        sealed = [capture for capture in captures if capture not in self.refused]
        files = [pathlib.Path(file) for file in self.summary["files"]]
        if len(sealed) != len(files) or (done.returncode == 0) != (not told):
            raise RuntimeError(f"{len(sealed)} captures, {len(files)} datasets, exit code "
                               f"{done.returncode}: {done.stderr.strip()[-300:]}")
        self.datasets = dict(zip(sealed, files))


def run_all(curlew, captures, archive, *options):
    """({capture: dataset}, {capture: the sentence that refuses it}). A start of the program takes
    longer than most captures, so there are as few as the names of datasets allow."""
    rounds = []
    for capture in captures:
        name = capture.parent.name, capture.name.partition(".")[0]
        free = next((one for one in rounds if name not in one), None)
        if free is None:
            free = {}
            rounds.append(free)
        free[name] = capture
    datasets, refused = {}, {}
    for number, named in enumerate(rounds):
        run = Run(curlew, list(named.values()), archive / str(number), *options)
        datasets.update(run.datasets)
        refused.update(run.refused)
    return datasets, refused


def records_in(dataset):
    with open(dataset, encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def ledger_of(dataset):
    """What the manifest says of the capture's packets."""
    manifest = dataset.with_name(f"{dataset.name.removesuffix('.json')}.manifest.json")
    return json.loads(manifest.read_text(encoding="utf-8"))["probe"]
