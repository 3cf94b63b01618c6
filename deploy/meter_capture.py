"""Meters a capture with the two services: a collector and a probe on a DPDK device over the file.

usage: meter_capture.py BUILD CAPTURE GROUP ARCHIVE

BUILD is the folder with the programs. What a probe cannot read, `curlew run` does, said aloud.
"""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

from show_dataset import show_dataset

# Long enough for a machine that does other work besides.
PATIENCE_SECONDS = 60
UNPACKERS = {b"\x1f\x8b": ["gzip", "-dc"], b"\x28\xb5\x2f\xfd": ["zstd", "-dcq"]}

COLLECTOR_TOML = """\
listen = [{endpoint}]
[archive]
folder = {archive}
scenario = {scenario}
default_group = {group}
fields = "full"
compress = false
rotate = {{ minutes = 0, octets = "64 GiB" }}
keep = {{ min_free = 0 }}
"""

PROBE_TOML = """\
name = {name}
[[port]]
device = {device}
[collector]
endpoint = {endpoint}
drain_seconds = 60
"""


def fail(sentence):
    sys.exit(f"quickstart: {sentence}")


def plain_name(text, otherwise):
    """What may name a probe and a scenario."""
    return re.sub("[^a-z0-9]+", "-", text.lower()).strip("-")[:32].strip("-") or otherwise


def write_toml(path, template, **values):
    # A JSON string is a TOML string.
    path.write_text(template.format(**{key: json.dumps(str(value), ensure_ascii=False)
                                       for key, value in values.items()}), encoding="utf-8")


def unpack(command, capture, place):
    """What is packed may end early, and then as much as there is; the disk has to take it all."""
    print(f"run: {command[0]} unpacks the capture", flush=True)
    try:
        with place.open("wb") as out, subprocess.Popen([*command, "--", capture],
                                                       stdout=subprocess.PIPE) as packer:
            shutil.copyfileobj(packer.stdout, out)
    except FileNotFoundError as error:
        fail(f"{error.filename} is not there.")
    except OSError as error:
        fail(f"the unpacked capture cannot be written to {place.parent}: {error.strerror}.")


def plain_capture(capture, folder, roomy):
    """A name without characters that mean something to DPDK, of the unpacked capture."""
    place = folder / "capture"
    with capture.open("rb") as file:
        head = file.read(4)
    for magic, command in UNPACKERS.items():
        if head.startswith(magic):
            unpack(command, capture, roomy / "unpacked")
            capture = roomy / "unpacked"
            break
    place.symlink_to(capture)
    return place


class Service:
    """A service whose words go to the terminal and are kept."""

    def __init__(self, build, name, config, *options):
        self.name = name
        self.log = config.with_suffix(".log")
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [build / name, "--config", config, *options],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.shown = 0

    def show(self):
        """Prints what it has said since the last time, whole lines only."""
        text = self.log.read_text(encoding="utf-8", errors="replace")
        end = text.rfind("\n") + 1
        print(text[self.shown:end], end="", flush=True)
        self.shown = max(self.shown, end)
        return text

    def is_ready(self):
        """Waits until it is; false when it ended instead."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            ended = self.process.poll() is not None
            if f"{self.name}: ready" in self.show():
                return True
            if ended:
                return False
            if time.monotonic() > deadline:
                fail(f"{self.name} is not ready after {PATIENCE_SECONDS} s.")
            time.sleep(0.02)

    def wait(self):
        while self.process.poll() is None:
            self.show()
            time.sleep(0.05)
        self.show()
        return self.process.returncode

    def end(self):
        if self.process.poll() is None:
            self.process.terminate()
        return self.wait()


def manifests(archive):
    return set(archive.rglob("*.manifest.json"))


def show_ledger(manifest):
    ledger = manifest["probe"]
    not_metered = sum(ledger["packets_not_metered"].values())
    lost = sum(ledger["packets_lost"].values())
    print(f"ledger: {ledger['packets_offered']} packets: {ledger['packets_metered']} metered, "
          f"{not_metered} not metered, {lost} lost; {ledger['records_created']} records")


def by_services(build, capture, group, archive, folder, roomy):
    """The new datasets; nothing when the probe does not take the capture."""
    endpoint = f"ipc://{folder}/collector.ipc"
    write_toml(folder / "collector.toml", COLLECTOR_TOML, endpoint=endpoint, archive=archive,
               scenario=plain_name(capture.parent.name, "capture"), group=group)
    write_toml(folder / "probe.toml", PROBE_TOML, endpoint=endpoint,
               name=plain_name(capture.name.split(".")[0], "capture"),
               device=f"net_pcap0,rx_pcap={plain_capture(capture, folder, roomy)}")
    before = manifests(archive)
    collector = Service(build, "curlew-collector", folder / "collector.toml")
    probe = None
    try:
        if not collector.is_ready():
            fail("the collector did not start; the line above says why.")
        probe = Service(build, "curlew-probe", folder / "probe.toml", "--stop-when-idle", "1")
        if not probe.is_ready():
            return []
        if probe.wait() != 0:
            fail("the probe failed; the line above says why.")
        if collector.end() != 0:
            fail("the collector failed; the line above says why.")
    finally:
        for service in (probe, collector):
            if service is not None and service.process.poll() is None:
                service.process.kill()
                service.process.wait()
    new = sorted(manifests(archive) - before)
    if not new:
        fail("the collector sealed no dataset.")
    show_ledger(json.loads(new[-1].read_text(encoding="utf-8")))
    return [manifest.with_name(manifest.name.replace(".manifest.json", ".json"))
            for manifest in new]


def by_run(build, capture, group, archive):
    """As by_services(), in one process."""
    done = subprocess.run(
        [build / "cli" / "curlew", "run", capture, "--group", group, "--archive", archive,
         "--json"],
        stdout=subprocess.PIPE, check=False)
    if done.returncode != 0:
        sys.exit(done.returncode)
    result = json.loads(done.stdout)
    result = result[0] if isinstance(result, list) else result
    files = [pathlib.Path(name) for name in result["files"]]
    return [path for path in files if not path.name.endswith((".manifest.json", ".devices.json"))]


def main():
    if len(sys.argv) != 5:
        print(__doc__, file=sys.stderr)
        return 2
    build, capture, archive = (pathlib.Path(sys.argv[i]).absolute() for i in (1, 2, 4))
    group = sys.argv[3]
    # A socket's path has 107 octets at most. What is unpacked may be larger than /tmp has room for.
    beside = next(folder for folder in archive.parents if folder.is_dir())
    places = (beside, archive, pathlib.Path("/tmp"))
    roomy_place = next(place for place in places if os.access(place, os.W_OK))
    with tempfile.TemporaryDirectory(prefix="curlew-", dir="/tmp") as name, \
            tempfile.TemporaryDirectory(prefix=".curlew-", dir=roomy_place) as roomy:
        datasets = by_services(build, capture, group, archive, pathlib.Path(name),
                               pathlib.Path(roomy))
    if not datasets:
        print("run: a probe does not take this capture; `curlew run` does the same in one process",
              flush=True)
        datasets = by_run(build, capture, group, archive)
    for dataset in datasets:
        show_dataset(dataset)
    return 0


if __name__ == "__main__":
    sys.exit(main())
