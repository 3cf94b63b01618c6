#!/usr/bin/env python3
"""JA3, JA3S and JA4 of TLS against tshark's, against JA4 made anew of tshark's fields, and nDPI's.

usage: fingerprints.py CURLEW [--all]

For each TCP stream the first hello of either side counts. JA4 is computed here a second time, from
what tshark dissects; nDPI's own results (captures-public/ndpi-results) are the third opinion, with
the letters left out in which nDPI departs from JA4: those for the first protocol of ALPN, of which
nDPI takes the first two, and that for a server name, which nDPI also sets by what the name is.
"""

import collections
import hashlib
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import captures  # noqa: E402
from results import SHARED, Results  # noqa: E402

SHARE = 0.995
SAMPLE = 12  # one in so many
FIELDS = ["tcp.stream", "ip.src", "ipv6.src", "tcp.srcport", "ip.dst", "ipv6.dst", "tcp.dstport",
          "tls.handshake.type", "tls.handshake.version", "tls.handshake.ciphersuite",
          "tls.handshake.extension.type", "tls.handshake.sig_hash_alg",
          "tls.handshake.sig_hash_alg_len", "tls.handshake.extensions.supported_version",
          "tls.handshake.extensions_alpn_str", "tls.handshake.ja3", "tls.handshake.ja3s"]
CLIENT_HELLO, SERVER_HELLO = "1", "2"
SSL3 = 0x0300
# Extensions that hold a list of signature algorithms, which tshark gives one name.
SIGNATURE_ALGORITHMS, OTHERS_WITH_ALGORITHMS = 13, (34, 50)
VERSIONS = {0x304: "13", 0x303: "12", 0x302: "11", 0x301: "10", 0x300: "s3", 0x2: "s2"}
NDPI = re.compile(r"\bTCP (\S+):(\d+) (?:<->|->) (\S+):(\d+) ")


def rows(capture):
    command = ["tshark", "-n", "-r", capture, "-Y",
               "tcp && (tls.handshake.type == 1 || tls.handshake.type == 2)", "-T", "fields",
               "-E", "separator=/t"]
    for field in FIELDS:
        command += ["-e", field]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode not in (0, 2):
        raise RuntimeError(done.stderr[-300:])
    for line in done.stdout.splitlines():
        values = (line.split("\t") + [""] * len(FIELDS))[:len(FIELDS)]
        yield {field: value.split(",") if value else [] for field, value in zip(FIELDS, values)}


def is_grease(number):
    return number & 0x0f0f == 0x0a0a and number >> 8 == number & 0xff


def digest(text):
    return hashlib.sha256(text.encode()).hexdigest()[:12] if text else "0" * 12


def algorithms_of(row, extensions):
    """Those of the extension signature_algorithms alone; None when they cannot be told apart."""
    holders = [one for one in extensions if one in (SIGNATURE_ALGORITHMS, *OTHERS_WITH_ALGORITHMS)]
    lengths = [int(one, 0) // 2 for one in row["tls.handshake.sig_hash_alg_len"]]
    listed = [int(one, 0) for one in row["tls.handshake.sig_hash_alg"]]
    if len(holders) != len(lengths) or sum(lengths) != len(listed):
        return None
    at = 0
    for holder, length in zip(holders, lengths):
        if holder == SIGNATURE_ALGORITHMS:
            return listed[at:at + length]
        at += length
    return []


def protocol_letters(names):
    if not names or not names[0]:
        return "00"
    first, last = names[0][0], names[0][-1]
    if first.isalnum() and last.isalnum():
        return first + last
    octets = names[0].encode().hex()
    return octets[0] + octets[-1]


def ja4_of(row):
    """None when tshark's row does not tell all of it."""
    suites = [int(one, 0) for one in row["tls.handshake.ciphersuite"]]
    extensions = [int(one, 0) for one in row["tls.handshake.extension.type"]]
    algorithms = algorithms_of(row, extensions)
    if algorithms is None:
        return None
    suites = [one for one in suites if not is_grease(one)]
    extensions = [one for one in extensions if not is_grease(one)]
    offered = [int(one, 0) for one in row["tls.handshake.extensions.supported_version"]]
    offered = [one for one in offered if not is_grease(one)]
    version = max(offered) if offered else int(row["tls.handshake.version"][0], 0)
    hashed = ",".join(f"{one:04x}" for one in sorted(extensions) if one not in (0, 16))
    if algorithms:
        hashed += "_" + ",".join(f"{one:04x}" for one in algorithms)
    return "".join([
        "t", VERSIONS.get(version, "00"), "d" if 0 in extensions else "i",
        f"{min(len(suites), 99):02}{min(len(extensions), 99):02}",
        protocol_letters(row["tls.handshake.extensions_alpn_str"]),
        "_", digest(",".join(sorted(f"{one:04x}" for one in suites))),
        "_", digest(hashed if extensions else "")])


def ends_of(row):
    source = (row["ip.src"] or row["ipv6.src"])[-1], int(row["tcp.srcport"][-1])
    destination = (row["ip.dst"] or row["ipv6.dst"])[-1], int(row["tcp.dstport"][-1])
    return frozenset((source, destination))


def from_tshark(capture):
    """{ends: {name: fingerprint}} of the first stream between two ends."""
    found = collections.defaultdict(dict)
    streams = {}
    for row in rows(capture):
        ends = ends_of(row)
        if streams.setdefault(ends, row["tcp.stream"]) != row["tcp.stream"]:
            continue
        kinds = row["tls.handshake.type"]
        # The first octet of an encrypted message may be a hello's: such a hello has no fields, or
        # no version that there is.
        version = int(row["tls.handshake.version"][0], 0) if row["tls.handshake.version"] else 0
        if version < SSL3:
            continue
        if kinds[0] == CLIENT_HELLO and row["tls.handshake.ja3"]:
            found[ends].setdefault("ja3", "".join(row["tls.handshake.ja3"][:1]))
            if kinds.count(CLIENT_HELLO) == 1 and SERVER_HELLO not in kinds:
                found[ends].setdefault("ja4", ja4_of(row))
        elif kinds[0] == SERVER_HELLO and row["tls.handshake.ja3s"]:
            found[ends].setdefault("ja3s", row["tls.handshake.ja3s"][0])
    return found


def from_ndpi(capture):
    """{ends: {name: fingerprint}} of nDPI's published result for the capture."""
    result = SHARED / "captures-public" / "ndpi-results" / f"{capture.name}.out"
    found = {}
    if capture.parent.name != "ndpi" or not result.exists():
        return found
    for line in result.read_text(encoding="utf-8", errors="replace").splitlines():
        flow = NDPI.search(line)
        names = dict(re.findall(r"\[(JA3C|JA4): ([^\]]+)\]", line))
        if flow and names:
            ends = frozenset(((flow[1].strip("[]"), int(flow[2])),
                              (flow[3].strip("[]"), int(flow[4]))))
            found[ends] = {"ja3": names.get("JA3C"), "ja4": names.get("JA4")}
    return found


def as_ndpi(fingerprint):
    """What nDPI and JA4 agree on; a JA3 stays whole."""
    if "_" not in fingerprint:
        return fingerprint
    return fingerprint[:3] + fingerprint[4:8] + fingerprint[10:]


def from_records(records):
    found = {}
    for record in sorted(records, key=lambda one: (one["time_start_ns"], one["record"])):
        if "tls" in record:
            ends = frozenset(((record["sa"], record["sp"]), (record["da"], record["dp"])))
            known = found.setdefault(ends, {})
            for name in ("ja3", "ja3s", "ja4"):
                if name in record["tls"]:
                    known.setdefault(name, record["tls"][name])
    return found


class Tally:
    def __init__(self):
        self.equal = collections.Counter()
        self.missing = collections.Counter()
        self.differ = collections.Counter()

    def hold(self, capture, judge, theirs, ours, form=lambda text: text):
        for ends, names in theirs.items():
            for name, want in names.items():
                if not want:
                    continue
                have = ours.get(ends, {}).get(name)
                verdict = self.missing if have is None else \
                    self.equal if form(have) == form(want) else self.differ
                verdict[judge, name] += 1
                if verdict is not self.equal:
                    flow = " - ".join(f"{address}:{port}" for address, port in sorted(ends))
                    print(f"{captures.short_name(capture)}: {flow}: {name} {have}, "
                          f"{judge} has {want}")


def main():
    curlew = pathlib.Path(sys.argv[1]).resolve()
    results = Results()
    one_in = 1 if captures.all_wanted(sys.argv[2:]) else SAMPLE
    chosen = [path for path in captures.of_public(one_in) if has_tls(path)]
    if shutil.which("tshark") is None or not chosen:
        results.skip("fingerprints", "tshark or the public captures are not there")
        results.exit()
    tally = Tally()
    with tempfile.TemporaryDirectory() as folder:
        datasets, _ = captures.run_all(curlew, chosen, pathlib.Path(folder))
        for capture, dataset in datasets.items():
            ours = from_records(captures.records_in(dataset))
            tally.hold(capture, "tshark", from_tshark(capture), ours)
            tally.hold(capture, "nDPI", from_ndpi(capture), ours, as_ndpi)
    for judge, name in sorted(tally.equal.keys() | tally.missing.keys() | tally.differ.keys()):
        equal, missing, differ = (part[judge, name] for part in
                                  (tally.equal, tally.missing, tally.differ))
        print(f"{name} against {judge}: {equal} equal, {differ} differ, {missing} missing")
        results.check(f"{name} against {judge}: none differs", differ == 0, f"{differ}")
        results.check(f"{name} against {judge}: found",
                      equal + differ >= SHARE * (equal + differ + missing), f"{missing} missing")
    results.check("fingerprints to hold against", sum(tally.equal.values()) > 0)
    results.exit()


def has_tls(path):
    """Whether the table of the captures names TLS; files of tcpdump's are not named there."""
    return str(path.relative_to(SHARED / "captures-public")) in captures.with_protocol("tls")


if __name__ == "__main__":
    main()
