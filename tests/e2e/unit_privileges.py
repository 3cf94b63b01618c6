#!/usr/bin/env python3
"""The two services with the rights that their units in deploy/ leave them, and no others.

usage: unit_privileges.py CURLEW PROBE COLLECTOR

The collector as an ordinary user without any, the probe as root with the unit's capabilities and
the collector's group, on net_af_xdp and net_pcap over a veth pair.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import services  # noqa: E402
from capture_maker import one_packet_flows  # noqa: E402
from results import Results  # noqa: E402

DEPLOY = pathlib.Path(__file__).resolve().parents[2] / "deploy"
FLOWS = 200
# Any that exists everywhere and is not root's.
USER, GROUP = 65534, 65534


def capabilities(unit):
    line = re.search(r"^CapabilityBoundingSet=(.*)$", (DEPLOY / unit).read_text(), re.MULTILINE)
    return [name.removeprefix("CAP_").lower() for name in line.group(1).split()]


def with_rights_of(unit, *more):
    rights = ",".join(["-all", *(f"+{name}" for name in capabilities(unit))])
    return ["setpriv", f"--regid={GROUP}", "--clear-groups", "--no-new-privs", *more,
            f"--bounding-set={rights}", f"--inh-caps={rights}"]


def check_units(results):
    if shutil.which("systemd-analyze") is None:
        results.skip("systemd-analyze verify", "it is not installed")
        return
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        # It wants the programs to be where the units look for them.
        (folder / "program").write_text("#!/bin/sh\n")
        (folder / "program").chmod(0o755)
        for unit, copy in (("curlew-collector.service", "curlew-collector.service"),
                           ("curlew-probe@.service", "curlew-probe@probe.service")):
            text = (DEPLOY / unit).read_text()
            (folder / copy).write_text(re.sub(r"^ExecStart=\S+", f"ExecStart={folder}/program",
                                              text, flags=re.MULTILINE))
        done = subprocess.run(["systemd-analyze", "verify", *folder.glob("*.service")],
                              capture_output=True, text=True, check=False)
        results.check("systemd-analyze verify", done.returncode == 0 and not done.stderr,
                      done.stderr)


def check_driver(results, programs, driver, capture, folder):
    place = folder / driver
    run, state, own = place / "run", place / "state", place / "own"
    for part in (place, run, state, own):
        part.mkdir()
    for part in (run, state):
        os.chown(part, USER, GROUP)
        part.chmod(0o750)
    endpoint = f"ipc://{run}/collector.ipc"
    collector_config = services.collector_config(place, endpoint, state / "archive")
    with services.Network("rights") as network:
        switch, tap = network.namespace("switch"), network.namespace("probe")
        network.pair(switch, "mirror", tap, "tap")
        probe_config = services.probe_config(place, endpoint, [f"{driver}0,iface=tap"])
        collector = services.Service(
            "collector", [programs[2], "--config", collector_config], place,
            with_rights_of("curlew-collector.service", f"--reuid={USER}")).start()
        probe = services.Service(
            "probe", [programs[1], "--config", probe_config], place,
            ("env", f"RUNTIME_DIRECTORY={own}", "ip", "netns", "exec", tap,
             *with_rights_of("curlew-probe@.service"))).start()
        try:
            probe.wait_for_text("takes records")
            services.inside(switch, "tcpreplay", "--intf1=mirror", "-q", "--pps=2000",
                            str(capture))
            code = probe.end()
            collector_code = collector.end()
        finally:
            probe.kill()
            collector.kill()
    results.check(f"{driver}: the probe ends well", code == 0, probe.text())
    results.check(f"{driver}: the collector ends well", collector_code == 0, collector.text())
    count = sum(1 for _ in services.records(state / "archive"))
    ledger = next(iter(services.final_ledgers(state / "archive").values()))
    lost = sum(ledger["packets_lost"].values())
    # A machine that does other work besides may lose some of net_pcap's, and says so.
    results.check(f"{driver}: all records", 0 < count == FLOWS - lost, f"{count}: {ledger}")


def main():
    programs = sys.argv[1:4]
    results = Results()
    check_units(results)
    reason = services.may_make_namespaces()
    if reason:
        results.skip("services with few rights", reason)
        results.exit()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        folder.chmod(0o755)
        capture = folder / "flows.pcap"
        one_packet_flows(capture, FLOWS)
        for driver in ("net_af_xdp", "net_pcap"):
            check_driver(results, programs, driver, capture, folder)
    results.exit()


if __name__ == "__main__":
    main()
