#!/usr/bin/env python3
"""The two services with the rights that their units in deploy/ leave them, and no others.

usage: unit_privileges.py CURLEW PROBE COLLECTOR

Both as an ordinary user: the collector without any capability, the probe with the unit's, on
net_af_xdp and net_pcap over a veth pair. What each thread has once it serves, and how exposed
systemd finds the units.
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
NET_ADMIN = 1 << 12
# Unit, what is added to it, and the most that `systemd-analyze security` may find.
UNITS = (
    ("curlew-collector.service", None, 1.3),
    ("curlew-probe@.service", None, 2.5),
    ("curlew-probe@.service", "curlew-probe-af_xdp.conf", 2.5),
)
# The driver, and what its unit consists of.
DRIVERS = (
    ("net_af_xdp", ("curlew-probe@.service", "curlew-probe-af_xdp.conf")),
    ("net_pcap", ("curlew-probe@.service",)),
)


def listed(files, key):
    """Capabilities of all lines of this key."""
    text = "\n".join((DEPLOY / file).read_text() for file in files)
    lines = re.findall(rf"^{key}=(.*)$", text, re.MULTILINE)
    return [name.removeprefix("CAP_").lower() for line in lines for name in line.split()]


def with_rights_of(*files):
    """A command's beginning: the unit's user, capabilities and folder for libxdp."""
    bounding, ambient = (
        ",".join(["-all", *(f"+{name}" for name in listed(files, key))])
        for key in ("CapabilityBoundingSet", "AmbientCapabilities"))
    own_run = ("mount -t tmpfs none /run && "
               f"install -d -o {USER} -g {GROUP} -m 700 /run/xdp && exec \"$@\"")
    return ["unshare", "--mount", "sh", "-c", own_run, "sh",
            "env", "LIBXDP_BPFFS=/run/xdp", "setpriv", f"--reuid={USER}", f"--regid={GROUP}",
            "--clear-groups", "--no-new-privs", f"--bounding-set={bounding}",
            f"--inh-caps={ambient}", f"--ambient-caps={ambient}"]


def analyze(*arguments):
    done = subprocess.run(["systemd-analyze", *arguments], capture_output=True, text=True,
                          check=False)
    return done.returncode == 0, (done.stdout[-200:] + done.stderr).strip()


def check_units(results):
    if shutil.which("systemd-analyze") is None:
        results.skip("systemd-analyze", "it is not installed")
        return
    for unit, addition, threshold in UNITS:
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            # It wants the programs to be where the units look for them.
            (folder / "program").write_text("#!/bin/sh\n")
            (folder / "program").chmod(0o755)
            copy = folder / unit.replace("@", "@probe")
            copy.write_text(re.sub(r"^ExecStart=\S+", f"ExecStart={folder}/program",
                                   (DEPLOY / unit).read_text(), flags=re.MULTILINE))
            if addition is not None:
                (folder / f"{copy.name}.d").mkdir()
                shutil.copy(DEPLOY / addition, folder / f"{copy.name}.d")
            claim = f"{unit} {addition or ''}".strip()
            good, told = analyze("verify", str(copy))
            # It also says what it finds in other programs' units, where such are installed.
            told = "\n".join(line for line in told.splitlines()
                             if not line.startswith("/") or line.startswith(str(folder)))
            results.check(f"{claim}: systemd-analyze verify", good and not told, told)
            good, told = analyze("security", "--offline=true", f"--threshold={threshold * 10:.0f}",
                                 str(copy))
            exposure = re.search(r"exposure level for \S+ (\S+)", told)
            print(f"{claim}: {exposure.group(1) if exposure else told}", flush=True)
            results.check(f"{claim}: exposed at most {threshold}", good and exposure, told)


def check_threads(results, claim, process, first_keeps):
    """What the kernel says of each."""
    for thread in pathlib.Path(f"/proc/{process}/task").iterdir():
        facts = dict(line.split(":\t", 1) for line in
                     (thread / "status").read_text().splitlines() if ":\t" in line)
        kept = first_keeps if int(thread.name) == process else 0
        found = (facts["Seccomp"], facts["NoNewPrivs"], facts["Uid"].split()[1],
                 *(int(facts[name], 16) for name in ("CapEff", "CapPrm", "CapInh", "CapAmb")))
        results.check(f"{claim}: a thread has no more than it needs",
                      found == ("2", "1", str(USER), kept, kept, 0, 0), f"{facts['Name']}: {found}")


def check_driver(results, programs, driver, unit, capture, folder):
    place = folder / driver
    run, state, own = place / "run", place / "state", place / "own"
    for part in (place, run, state, own):
        part.mkdir()
    for part in (run, state, own):
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
            with_rights_of("curlew-collector.service")).start()
        collector.wait_for_text("ready")
        # Root's alone, until the probe has said so.
        socket = run / "collector.ipc"
        os.chown(socket, 0, 0)
        probe = services.Service(
            "probe", [programs[1], "--config", probe_config], place,
            ("env", f"RUNTIME_DIRECTORY={own}", "ip", "netns", "exec", tap,
             *with_rights_of(*unit))).start()
        try:
            probe.wait_for_text(f"waiting for the collector at {endpoint}: this user may not use")
            os.chown(socket, USER, GROUP)
            probe.wait_for_text("takes records")
            check_threads(results, f"{driver}: the probe", probe.process.pid, NET_ADMIN)
            check_threads(results, f"{driver}: the collector", collector.process.pid, 0)
            services.inside(switch, "tcpreplay", "--intf1=mirror", "-q", services.LOW_RATE,
                            str(capture))
            code = probe.end()
            link = services.inside(tap, "ip", "-details", "link", "show", "tap").stdout
            collector_code = collector.end()
        finally:
            probe.kill()
            collector.kill()
    results.check(f"{driver}: the probe ends well", code == 0, probe.text())
    results.check(f"{driver}: the interface is as it was before",
                  "xdp" not in link and "PROMISC" not in link, link)
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
        for driver, unit in DRIVERS:
            check_driver(results, programs, driver, unit, capture, folder)
    results.exit()


if __name__ == "__main__":
    main()
