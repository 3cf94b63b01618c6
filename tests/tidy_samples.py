"""For each rule of tidy.py: files that break it and files that do not, as {path: text}."""

HEADER = "#pragma once\n"
# Broken into pieces, as tidy.py reads this file too.
HOME = "/ho" + "me/"
LATER = "TO" + "DO"
LONG_BODY = "    step();\n" * 70
SHORT_BODY = "    step();\n" * 60


def including(path, header, **others):
    """One file that includes one header, and the header."""
    files = {path: f'#include "{header}"\n', header: HEADER}
    files.update(others)
    return files


def foreign(path, header):
    return {path: f"#include <{header}>\n"}


def cpp(text, path="probe/x.cc"):
    return {path: text}


ONE_TARGET = "listed = ['a.cc']\nstatic_library(\n    'x',\n    listed,\n    'b.cc',\n)\n"


def as_one(first, second, header="", target=ONE_TARGET):
    """Two sources of one target, and a header that they may include."""
    return {"probe/a.cc": first, "probe/b.cc": second, "probe/c.h": header,
            "probe/meson.build": target}


SAMPLES = {
    "include-law": {
        "bad": [
            including("dpdk_port/x.cc", "probe/flow_table.h"),
            including("probe/x.cc", "collector/index.h"),
            including("probe/x.cc", "dpdk_port/eal.h"),
            including("signatures/x.cc", "proto/frame.h"),
            including("proto/x.cc", "signatures/problem.h"),
            including("collector/x.cc", "signatures/scanner.h"),
            including("collector/x.cc", "probe/port.h"),
            including("collector/main.cc", "probe/port.h"),
            including("collector/x.cc", "cli/run.h"),
            including("cli/x.cc", "dpdk_port/eal.h"),
            including("cli/x.cc", "tests/support/cpputest.h"),
            including("cli/x.cc", "probe/main.cc"),
            including("tests/probe/x_test.cc", "cli/run.h"),
            including("tests/probe/x_test.cc", "dpdk_port/eal.h"),
        ],
        "good": [
            including("dpdk_port/x.cc", "probe/port.h"),
            including("probe/x.cc", "signatures/scanner.h"),
            including("probe/protocols/x.cc", "proto/frame.h"),
            including("probe/main.cc", "dpdk_port/eal.h"),
            including("collector/x.cc", "signatures/group_rules.h"),
            including("cli/x.cc", "collector/index.h"),
            including("tests/cli/x_test.cc", "cli/run.h"),
            cpp('// #include "collector/index.h"\n'),
        ],
    },
    "label-rules-alone": {
        "bad": [
            {"signatures/group_rules.cc": '#include "signatures/a.h"\n',
             "signatures/a.h": '#include "signatures/scanner.h"\n'},
            {"signatures/group_loader.cc": "#include <hs.h>\n"},
        ],
        "good": [
            {"signatures/group_rules.cc": '#include "signatures/a.h"\n', "signatures/a.h": HEADER},
            {"signatures/signature_check.cc": '#include "signatures/scanner.h"\n'},
        ],
    },
    "include-path": {
        "bad": [
            {"probe/x.cc": '#include "port.h"\n', "probe/port.h": HEADER},
            {"probe/x.cc": '#include "../probe/port.h"\n', "probe/port.h": HEADER},
            {"probe/x.cc": "#include <probe/port.h>\n", "probe/port.h": HEADER},
            {"probe/x.cc": '#include "proto/other.pb.h"\n'},
        ],
        "good": [
            including("probe/x.cc", "probe/port.h"),
            {"probe/exporter.cc": '#include "proto/flow.pb.h"\n', "proto/flow.proto": "x\n"},
        ],
    },
    "foreign-header": {
        "bad": [
            foreign("probe/worker.cc", "pcap/pcap.h"),
            foreign("probe/inspector.cc", "hs.h"),
            foreign("tests/signatures/scanner_test.cc", "hs.h"),
            foreign("collector/collector.cc", "zmq.hpp"),
            foreign("probe/port.h", "rte_mbuf.h"),
            foreign("probe/exporter.cc", "rapidjson/writer.h"),
            foreign("collector/index.cc", "CLI/CLI.hpp"),
            foreign("probe/x.cc", "openssl/evp.h"),
            foreign("tests/probe/x_test.cc", "CppUTest/TestHarness.h"),
            foreign("probe/x.cc", "boost/asio.hpp"),
            {"probe/worker.cc": '#include "proto/flow.pb.h"\n'},
            {"cli/run.cc": '#include "proto/flow.pb.h"\n'},
        ],
        "good": [
            foreign("probe/link_types.cc", "pcap/pcap.h"),
            foreign("signatures/scanner.cc", "hs.h"),
            foreign("proto/channel.cc", "zmq.hpp"),
            foreign("dpdk_port/eal.cc", "rte_eal.h"),
            foreign("cli/compare.cc", "rapidjson/reader.h"),
            foreign("probe/x.cc", "vector"),
            foreign("probe/x.cc", "sys/mman.h"),
            {"probe/exporter.cc": '#include "proto/flow.pb.h"\n'},
        ],
    },
    "local-name": {
        "bad": [
            as_one("namespace {\nconstexpr int kPoll = 1;\n}\n", "constexpr int kPoll = 2;\n"),
            as_one("namespace {\nstruct Key {\n    int a;\n};\n}\n",
                   "namespace {\nusing Key = int;\n}\n"),
            as_one("static int f() {\n}\n", "namespace {\ntemplate <int kX>\nint f() {\n}\n}\n"),
            as_one("namespace {\nvoid f(const std::string& a, int b = 0) {\n}\n}\n",
                   "namespace {\nvoid f(std::string_view c) {\n}\n}\n"),
            as_one("namespace {\nconst A kTable[] = {\n    1};\n}\n",
                   "namespace {\nconst A kTable[] = {\n    {2},\n};\n}\n"),
            as_one("TEST_GROUP(A){};\n", "TEST_GROUP(A) {\n    int a;\n};\n"),
            as_one('#include "probe/c.h"\n', "namespace {\nint port;\n}\n",
                   "namespace curlew::probe {\nextern int port;\n}\n"),
        ],
        "good": [
            as_one("namespace {\nconstexpr int kPoll = 1;\n}\n",
                   "namespace {\nconstexpr int kPollMs = 2;\n}\n"),
            as_one("namespace {\nvoid f(int a) {\n}\n}\n",
                   "namespace {\nvoid f(int a, int b) {\n}\n}\n"),
            as_one("namespace {\nusing A = int;\n}\n", "namespace {\nusing A = int;\n}\n"),
            as_one("namespace {\n}\nint f() {\n    int x;\n}\n", "namespace {\nint x;\n}\n"),
            as_one("namespace {\nint A::f() {\n}\n}\n", "namespace {\nint f() {\n}\n}\n"),
            as_one("namespace {\nint x;\n}\n", "namespace {\nint x;\n}\n", "",
                   "executable(\n    'a',\n    'a.cc',\n)\nexecutable('b', 'b.cc')\n"),
            as_one("namespace {\nint x;\n}\n", "namespace {\nint x;\n}\n", "",
                   "alone = ['unity=off']\n" + ONE_TARGET.replace(",\n)", ",\n    o: alone,\n)")),
        ],
    },
    "line-length": {
        "bad": [cpp("x" * 101 + "\n"), {"deploy/x": "#!/usr/bin/env bash\n" + "x" * 101 + "\n"}],
        "good": [cpp("x" * 100 + "\n"), {"README.md": "x" * 101 + "\n"}],
    },
    "file-length": {
        "bad": [cpp("\n" * 601)],
        "good": [cpp("\n" * 600)],
    },
    "function-length": {
        "bad": [
            cpp("void f() {\n" + LONG_BODY + "}\n"),
            cpp("namespace a {\nstruct B {\n  int f(int x = 3) const noexcept {\n" + LONG_BODY +
                "}\n};\n}\n"),
            cpp("A::A(int b)\n    : b_{b}, c_(b) {\n" + LONG_BODY + "}\n"),
            cpp("TEST(A, holds) {\n" + LONG_BODY + "}\n", "tests/probe/x_test.cc"),
            cpp("auto f() -> std::map<int, int> {\n    if (x) {\n    }\n" + LONG_BODY + "}\n"),
            cpp("bool A::operator==(const A& o) const {\n" + LONG_BODY + "}\n"),
            cpp("int s[] = {1, 2};\nvoid f() {\n    g(\"}}}\");  // }\n" + LONG_BODY + "}\n"),
            {"tests/x.py": "def f():\n" + LONG_BODY},
        ],
        "good": [
            cpp("void f() {\n" + SHORT_BODY + "}\n" + "void g() {\n" + SHORT_BODY + "}\n"),
            cpp("namespace a {\n" + "int f();\n" * 100 + "}\n"),
            cpp("struct A {\n" + "    int b = 1;\n" * 100 + "};\n"),
            cpp("const A kTable[] = {\n" + "    {f(1), 2},\n" * 100 + "};\n"),
        ],
    },
    "pragma-once": {
        "bad": [
            cpp("#ifndef X_H\n#define X_H\n#endif\n", "probe/x.h"),
            cpp("#include <vector>\n#pragma once\n", "probe/x.h"),
        ],
        "good": [cpp("// What it is.\n#pragma once\n", "probe/x.h"), cpp("int x;\n"),
                 cpp("#include <vector>\n", "probe/pch/x.h")],
    },
    "whitespace": {
        "bad": [cpp("\tint x;\n"), cpp("int x; \n"), cpp("int x;"), cpp("int x;\n\n"),
                cpp("int x;\r\n"), {"README.md": "words \n"}],
        "good": [cpp("int x;\n"), {"LICENSE": "words \n\n"}],
    },
    "unfinished": {
        "bad": [cpp(f"// {LATER}: more\n"), {"README.md": "FIX" + "ME\n"}],
        "good": [cpp("// Nothing is left to do.\n"), {"deploy/x": "mktemp curlew.XXXXXX\n"}],
    },
    "file-name": {
        "bad": [cpp("", "probe/utils.h"), cpp("", "probe/packet_utils.cc"),
                cpp("", "common/port.h"), cpp("", "probe/FlowTable.cc")],
        "good": [cpp("", "probe/flow_table.cc")],
    },
    "conditional": {
        "bad": [
            cpp("#ifdef HAVE_DPDK\n#endif\n"),
            cpp("#if defined(HAVE_DPDK)\n#endif\n"),
            cpp("#ifdef A\n#endif\n#ifdef B\n#endif\n", "probe/main.cc"),
        ],
        "good": [
            cpp("#ifdef HAVE_DPDK\n#endif\n", "probe/main.cc"),
            cpp("#if defined(__x86_64__)\n#endif\n"),
        ],
    },
    "hot-path": {
        "bad": [
            cpp("int x;\n", "probe/flow_table.cc"),
            cpp("// Hot path.\nstd::string name;\n"),
            cpp("// Hot path.\nstd::function<void()> f;\n"),
            cpp("// Hot path.\nauto* x = new int;\n"),
            cpp("// Hot path.\nauto t = std::chrono::steady_clock::now();\n"),
            cpp("// Hot path.\nvoid Scanner::scan() {\n    std::string s;\n}\n",
                "signatures/scanner.cc"),
            cpp("// Hot path.\nvoid Scanner::other() {}\n", "signatures/scanner.cc"),
        ],
        "good": [
            cpp("// Hot path.\nstd::string_view name;  // a new std::string would allocate\n",
                "probe/flow_table.cc"),
            cpp("std::string name;\n"),
            cpp("// Hot path.\nvoid f(std::string s) {}\nvoid Scanner::scan() {\n}\n",
                "signatures/scanner.cc"),
        ],
    },
    "namespace": {
        "bad": [
            cpp("int x;\n"),
            cpp("namespace curlew::collector {\nint x;\n}\n"),
            cpp("namespace curlew::probe {\n}\nnamespace curlew::proto {\nint x;\n}\n"),
            cpp("namespace curlew::probe {\nusing namespace std;\n}\n", "probe/x.h"),
        ],
        "good": [
            cpp("namespace curlew::probe {\nnamespace {\nint x;\n}\n}\n"),
            cpp("namespace curlew::probe::dns {\nint x;\n}\n", "probe/protocols/dns.cc"),
            cpp("namespace curlew::proto { class A; }\nnamespace curlew::probe {\nint x;\n}\n"),
            cpp("int main() { }\n", "probe/main.cc"),
        ],
    },
    "own-test": {
        "bad": [{"probe/x.h": HEADER, "probe/x.cc": ""}],
        "good": [
            {"probe/x.h": HEADER},
            {"probe/x.h": HEADER, "probe/x.cc": "", "tests/probe/x_test.cc": ""},
            {"probe/protocols/x.h": HEADER, "probe/protocols/x.cc": "",
             "tests/probe/protocols/x_test.cc": ""},
        ],
    },
    "test-frame": {
        "bad": [
            cpp("TEST(Flow, is_one) {}\n", "tests/probe/x_test.cc"),
            cpp('#include "tests/support/cpputest.h"\nTEST(Flow, Works) {}\n',
                "tests/probe/x_test.cc"),
        ],
        "good": [cpp('#include "tests/support/cpputest.h"\nTEST(Flow, is_one) {}\n',
                     "tests/probe/x_test.cc")],
    },
    "no-sleep": {
        "bad": [cpp("std::this_thread::sleep_for(10ms);\n", "tests/probe/x_test.cc"),
                cpp("usleep(10);\n", "tests/probe/x_test.cc")],
        "good": [cpp("// It need not sleep(1).\n", "tests/probe/x_test.cc")],
    },
    "machine-path": {
        "bad": [cpp(f'open("{HOME}somebody/x.pcap");\n'), {"README.md": f"see {HOME}x\n"}],
        "good": [cpp('open("/sys/class/net/");\n'), {"README.md": "frame" + "/work" + "/order\n"}],
    },
    "link": {
        "bad": [{"README.md": "[a](missing.md)\n"}, {"proto/A.md": "[a](../b/C.md)\n"},
                {"README.md": "[a](#no-such-heading)\n"}],
        "good": [{"README.md": "# A b\n[a](proto/A.md) [b](#a-b) [c](https://x.org/y)\n",
                  "proto/A.md": "[r](../README.md)\n"}],
    },
    "named-path": {
        "bad": [{"README.md": "See `probe/gone.cc`.\n", "probe/x.cc": ""},
                {"README.md": "    sudo ./probe/gone\n", "probe/x.cc": ""}],
        "good": [{"README.md": "See `probe/x.cc`, `probe/`, `probe/*.cc`, `TCP/IP`.\n",
                  "probe/x.cc": ""}],
    },
    "listed-source": {
        "bad": [{"probe/x.cc": "", "probe/meson.build": "files('y.cc')\n"},
                {"probe/x.cc": "", "probe/meson.build": "# 'x.cc'\n"}],
        "good": [{"probe/protocols/x.cc": "", "probe/meson.build": "files('protocols/x.cc')\n"},
                 {"tests/support/x.cc": "", "tests/probe/meson.build": "'../support/x.cc',\n"}],
    },
    "one-assert": {
        "bad": [cpp("assert(a && b);\n"), cpp("assert(f(a,\n         b) && c);\n")],
        "good": [cpp('assert(a);\nassert((a && b) || c);\nassert(a && "said why");\n'),
                 cpp("static_assert(a && b);\n")],
    },
    "script": {
        "bad": [{"deploy/x": "#!/bin/bash\nset -euo pipefail\n"},
                {"deploy/y": "#!/usr/bin/env bash\nset -e\n"},
                {"deploy/z": "#!/usr/bin/env bash\nset -euo pipefail\n"}],
        "good": [{"deploy/good": "#!/usr/bin/env bash\nset -euo pipefail\n"}],
        "executable": ("deploy/good", "deploy/x", "deploy/y"),
    },
    "format": {
        "bad": [cpp("int  f( int a ){return a;}\n")],
        "good": [cpp("int f(int a);\n")],
    },
}
