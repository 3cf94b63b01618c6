#!/usr/bin/env python3
"""Protocols as nDPI's published results have them, where they were found in the bytes.

usage: ndpi_protocols.py CURLEW [CAPTURE-NAME...]

Of each flow with `Confidence: DPI` the master protocol is compared with `label.protocol` of our
records between the same two endpoints. Of all flows 98 % must agree, and 90 % of each protocol with
20 flows or more. Disagreements are explained in signatures/README.md.
"""

import collections
import json
import pathlib
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from results import SHARED, Results, shared_or_skip  # noqa: E402

OVER_ALL = 0.98
OF_EACH = 0.90
MANY_FLOWS = 20

# nDPI's word where ours is another one than the same in lower case with hyphens.
OUR_WORDS = {
    "service-location-protocol": {"slp"},
    "ethereum": {"devp2p"},
    "imaps": {"tls", "imap"},
    "pops": {"tls", "pop3"},
    "smtps": {"tls", "smtp"},
    "ftps": {"tls", "ftp"},
    "smbv1": {"smb"},
    "smbv23": {"smb"},
    "ftp-control": {"ftp"},
    "usenet": {"nntp"},
    "ptpv2": {"ptp"},
    "whois-das": {"whois"},
    "neteasegames": {"netease-games"},
    # Every ONC RPC, the port mapper among it, is NFS to nDPI.
    "nfs": {"nfs", "onc-rpc", "rpcbind"},
    "ethernetip": {"ethernet-ip"},
}

FLOW = re.compile(r"^\t\d+\t(\S+)(?: \[vlan[^]]*\])? (\S+) (?:<->|->) (\S+) "
                  r".*?\[proto: (?:[\w-]+:)?[0-9.]+/([^\]]+)\].*?\[Confidence: ([^\]]+)\]")
NUMBERS = {"TCP": 6, "UDP": 17, "ICMP": 1, "ICMPV6": 58, "IGMP": 2, "SCTP": 132, "GRE": 47,
           "ESP": 50, "AH": 51, "OSPF": 89, "VRRP": 112}


def words_for(master):
    word = master.lower().replace("_", "-").replace(" ", "-")
    return OUR_WORDS.get(word, {word})


def address_words(address):
    """nDPI writes `::` for every group of zeros, so groups of zeros do not count."""
    return tuple(word for word in address.strip("[]").lower().split(":") if word not in ("", "0"))


def endpoint(text):
    """`192.0.2.1:53` or `[2001:db8::1]:53`."""
    address, _, port = text.rpartition(":")
    return address_words(address), int(port)


def expected_flows(results_file):
    for line in results_file.read_text(encoding="utf-8", errors="replace").splitlines():
        found = FLOW.match(line)
        if found and found[5] == "DPI":
            ends = frozenset([endpoint(found[2]), endpoint(found[3])])
            yield (found[1], ends), found[4].split(".")[0], line


def our_protocols(dataset):
    """By protocol and endpoints: the protocols of the records' labels."""
    found = collections.defaultdict(set)
    with open(dataset, encoding="utf-8") as lines:
        for line in lines:
            record = json.loads(line)
            ports = (record["sp"], record["dp"]) if record["pr"] in (6, 17) else (0, 0)
            ends = frozenset([(address_words(record["sa"]), ports[0]),
                              (address_words(record["da"]), ports[1])])
            found[record["pr"], ends].add(record["label"]["protocol"])
    return found


def protocol_number(word):
    return NUMBERS[word] if word in NUMBERS else int(word) if word.isdigit() else -1


def run(curlew, captures, archive):
    """The dataset of each capture that could be read, by the capture's name."""
    command = [curlew, "run", *captures, "--group", "any", "--scenario", "ndpi",
               "--archive", archive, "--json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    files = {pathlib.Path(path).name: path for path in json.loads(done.stdout)["files"]}
    return {capture.name: files.get(f"{capture.name.rpartition('.')[0]}.json")
            for capture in captures}


def compare(curlew, captures, misses):
    agreed, flows = collections.Counter(), collections.Counter()
    with tempfile.TemporaryDirectory() as archive:
        for name, dataset in run(curlew, captures, archive).items():
            ours = our_protocols(dataset) if dataset else {}
            results_file = SHARED / "captures-public/ndpi-results" / f"{name}.out"
            for (transport, ends), master, line in expected_flows(results_file):
                flows[master] += 1
                got = ours.get((protocol_number(transport), ends), {"no record"})
                if got & words_for(master):
                    agreed[master] += 1
                else:
                    misses.append(f"{name}: {master}, ours {sorted(got)}: {line.strip()[:110]}")
    return agreed, flows


def main():
    curlew = pathlib.Path(sys.argv[1]).resolve()
    results = Results()
    folder = shared_or_skip(results, "protocols as nDPI has them", "captures-public", "ndpi")
    if folder is None:
        results.exit()
    named = set(sys.argv[2:])
    captures = [path for path in sorted(folder.iterdir()) if not named or path.name in named]
    misses = []
    agreed, flows = compare(curlew, captures, misses)

    print(f"{'nDPI says':28} {'agreed':>7} {'flows':>7}")
    for master, count in flows.most_common():
        if agreed[master] < count or count >= MANY_FLOWS:
            print(f"{master:28} {agreed[master]:7} {count:7}")
    total = sum(flows.values())
    print(f"{'over all':28} {sum(agreed.values()):7} {total:7}")
    for miss in misses:
        print(f"  {miss}")
    if not named:
        results.check("over all", total > 0 and sum(agreed.values()) >= OVER_ALL * total,
                      f"{100 * sum(agreed.values()) / max(total, 1):.2f} %")
        for master, count in flows.items():
            if count >= MANY_FLOWS:
                results.check(master, agreed[master] >= OF_EACH * count,
                              f"{agreed[master]} of {count}")
    results.exit()


if __name__ == "__main__":
    main()
