"""Which of the shared captures a test looks at, and their records as `curlew run` writes them."""

import csv
import functools
import hashlib
import json
import os
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


def records_of(curlew, capture, archive, *options):
    """(records, "") of one capture, or (None, the sentence that refuses it)."""
    folder = archive / hashlib.sha256(str(capture).encode()).hexdigest()[:16]
    done = subprocess.run([curlew, "run", capture, "--archive", folder, "--json", *options],
                          capture_output=True, text=True, check=False)
    if done.returncode != 0:
        return None, done.stderr.strip()[-300:]
    with open(json.loads(done.stdout)["files"][0], encoding="utf-8") as lines:
        return [json.loads(line) for line in lines], ""
