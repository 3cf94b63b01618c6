#!/usr/bin/env python3
"""What goes wrong around the two services: each time one sentence that names it, capture goes on
where it can, and the ledger closes.

usage: trouble.py CURLEW PROBE COLLECTOR
"""

import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import services  # noqa: E402
from capture_maker import one_packet_flows  # noqa: E402
from results import Results  # noqa: E402

FLOWS = 200
# DPDK's environment has words of its own beside ours.
PREFIXES = ("curlew-probe: ", "curlew-collector: ", "EAL: ")


def words_of(text):
    """Lines that are neither a program's own sentence nor a place in a configuration."""
    return [line for line in text.splitlines()
            if line and not line.startswith(PREFIXES) and ".toml:" not in line]


class Trouble:
    def __init__(self, results, programs, folder):
        self.results = results
        self.curlew, self.probe_program, self.collector_program = programs
        self.folder = folder
        self.capture = folder / "flows.pcap"
        one_packet_flows(self.capture, FLOWS)
        self.count = 0

    def place(self):
        self.count += 1
        place = self.folder / str(self.count)
        place.mkdir()
        return place

    def probe(self, place, devices, inside=(), **more):
        name = more.get("name", "test-probe")
        config = services.probe_config(place, f"ipc://{place}/channel", devices, **more)
        return services.Service(f"{name}-{self.count}", [self.probe_program, "--config", config],
                                place, inside).start()

    def collector(self, place, inside=()):
        config = services.collector_config(place, f"ipc://{place}/channel", place / "archive")
        return services.Service("collector", [self.collector_program, "--config", config],
                                place, inside).start()

    def play(self, namespace, interface):
        services.inside(namespace, "tcpreplay", f"--intf1={interface}", "-q", services.LOW_RATE,
                        str(self.capture))

    def refused(self, claim, service, code, *words):
        """The service ends with the code, and says all the words in sentences of its own."""
        found = service.wait()
        text = service.text()
        self.results.check(f"{claim}: exit code {code}", found == code, f"{found}: {text}")
        for word in words:
            self.results.check(f"{claim}: says {word!r}", word in text, text)
        self.results.check(f"{claim}: no other words", not words_of(text), text)

    def ledger(self, place):
        services.wait_until("the final ledger",
                            lambda: services.final_ledgers(place / "archive"))
        return list(services.final_ledgers(place / "archive").values())

    def ends_with_all(self, claim, place, flows, collector, probes=1):
        ledgers = self.ledger(place)
        self.results.check(f"{claim}: the collector ends well", collector.end() == 0,
                           collector.text())
        count = sum(1 for _ in services.records(place / "archive"))
        created = sum(ledger["records_created"] for ledger in ledgers)
        lost = sum(sum(ledger["records_lost"].values()) for ledger in ledgers)
        # Flows of one packet each: what a busy machine's probe missed, its ledger counts.
        missed = sum(sum(ledger["packets_lost"].values()) for ledger in ledgers)
        self.results.check(f"{claim}: {flows} records but for packets missed, none lost",
                           (count, created + missed, lost, len(ledgers))
                           == (created, flows, 0, probes) and missed < flows / 2,
                           f"{count} written, {created} created, {lost} lost, {missed} packets "
                           f"missed, {len(ledgers)} ledgers")
        verified = subprocess.run([self.curlew, "verify", place / "archive"],
                                  capture_output=True, text=True, check=False)
        self.results.check(f"{claim}: verify", verified.returncode == 0, verified.stderr)


def wrong_start(trouble):
    """Nothing of this needs an interface."""
    for device, *words in (
        ("net_af_xdp0,iface=nosuch", "nosuch"),
        ("net_pcap0,iface=nosuch", "nosuch"),
        ("net_pcap0,rx_pcap=/nosuch.pcap", "/nosuch.pcap"),
        ("0000:ff:1f.0", "0000:ff:1f.0"),
        ("net_nosuch0", "net_nosuch0"),
    ):
        place = trouble.place()
        trouble.refused(device, trouble.probe(place, [device]), 1, *words)
    place = trouble.place()
    config = services.probe_config(place, f"ipc://{place}/c", ["net_pcap0,iface=lo"])
    config.write_text(config.read_text().replace("workers =", "worker ="))
    service = services.Service("probe", [trouble.probe_program, "--config", config], place).start()
    trouble.refused("unknown key", service, 2, f"{config}:", "worker", "workers")
    place = trouble.place()
    config = services.probe_config(place, f"ipc://{place}/c", ["net_pcap0,iface=lo"])
    service = services.Service("eal", [trouble.probe_program, "--config", config, "--",
                                       "--nosuch"], place).start()
    # DPDK has pages of words for it.
    code = service.wait()
    trouble.results.check("an EAL option that there is not: exit code 2, and a sentence",
                          code == 2 and "curlew-probe: DPDK cannot start: an EAL option is wrong"
                          in service.text(), f"{code}: {service.text()[-300:]}")
    place = trouble.place()
    config = services.collector_config(place, f"ipc://{place}/c", place / "archive")
    config.write_text(config.read_text().replace("scenario =", "scenari ="))
    service = services.Service("collector", [trouble.collector_program, "--config", config],
                               place).start()
    trouble.refused("unknown key of the collector", service, 2, f"{config}:", "scenario")


def wrong_signature(trouble):
    place = trouble.place()
    config = services.probe_config(place, f"ipc://{place}/c", ["net_pcap0,iface=lo"])
    folder = place / "signatures"
    folder.mkdir()
    (folder / "bad.toml").write_text("[[signature]]\nid = 'x'\npattern = '('\n")
    config.write_text(f"signatures = {services.toml_text(folder)}\n" + config.read_text())
    for options in ((), ("--check",)):
        service = services.Service(f"probe{len(options)}",
                                   [trouble.probe_program, "--config", config, *options],
                                   place).start()
        trouble.refused(f"bad signature {options}", service, 2, "bad.toml:")


def much_to_say(trouble):
    """A filter of many hosts, a capture far down: the collector takes what the probe says of it."""
    place = trouble.place()
    deep = place / ("d" * 200) / ("e" * 200) / ("f" * 200)
    deep.mkdir(parents=True)
    capture = deep / "flows.pcap"
    capture.symlink_to(trouble.capture)
    hosts = " or ".join(f"host 10.99.{i}.1" for i in range(100))
    long_filter = f"udp or {hosts}"
    collector = trouble.collector(place)
    config = services.probe_config(place, f"ipc://{place}/channel",
                                   [f"net_pcap0,rx_pcap={capture}"], filter=long_filter)
    probe = services.Service("much-to-say", [trouble.probe_program, "--config", config,
                                             "--stop-when-idle", "1"], place).start()
    trouble.results.check("much to say: the probe ends well", probe.wait() == 0, probe.text())
    trouble.ends_with_all("much to say", place, FLOWS, collector)
    manifests = services.manifests(place / "archive")
    trouble.results.check("much to say: the manifest has the filter whole",
                          manifests and manifests[0][1]["configuration"]["filter"] == long_filter,
                          manifests and manifests[0][1]["configuration"])


def cut_capture(trouble):
    """What stands before the cut is metered, and the manifest says that there was more."""
    place = trouble.place()
    capture = place / "cut.pcap"
    capture.write_bytes(trouble.capture.read_bytes()[:-5])
    collector = trouble.collector(place)
    config = services.probe_config(place, f"ipc://{place}/channel",
                                   [f"net_pcap0,rx_pcap={capture}"])
    probe = services.Service("cut-capture", [trouble.probe_program, "--config", config,
                                             "--stop-when-idle", "1"], place).start()
    trouble.results.check("cut capture: the probe ends well", probe.wait() == 0, probe.text())
    trouble.ends_with_all("cut capture", place, FLOWS - 1, collector)
    manifests = services.manifests(place / "archive")
    told = manifests and manifests[-1][1]["unclean_end"]
    trouble.results.check("cut capture: the manifest says so",
                          f"is cut after {FLOWS - 1} packets" in (told or ""), told)


def two_collectors(trouble):
    place = trouble.place()
    first = trouble.collector(place)
    try:
        first.wait_for_text("ready")
        config = services.collector_config(place, f"ipc://{place}/other", place / "archive")
        second = services.Service("second", [trouble.collector_program, "--config", config],
                                  place).start()
        trouble.refused("one archive, two collectors", second, 1, "another collector serves")
        config = services.collector_config(place, f"ipc://{place}/channel", place / "other")
        third = services.Service("third", [trouble.collector_program, "--config", config],
                                 place).start()
        trouble.refused("one endpoint, two collectors", third, 1, f"{place}/channel")
    finally:
        first.kill()


def collector_comes_late(trouble, namespaces):
    switch, tap = namespaces
    place = trouble.place()
    probe = trouble.probe(place, ["net_pcap0,iface=tap"], ("ip", "netns", "exec", tap))
    collector = None
    try:
        probe.wait_for_text("ready")
        trouble.play(switch, "mirror")
        probe.wait_for_text("waiting for the collector")
        collector = trouble.collector(place)
        probe.wait_for_text("takes records")
        trouble.results.check("late collector: the probe ends well", probe.end() == 0,
                              probe.text())
        trouble.ends_with_all("late collector", place, FLOWS, collector)
    finally:
        probe.kill()
        if collector is not None:
            collector.kill()


def two_probes_of_one_name(trouble, namespaces):
    switch, tap = namespaces
    place = trouble.place()
    collector = trouble.collector(place)
    inside = ("ip", "netns", "exec", tap)
    first = trouble.probe(place, ["net_pcap0,iface=tap"], inside)
    second = None
    try:
        first.wait_for_text("takes records")
        trouble.count += 1  # another log
        second = trouble.probe(place, ["net_pcap0,iface=tap2"], inside)
        second.wait_for_text("another probe named test-probe is connected")
        trouble.play(switch, "mirror")
        trouble.play(switch, "mirror2")
        trouble.results.check("two of one name: the first ends well", first.end() == 0,
                              first.text())
        second.wait_for_text("takes records")
        trouble.results.check("two of one name: the second ends well", second.end() == 0,
                              second.text())
        services.wait_until("two epochs",
                            lambda: len(services.final_ledgers(place / "archive")) == 2)
        trouble.ends_with_all("two of one name", place, 2 * FLOWS, collector, probes=2)
    finally:
        for probe in (first, second, collector):
            if probe is not None:
                probe.kill()


def interface_vanishes(trouble, driver):
    """One of two: the other goes on."""
    place = trouble.place()
    with services.Network("gone") as network:
        switch, tap = network.namespace("switch"), network.namespace("probe")
        network.pair(switch, "mirror", tap, "tap")
        network.pair(switch, "mirror2", tap, "tap2")
        collector = trouble.collector(place)
        probe = trouble.probe(place, [f"{driver}0,iface=tap", f"{driver}1,iface=tap2"],
                              ("ip", "netns", "exec", tap))
        try:
            probe.wait_for_text("takes records")
            trouble.play(switch, "mirror")
            services.ip("-n", switch, "link", "del", "mirror")
            probe.wait_for_text("the interface tap is gone")
            trouble.play(switch, "mirror2")
            services.ip("-n", switch, "link", "del", "mirror2")
            found = probe.wait()
            trouble.results.check(f"{driver} vanishes: the probe fails when nothing is left",
                                  found == 1 and "every port broke" in probe.text(),
                                  f"{found}: {probe.text()}")
            ledger = trouble.ledger(place)[0]
            # A busy machine may miss some, but counts them.
            seen = ledger["packets_metered"] + sum(ledger["packets_lost"].values())
            trouble.results.check(f"{driver} vanishes: packets of both are metered, or counted",
                                  ledger["packets_metered"] > FLOWS and seen == 2 * FLOWS,
                                  str(ledger))
        finally:
            probe.kill()
            collector.kill()


def interface_returns(trouble):
    """Of two ports one breaks; when its interface is there again, whoever started the probe shall
    start it anew, with both."""
    place = trouble.place()
    with services.Network("back") as network:
        switch, tap = network.namespace("switch"), network.namespace("probe")
        network.pair(switch, "mirror", tap, "tap")
        network.pair(switch, "mirror2", tap, "tap2")
        collector = trouble.collector(place)
        probe = trouble.probe(place, ["net_pcap0,iface=tap", "net_pcap1,iface=tap2"],
                              ("ip", "netns", "exec", tap))
        try:
            probe.wait_for_text("takes records")
            services.ip("-n", switch, "link", "del", "mirror")
            probe.wait_for_text("the interface tap is gone")
            trouble.play(switch, "mirror2")
            network.pair(switch, "mirror", tap, "tap")
            found = probe.wait()
            trouble.results.check("an interface returns: the probe ends to be started anew",
                                  found == 1 and "is there again" in probe.text()
                                  and "is up again" not in probe.text(),
                                  f"{found}: {probe.text()}")
            ledger = trouble.ledger(place)[0]
            seen = ledger["packets_metered"] + sum(ledger["packets_lost"].values())
            trouble.results.check("an interface returns: all is delivered before", seen == FLOWS,
                                  str(ledger))
        finally:
            probe.kill()
            collector.kill()


def device_is_busy(trouble, namespaces):
    _, tap = namespaces
    place = trouble.place()
    inside = ("ip", "netns", "exec", tap)
    first = trouble.probe(place, ["net_af_xdp0,iface=tap"], inside)
    try:
        first.wait_for_text("ready")
        trouble.count += 1
        second = trouble.probe(place, ["net_af_xdp0,iface=tap"], inside, name="other")
        trouble.refused("busy interface", second, 1, "tap")
    finally:
        first.kill()


def queues_only_receive(trouble, namespaces):
    """DPDK's net_af_xdp takes none of these but the first."""
    _, tap = namespaces
    inside = ("ip", "netns", "exec", tap)
    two = subprocess.run([*inside, "ethtool", "-L", "tap2", "rx", "2"], capture_output=True,
                         text=True, check=False)
    if two.returncode != 0:
        trouble.results.skip("queues that only receive", two.stderr.strip())
        return
    place = trouble.place()
    device = ["net_af_xdp0,iface=tap2"]
    advice = "ethtool -L tap2 rx 1"
    trouble.refused("queues that only receive", trouble.probe(place, device, inside), 2, advice)
    services.inside(tap, *advice.split())
    trouble.count += 1
    probe = trouble.probe(place, device, inside, name="advised")
    try:
        probe.wait_for_text("ready")
    finally:
        probe.kill()


def spool_is_damaged(trouble):
    """Told, kept and passed over, by a probe with no more than the calls that are left to it."""
    place = trouble.place()
    spool = place / "spool"
    device = [f"net_pcap0,rx_pcap={trouble.capture}"]
    more = {"spool": str(spool), "drain_seconds": 0}
    probe = trouble.probe(place, device, **more)
    probe.wait_for_text("ready")
    probe.wait_for_text("waiting for the collector")
    probe.end()
    segment, = spool.glob("*.spool")
    octets = bytearray(segment.read_bytes())
    octets[octets.rindex(b"CLWF") - 1] ^= 1  # the frame before the last ledger
    segment.write_bytes(octets)
    aside = pathlib.Path(f"{segment}.damaged")
    collector = trouble.collector(place)
    trouble.count += 1  # another log
    second = trouble.probe(place, device, **more)
    try:
        second.wait_for_text("are no frame, damaged or cut by a crash")
        second.wait_for_text("takes records")
        services.wait_until("what was left is delivered", lambda: not segment.exists())
        trouble.results.check("damaged spool: the file is kept",
                              aside.exists() and aside.read_bytes() == octets, second.text())
        trouble.results.check("damaged spool: the probe ends well", second.end() == 0,
                              second.text())
    finally:
        second.kill()
        collector.kill()


def main():
    results = Results()
    with tempfile.TemporaryDirectory() as name:
        trouble = Trouble(results, sys.argv[1:4], pathlib.Path(name))
        wrong_start(trouble)
        wrong_signature(trouble)
        much_to_say(trouble)
        cut_capture(trouble)
        two_collectors(trouble)
        spool_is_damaged(trouble)
        reason = services.may_make_namespaces()
        if reason:
            results.skip("trouble with interfaces", reason)
            results.exit()
        with services.Network("trouble") as network:
            switch, tap = network.namespace("switch"), network.namespace("probe")
            network.pair(switch, "mirror", tap, "tap")
            network.pair(switch, "mirror2", tap, "tap2")
            collector_comes_late(trouble, (switch, tap))
            two_probes_of_one_name(trouble, (switch, tap))
            device_is_busy(trouble, (switch, tap))
            queues_only_receive(trouble, (switch, tap))
        for driver in ("net_pcap", "net_af_xdp"):
            interface_vanishes(trouble, driver)
        interface_returns(trouble)
    results.exit()


if __name__ == "__main__":
    main()
