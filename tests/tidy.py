"""Style as a test: the rules of this project that a program can check.

usage: tests/tidy.py [--list | --self-test | --warnings] [FOLDER]

Prints `file:line: rule: what` for each finding, and at last `N passed, M failed` over the rules.
--self-test feeds every rule a snippet that breaks it and one that does not (tidy_samples.py).
"""

import ast
import fnmatch
import os
import pathlib
import re
import sys

import tidy_samples
import tidy_source

LIBRARIES = ("proto", "signatures", "probe", "dpdk_port", "collector", "cli")

# Folder -> what its files may include, beside files of their own folder.
INCLUDE_LAW = {
    "proto": (),
    "signatures": (),
    "probe": ("signatures/*", "proto/*"),
    "dpdk_port": ("probe/port.h",),
    "collector": ("proto/*", "signatures/group_rules.h", "signatures/content_rules.h",
                  "signatures/problem.h",
                  # Configuration is TOML as group files are.
                  "signatures/config_file.h", "signatures/signature_folder.h"),
    "cli": ("proto/*", "signatures/*", "probe/*", "collector/*"),
}
# A process is put together in its main file, over the law of its folder.
COMPOSERS = {
    # `--bench` measures over DPDK what `curlew bench` measures without.
    "probe/main.cc": ("dpdk_port/*", "cli/bench.h", "cli/usage_error.h"),
}
# What labels are given by is without Hyperscan: what these reach must not reach the scanner.
WITHOUT_HYPERSCAN = ("signatures/group_rules.h", "signatures/group_rules.cc",
                     "signatures/group_loader.cc", "signatures/content_rules.h",
                     "signatures/content_rules.cc")

# Foreign header -> files that may include it. What is in no list is no business of ours.
FOREIGN = (
    # Captures for net_pcap are measured by libpcap, as the driver reads them.
    ("pcap.h pcap/*",
     "probe/link_types.cc probe/packet_filter.cc "
     "dpdk_port/device_arguments.cc tests/*"),
    ("hs.h hs/* hs_*.h", "signatures/scanner.cc"),
    ("re2/*", "signatures/content_rules.cc"),
    ("absl/container/btree_map.h", "collector/sorted_map.h"),
    ("absl/*hash*", "collector/hash_map.h"),
    ("zmq.h zmq.hpp zmq_addon.hpp",
     "proto/channel.cc proto/channel_* proto/doorkeeper.* proto/key_file.cc tests/proto/*"),
    # flow_summary is the exporter's encoder, joy_* keep records in the form that crosses.
    ("*.pb.h google/protobuf/*",
     "probe/exporter.cc probe/flow_summary.* probe/joy_* probe/ledger_message.* "
     "probe/hello_message.cc probe/lost_records.* "
     "probe/record_batch.* "
     "probe/recording_ledger.cc collector/* "
     "proto/* tests/*"),
    ("rte_*.h", "dpdk_port/* tests/dpdk_port/*"),
    ("rapidjson/*", "collector/* cli/* tests/*"),
    ("CLI/*", "cli/* probe/main.cc collector/main.cc"),
    ("toml++/* toml.hpp", "signatures/toml_reader.h probe/config.cc collector/config.cc"),
    ("zlib.h zstd.h zstd_errors.h", "probe/capture_stream.cc collector/* cli/* tests/*"),
    ("openssl/*",
     "collector/* signatures/compiled_set.cc probe/protocols/quic_keys.cc tests/*"),
    ("spdlog/*", "probe/main.cc collector/main.cc collector/status.cc"),
    ("httplib.h", "collector/metrics_pages.cc"),
    ("prometheus/*", "collector/metrics.cc"),
    ("simdjson.h", "cli/* tests/*"),
    ("systemd/*", "proto/service_manager.cc"),
    ("seccomp.h", "proto/confinement.cc"),
    ("CppUTest/* CppUTestExt/*", "tests/support/* tests/dpdk_port/main.cc"),
    ("benchmark/*", "tests/bench/*"),
    ("fmt/*", "*"),
    # The system's own.
    ("*intrin.h sanitizer/* cpuid.h", "*"),
    ("arpa/* asm/* net/* netinet/* sys/* linux/*", "*"),
    ("dirent.h dlfcn.h endian.h fcntl.h malloc.h poll.h pthread.h sched.h signal.h stdio_ext.h "
     "stdlib.h string.h termios.h time.h unistd.h", "*"),
)

MAXIMUM_COLUMNS = 100
MAXIMUM_FILE_LINES = 600
REASON_FILE_LINES = 400
MAXIMUM_FUNCTION_LINES = 70

HOT_FILES = ("probe/packet_parser.cc", "probe/flow_table.cc", "probe/worker.cc")
HOT_PATH = "// Hot path."
# Of these files only the functions named are hot.
HALF_HOT = {
    "signatures/scanner.cc": "Scanner::scan(",
    "dpdk_port/dpdk_port.cc": "DpdkPort::receive(",
}
FORBIDDEN_STEMS = {"utils", "util", "common", "helpers", "helper", "misc", "factory", "registry"}

# Where the preprocessor may decide something, and why.
CONDITIONALS = {
    "probe/main.cc": "the project's one #ifdef: whether DPDK is there",
    "tests/support/cpputest.h": "CppUTest replaces `new` by a macro, which is removed here",
}

# Header with a .cc and without a test of its own, and why.
WITHOUT_OWN_TEST = {
    "cli/run_delivery.h": "from rings to a dataset: tests/cli/run_test.cc runs it",
    "probe/receiver.h": "a port's thread: tests/probe/dispatcher_test.cc runs it",
}

RULES = {}


def rule(name, text):
    def register(function):
        RULES[name] = (text, function)
        return function
    return register


def matches(path, patterns):
    return any(fnmatch.fnmatchcase(path, pattern) for pattern in patterns)


@rule("include-law", "a folder includes itself and what its arrow reaches")
def include_law(tree):
    for source in tree.cpp():
        for line, header, quoted in source.includes():
            target = header.split("/", 1)[0]
            if not quoted or target not in LIBRARIES + ("tests",):
                continue
            if header.endswith("/main.cc"):
                yield source.path, line, f"nothing includes {header}"
            elif source.folder == "tests":
                # Tests may compose, but cli/ and dpdk_port/ are only for their own, and for those
                # that are a whole appliance.
                own = (f"tests/{target}/*", "tests/support/*", "tests/bench/*", "tests/e2e/*",
                       "tests/soak/*")
                if target in ("cli", "dpdk_port") and not matches(source.path, own):
                    yield source.path, line, f"only tests/{target}/ includes {header}"
            elif target != source.folder:
                allowed = INCLUDE_LAW.get(source.folder, ()) + COMPOSERS.get(source.path, ())
                if not matches(header, allowed):
                    yield source.path, line, f"{source.folder}/ may not include {header}"


@rule("label-rules-alone", "the label rules do without Hyperscan and the signature set")
def label_rules_alone(tree):
    for first in WITHOUT_HYPERSCAN:
        for path in sorted({first} | tidy_source.included(tree, [first])):
            if path not in tree.sources:
                continue
            for line, header, _ in tree.sources[path].includes():
                if header in ("hs.h", "hs/hs.h", "signatures/scanner.h"):
                    yield path, line, f"{first} reaches {header}"


@rule("include-path", "a quoted include is a path from the root to a file of the project")
def include_path(tree):
    for source in tree.cpp():
        for line, header, quoted in source.includes():
            if quoted and header not in tree.sources and not (
                    header.endswith(".pb.h") and f"{header[:-5]}.proto" in tree.sources):
                yield source.path, line, f"no file {header} from the root"
            if not quoted and header.split("/", 1)[0] in LIBRARIES + ("tests",):
                yield source.path, line, f"{header} is ours: it takes quotes"


@rule("foreign-header", "a foreign library stands in as few files as can be")
def foreign_header(tree):
    for source in tree.cpp():
        for line, header, quoted in source.includes():
            if (quoted and not header.endswith(".pb.h")) or re.fullmatch(r"[a-z0-9_]+", header):
                continue
            if source.path in COMPOSERS and header.endswith(".pb.h"):
                continue
            for headers, files in FOREIGN:
                if matches(header, headers.split()):
                    if not matches(source.path, files.split()):
                        yield source.path, line, f"{header} only in {files}"
                    break
            else:
                yield source.path, line, f"{header} is in no list of tidy.py"


@rule("local-name", "sources that may be compiled as one do not share a name of their own")
def local_name(tree):
    own = {source.path: list(tidy_source.local_names(source)) for source in tree.cpp()}

    def is_near(path, form, other):
        # What another folder's header has stands in another namespace, and may be named here.
        if not other.endswith(".h"):
            return True
        if form[0] == "alias" and "=" not in form[1]:
            return False
        place = "/".join(path.split("/")[:2 if path.startswith("tests/") else 1])
        return other.startswith((f"{place}/", "tests/support/"))

    for paths in tidy_source.compiled_as_one(tree):
        known = {}
        for path in sorted(tidy_source.included(tree, paths)) + paths:
            for line, name, form in own[path]:
                for other, other_form in known.setdefault(name, []):
                    if (path.endswith(".cc") and path != other and is_near(path, form, other) and
                            tidy_source.clash(form, other_form)):
                        yield path, line, f"{name} is in {other} too"
                        break
                known[name].append((path, form))


@rule("line-length", f"a line has at most {MAXIMUM_COLUMNS} columns")
def line_length(tree):
    for source in tree:
        if source.suffix in (".cc", ".h", ".py", ".proto", ".build") or source.is_bash:
            for number, line in enumerate(source.lines, 1):
                if len(line) > MAXIMUM_COLUMNS:
                    yield source.path, number, f"{len(line)} columns"


@rule("file-length", f"a file has at most {MAXIMUM_FILE_LINES} lines")
def file_length(tree):
    for source in tree:
        if len(source.lines) > MAXIMUM_FILE_LINES and source.name != "LICENSE":
            yield source.path, MAXIMUM_FILE_LINES + 1, f"{len(source.lines)} lines"


@rule("function-length", f"a function has at most {MAXIMUM_FUNCTION_LINES} lines")
def function_length(tree):
    for source in tree:
        spans = []
        if source.is_cpp:
            spans = tidy_source.functions(source)
        elif source.suffix == ".py":
            spans = [(node.lineno, node.end_lineno, node.name)
                     for node in ast.walk(ast.parse(source.text))
                     if isinstance(node, ast.FunctionDef)]
        for first, last, header in spans:
            if last - first + 1 > MAXIMUM_FUNCTION_LINES:
                yield source.path, first, f"{last - first + 1} lines: {header[:60]}"


@rule("pragma-once", "a header begins with #pragma once, but for one that is compiled by itself")
def pragma_once(tree):
    for source in tree.cpp():
        if source.suffix == ".h" and "/pch/" not in source.path:
            first = next(((number, line) for number, line in enumerate(source.code_lines, 1)
                          if line.strip()), (1, ""))
            if first[1].strip() != "#pragma once":
                yield source.path, first[0], "the first line of code is not #pragma once"


@rule("whitespace", "no tab, no space at a line's end, one line end at the end")
def whitespace(tree):
    for source in tree:
        if source.name == "LICENSE":
            continue
        for number, line in enumerate(source.lines, 1):
            if "\t" in line:
                yield source.path, number, "a tab"
            if line != line.rstrip():
                yield source.path, number, "a space at the end of the line"
        if source.text and (not source.text.endswith("\n") or source.text.endswith("\n\n")):
            yield source.path, len(source.lines), "the file does not end with one line end"


@rule("unfinished", "nothing committed says that it is not done")
def unfinished(tree):
    word = re.compile(r"\b(?:TO" + r"DO|FIX" + r"ME|XX" + r"X|HA" + r"CK)\b")
    for source in tree:
        for number, line in enumerate(source.lines, 1):
            if word.search(line):
                yield source.path, number, word.search(line).group(0)


@rule("file-name", "a file has the name under which a reader looks for it")
def file_name(tree):
    for source in tree:
        parts = set(re.split(r"[_.-]", source.stem)) | set(source.path.split("/")[:-1])
        if source.suffix in (".cc", ".h", ".py") and parts & FORBIDDEN_STEMS:
            yield source.path, 1, f"{(parts & FORBIDDEN_STEMS).pop()} names nothing"
        if source.is_cpp and not re.fullmatch(r"[a-z0-9_]+", source.stem):
            yield source.path, 1, "not in snake_case"


@rule("conditional", "one #ifdef in the project; #if only asks the compiler what it is")
def conditional(tree):
    asked = re.compile(r"^\s*#\s*(ifdef|ifndef|if|elif)\b(.*)")
    for source in tree.cpp():
        count = 0
        for number, line in enumerate(source.code_lines, 1):
            match = asked.match(line)
            if not match:
                continue
            names = re.findall(r"[A-Za-z_]\w*", match.group(2).replace("defined", ""))
            if match.group(1) in ("if", "elif") and all(name.startswith("__") for name in names):
                continue
            count += 1
            if source.path not in CONDITIONALS or count > 1:
                yield source.path, number, line.strip()


@rule("hot-path", "hot files say so and hold nothing that allocates or logs")
def hot_path(tree):
    forbidden = re.compile(
        r"\bstd::(?:string|function|shared_ptr|make_shared|make_unique|map|unordered_map|mutex|"
        r"cout|cerr)\b(?!_)|\bnew\b|\b(?:malloc|calloc|realloc|printf)\s*\(|\bfmt::|"
        r"\bdynamic_cast\b|::now\(\)")
    for source in tree.cpp():
        hot = source.text.startswith(HOT_PATH)
        if source.path in (*HOT_FILES, *HALF_HOT) and not hot:
            yield source.path, 1, f"does not begin with {HOT_PATH}"
        spans = [(1, len(source.lines))] if hot else []
        if source.path in HALF_HOT:
            spans = [(first, last) for first, last, header in tidy_source.functions(source)
                     if HALF_HOT[source.path] in header]
            if not spans:
                yield source.path, 1, f"has no {HALF_HOT[source.path]}...)"
        for first, last in spans:
            for number, line in enumerate(source.code_lines[first - 1:last], first):
                if "#include" not in line and forbidden.search(line):
                    yield source.path, number, f"{forbidden.search(line).group(0)} on the hot path"


@rule("namespace", "a folder's code stands in the folder's namespace; headers use none")
def namespace(tree):
    opened = re.compile(r"^\s*(?:inline\s+)?namespace\s+(\w[\w:]*)\s*\{([^{}]*\})?", re.MULTILINE)
    declarations = re.compile(r"(?:\s*(?:class|struct)\s+\w+;)+\s*\}")
    for source in tree.cpp():
        if source.suffix == ".h":
            for number, line in enumerate(source.code_lines, 1):
                if re.search(r"\busing\s+namespace\b", line):
                    yield source.path, number, "using namespace in a header"
        if source.folder not in LIBRARIES or source.name == "main.cc" or "/pch/" in source.path:
            continue
        own = f"curlew::{source.folder}"
        spaces = [match for match in opened.finditer(source.code)
                  if not declarations.fullmatch(match.group(2) or "")]
        if not any(match.group(1).startswith(own) for match in spaces):
            yield source.path, 1, f"nothing stands in {own}"
        for match in spaces:
            name = match.group(1)
            if name.startswith("curlew") and name != own and not name.startswith(own + "::"):
                yield source.path, source.line_of(match.start(1)), f"{name} in {source.folder}/"


@rule("own-test", "every header with a source file has its test file in the mirrored folder")
def own_test(tree):
    for source in tree.cpp():
        if source.folder not in LIBRARIES or source.suffix != ".h":
            continue
        base = source.path[:-2]
        tests = {f"tests/{base}_test.cc", f"tests/{source.folder}/{source.stem}_test.cc"}
        has_test = any(test in tree.sources for test in tests)
        if source.path in WITHOUT_OWN_TEST:
            if has_test:
                yield source.path, 1, "has a test now: take it off WITHOUT_OWN_TEST"
        elif f"{base}.cc" in tree.sources and not has_test:
            yield source.path, 1, f"no tests/{base}_test.cc"
    for path in WITHOUT_OWN_TEST:
        if "tests/tidy.py" in tree.sources and path not in tree.sources:
            yield "tests/tidy.py", 1, f"WITHOUT_OWN_TEST names {path}, which is not there"


@rule("test-frame", "CppUTest comes through tests/support/cpputest.h, and claims are snake_case")
def test_frame(tree):
    for source in tree.cpp():
        if not source.name.endswith("_test.cc"):
            continue
        if not any(header == "tests/support/cpputest.h" for _, header, _ in source.includes()):
            yield source.path, 1, "does not include tests/support/cpputest.h"
        for number, line in enumerate(source.code_lines, 1):
            match = re.match(r"TEST\((\w+),\s*(\w+)", line)
            if match and not re.fullmatch(r"[a-z0-9]+(?:_[a-z0-9]+)+", match.group(2)):
                yield source.path, number, f"{match.group(2)} is no claim"


@rule("no-sleep", "no test sleeps to be right")
def no_sleep(tree):
    for source in tree.cpp():
        if source.folder == "tests":
            for number, line in enumerate(source.code_lines, 1):
                if re.search(r"\b(?:sleep_for|sleep_until|u?sleep|nanosleep)\s*\(", line):
                    yield source.path, number, line.strip()


@rule("machine-path", "no path of one machine")
def machine_path(tree):
    path = re.compile(r"(?<![\w.\-}])/(?:home|work|root|Users)/")
    for source in tree:
        for number, line in enumerate(source.lines, 1):
            if path.search(line):
                yield source.path, number, path.search(line).group(0)


def anchors(source):
    for line in source.lines:
        match = re.match(r"#+ (.+)", line)
        if match:
            yield re.sub(r"[^\w\- ]", "", match.group(1).lower()).strip().replace(" ", "-")


@rule("link", "links in Markdown lead somewhere")
def link(tree):
    for source in tree:
        if source.suffix != ".md":
            continue
        for number, line in enumerate(source.lines, 1):
            for target in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`]*`", "", line)):
                if re.match(r"[a-z]+:", target):
                    continue
                path, _, anchor = target.partition("#")
                full = source.path
                if path:
                    folder = pathlib.PurePosixPath(source.path).parent
                    full = os.path.normpath(str(folder / path))
                if full not in tree.paths:
                    yield source.path, number, f"{target} is not there"
                elif anchor and full in tree.sources and anchor not in anchors(tree.sources[full]):
                    yield source.path, number, f"{target}: no such heading"


@rule("named-path", "what README.md and ARCHITECTURE.md name in code marks exists")
def named_path(tree):
    for source in tree:
        if source.path not in ("README.md", "ARCHITECTURE.md", "CHANGELOG.md"):
            continue
        folders = {path.split("/", 1)[0] for path in tree.sources if "/" in path}
        for number, line in enumerate(source.lines, 1):
            words = re.findall(r"`([^`]+)`", line) + re.findall(r"^ {4}(?:sudo )?(\./\S+)", line)
            for word in words:
                path = word.removeprefix("./").rstrip("/").split(" ")[0].rstrip("/")
                known = path.split("/", 1)[0] in folders and re.fullmatch(r"[\w./*-]+", path)
                if known and not fnmatch.filter(tree.paths, path):
                    yield source.path, number, f"{path} is not there"


@rule("listed-source", "every .cc is listed by name in a meson.build")
def listed_source(tree):
    listed = set()
    for source in tree:
        if source.name == "meson.build":
            folder = pathlib.PurePosixPath(source.path).parent
            for line in source.lines:
                for path in re.findall(r"'([^']+\.cc)'", line.partition("#")[0]):
                    listed.add(os.path.normpath(str(folder / path)))
    for source in tree.cpp():
        if source.suffix == ".cc" and source.path not in listed:
            yield source.path, 1, "in no meson.build"


@rule("one-assert", "an assert holds one condition")
def one_assert(tree):
    for source in tree.cpp():
        for match in re.finditer(r"(?<![\w])assert\(", source.code):
            depth, offset = 1, match.end()
            while depth and offset < len(source.code):
                depth += {"(": 1, ")": -1}.get(source.code[offset], 0)
                if depth == 1 and source.code.startswith("&&", offset):
                    if not source.code[offset + 2:].lstrip().startswith('"'):
                        yield source.path, source.line_of(match.start()), "two conditions"
                        break
                offset += 1


@rule("script", "a script is bash, executable, and stops at the first error")
def script(tree):
    for source in tree:
        if source.is_bash:
            if source.lines[0] != "#!/usr/bin/env bash":
                yield source.path, 1, "does not begin with #!/usr/bin/env bash"
            if "set -euo pipefail" not in source.lines:
                yield source.path, 1, "no set -euo pipefail"
            if source.path not in tree.executable:
                yield source.path, 1, "not executable"


@rule("format", "C++ is as clang-format leaves it")
def formatted(tree):
    found = tidy_source.clang_format_problems(tree.root, tree.cpp())
    if found is None:
        raise Skipped("clang-format is not installed")
    for path, line in found.items():
        yield path, line, "clang-format would change it"


class Skipped(Exception):
    """A rule that cannot be checked on this machine."""


def closing_line(passed, failed, skipped):
    line = f"{passed} passed, {failed} failed"
    return f"{line}, {skipped} skipped" if skipped else line


def check(tree):
    passed = failed = skipped = 0
    for name, (_, function) in RULES.items():
        try:
            findings = list(function(tree))
        except Skipped as reason:
            print(f"{name}: skipped: {reason}")
            skipped += 1
            continue
        for path, line, what in findings:
            print(f"{path}:{line}: {name}: {what}")
        passed += not findings
        failed += bool(findings)
    print(closing_line(passed, failed, skipped))
    return 1 if failed else 0


def self_test():
    """Each rule finds its bad samples and leaves its good ones alone."""
    passed = failed = skipped = 0
    for name, (_, function) in RULES.items():
        samples = tidy_samples.SAMPLES.get(name, {})
        problems = [f"no {kind} sample" for kind in ("bad", "good") if not samples.get(kind)]
        try:
            for kind in ("bad", "good"):
                for number, files in enumerate(samples.get(kind, ()), 1):
                    tree = tidy_source.Tree(files, samples.get("executable", ()))
                    if bool(list(function(tree))) != (kind == "bad"):
                        problems.append(f"{kind} sample {number}: judged wrongly")
        except Skipped as reason:
            print(f"{name}: skipped: {reason}")
            skipped += 1
            continue
        for problem in problems:
            print(f"{name}: {problem}")
        passed += not problems
        failed += bool(problems)
    for name in tidy_samples.SAMPLES.keys() - RULES.keys():
        print(f"{name}: samples of no rule")
        failed += 1
    print(closing_line(passed, failed, skipped))
    return 1 if failed else 0


def main(arguments):
    option = arguments.pop(0) if arguments and arguments[0].startswith("--") else ""
    if option not in ("", "--list", "--self-test", "--warnings") or len(arguments) > 1:
        print(__doc__, file=sys.stderr)
        return 2
    if option == "--list":
        for name, (text, _) in RULES.items():
            print(f"{name:18} {text}")
        return 0
    if option == "--self-test":
        return self_test()
    root = pathlib.Path(arguments[0] if arguments else pathlib.Path(__file__).parent.parent)
    tree = tidy_source.Tree.load(root.resolve())
    if option == "--warnings":
        for source in tree:
            if REASON_FILE_LINES < len(source.lines) and source.name != "LICENSE":
                print(f"{source.path}: {len(source.lines)} lines: over {REASON_FILE_LINES} needs a "
                      "reason")
        return 0
    return check(tree)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
