#!/usr/bin/env python3
"""Content labels of the datasets' captures and of the first minutes of home devices.

usage: content_labels.py CURLEW [--all]

Of the datasets: a flow with payload has a label that rests on more than port, address or TTL;
flows of port 53 have protocol `dns`, QUIC among the Google services says so, and in normal-user
nothing is a device. Of the home devices, without any configuration: 95 % of the flows
have a protocol, and no device is another maker's. What is found is printed in tables.
"""

import collections
import json
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from captures import all_wanted, in_sample  # noqa: E402
from results import Results, shared_or_skip  # noqa: E402

GROUPS = ("ikea-app", "ikea-homekit", "ipcam", "normal-user", "voice-assistant")
WEAK = {"port", "address", "ttl", "none"}
# The folder of a home device: what its flows may be called.
DEVICES = {
    "Aria": {"fitbit-aria"},
    "D-LinkCam": {"d-link-camera"},
    "D-LinkDoorSensor": set(),
    "D-LinkHomeHub": {"d-link-home-hub"},
    "D-LinkSensor": {"d-link-sensor"},
    "EdimaxCam1": {"edimax-device", "edimax-camera"},
    "EdimaxPlug1101W": {"edimax-device"},
    "EdnetCam1": set(),
    "EdnetGateway": set(),
    "HomeMaticPlug": set(),
    "HueBridge": {"philips-hue-bridge"},
    "Lightify": {"osram-lightify-gateway"},
    "SmarterCoffee": set(),
    "TP-LinkPlugHS100": {"tp-link-smart-plug"},
    "WeMoSwitch": {"belkin-wemo"},
    "Withings": {"withings-scale"},
}


def records_of(curlew, captures, group, archive):
    """Folder of the capture, and record."""
    command = [curlew, "run", *captures, "--group", group, "--archive", archive, "--json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                          check=False)
    for path in json.loads(done.stdout)["files"]:
        with open(path, encoding="utf-8") as lines:
            for line in lines:
                yield pathlib.Path(path).parent.name, json.loads(line)


def has_payload(record):
    return record["bytes_out"] + record.get("bytes_in", 0) > 0


def check_group(results, curlew, captures, group):
    kinds = collections.Counter()
    weak, not_dns, not_quic, devices = [], [], [], collections.Counter()
    with tempfile.TemporaryDirectory() as archive:
        for _, record in records_of(curlew, captures, group, archive):
            label = record["label"]
            kind = label["evidence"][0]["kind"]
            kinds[kind if has_payload(record) else f"{kind} (no payload)"] += 1
            if label["device"]:
                devices[label["device"]] += 1
            ends = f"{record['sa']} {record['sp']} {record['da']} {record['dp']}"
            what = f"{record['flow_type']}, {label['type']} by {kind}: {ends}"
            port = 53 in (record["sp"], record["dp"])
            if has_payload(record) and kind in WEAK:
                weak.append(what)
            if port and has_payload(record) and label["protocol"] != "dns":
                not_dns.append(what)
            if (record["flow_type"] == "TLS (Google Services)" and record["pr"] == 17 and
                    has_payload(record) and label["protocol"] != "quic"):
                not_quic.append(what)
    print(f"{group}: {dict(kinds.most_common())}, devices {dict(devices)}", flush=True)
    results.check(f"{group}: labels rest on content", not weak, "; ".join(weak[:5]))
    results.check(f"{group}: DNS has protocol dns", not not_dns, "; ".join(not_dns[:5]))
    results.check(f"{group}: QUIC says so", not not_quic, "; ".join(not_quic[:5]))
    if group == "normal-user":
        results.check("normal-user: no device", not devices, str(devices))


def check_home_devices(results, curlew, folder):
    flows, named, wrong = 0, 0, []
    found = collections.defaultdict(collections.Counter)
    with tempfile.TemporaryDirectory() as archive:
        captures = sorted(path for path in folder.rglob("*") if path.is_file())
        for device, record in records_of(curlew, captures, "any", archive):
            label = record["label"]
            flows += 1
            named += 1 if label["protocol"] else 0
            found[device][label["device"] or "no device"] += 1
            if label["device"] and label["device"] not in DEVICES.get(device, set()):
                wrong.append(f"{device}: {label['device']}")
    for device, words in sorted(found.items()):
        print(f"  {device:20} {dict(words)}")
    print(f"  {named} of {flows} flows have a protocol", flush=True)
    results.check("95 % of home devices' flows have a protocol", named >= 0.95 * flows > 0,
                  f"{named} of {flows}")
    results.check("no flow gets another device", not wrong, "; ".join(sorted(set(wrong))[:5]))


def main():
    curlew = pathlib.Path(sys.argv[1]).resolve()
    results = Results()
    one_in = 1 if all_wanted(sys.argv[2:]) else 4
    datasets = shared_or_skip(results, "labels of the datasets", "datasets", "captures")
    if datasets is not None:
        for group in GROUPS:
            captures = [path for part in ("captures", "replayed")
                        for path in sorted((datasets.parent / part / group).rglob("*.pcap*"))
                        if ".full." not in path.name and in_sample(path.name, one_in)]
            if captures:
                check_group(results, curlew, captures, group)
    home = shared_or_skip(results, "labels of home devices", "captures-public", "iot-sentinel")
    if home is not None:
        check_home_devices(results, curlew, home)
    results.exit()


if __name__ == "__main__":
    main()
