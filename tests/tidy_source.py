"""How tidy.py reads a tree: files as text, C++ with comments and literals blanked, functions."""

import os
import pathlib
import re
import subprocess
import tempfile

LEFT_OUT = re.compile(r"^(?:\.git|build.*|archive|__pycache__|\.cache|\.clangd|subprojects)$")
TEXT_SUFFIXES = {"", ".cc", ".h", ".py", ".proto", ".toml", ".md", ".build", ".txt", ".json"}
PARENTHESES = re.compile(r"\([^()]*\)")
TYPE_HEADER = re.compile(r"\b(?:class|struct|union|enum)\b")
NAMESPACE_HEADER = re.compile(r'^(?:inline )?namespace\b|^extern ""$')


def _blank(text):
    return re.sub(r"[^\n]", " ", text)


def blank_literals(text):
    """C++ with comments, strings and characters blanked; every line and column keeps its place."""
    token = re.compile(
        r"""(?P<comment>//[^\n]*|/\*.*?\*/)"""
        r"""|(?P<raw>R"(?P<tag>[^\s()\\]{0,16})\(.*?\)(?P=tag)")"""
        r"""|(?P<string>"(?:\\.|[^"\\\n])*")"""
        r"""|(?P<separator>(?<=[0-9a-fA-F])'(?=[0-9a-fA-F]))"""
        r"""|(?P<character>'(?:\\.|[^'\\\n])*')""",
        re.DOTALL | re.VERBOSE,
    )

    def replace(match):
        found = match.group(0)
        if match.lastgroup == "separator":
            return found
        if match.group("comment"):
            return _blank(found)
        # Quotes stay, so that an empty word is still seen to be a literal.
        return found[0] + _blank(found[1:-1]) + found[-1] if len(found) > 1 else found

    return token.sub(replace, text)


class Source:
    """One text file. `path` is relative to the root, with slashes."""

    def __init__(self, path, text):
        self.path = path
        self.text = text
        self.lines = text.split("\n")
        if self.lines and self.lines[-1] == "":
            self.lines.pop()
        self.suffix = pathlib.PurePosixPath(path).suffix
        self.name = path.rsplit("/", 1)[-1]
        self.stem = self.name[: -len(self.suffix)] if self.suffix else self.name
        self.folder = path.split("/", 1)[0] if "/" in path else ""
        self.is_cpp = self.suffix in (".cc", ".h")
        self.is_bash = not self.suffix and text.startswith("#!") and "bash" in self.lines[0]
        self.code = blank_literals(text) if self.is_cpp else text
        self.code_lines = self.code.split("\n")

    def line_of(self, offset):
        return self.text.count("\n", 0, offset) + 1

    def includes(self):
        """(line, header, quoted) of every #include."""
        for number, line in enumerate(self.lines, 1):
            match = re.match(r'\s*#\s*include\s*(?:"([^"]+)"|<([^>]+)>)', line)
            if match:
                yield number, match.group(1) or match.group(2), match.group(1) is not None


class Tree:
    """All text files that belong to the project; `executable` names those with that bit."""

    def __init__(self, files, executable=(), root=None):
        self.sources = {path: Source(path, text) for path, text in sorted(files.items())}
        self.executable = set(executable)
        self.root = root
        self.paths = set(files)
        for path in files:
            self.paths.update(str(parent) for parent in pathlib.PurePosixPath(path).parents)

    def __iter__(self):
        return iter(self.sources.values())

    def cpp(self):
        return (source for source in self if source.is_cpp)

    @staticmethod
    def load(root):
        files, executable, others = {}, [], []
        for folder, folders, names in os.walk(root):
            folders[:] = [name for name in folders if not LEFT_OUT.match(name)]
            for name in names:
                file = pathlib.Path(folder, name)
                path = file.relative_to(root).as_posix()
                if file.suffix not in TEXT_SUFFIXES and not name.startswith("."):
                    others.append(path)
                    continue
                try:
                    files[path] = file.read_bytes().decode("utf-8")
                except UnicodeDecodeError:
                    others.append(path)
                    continue
                if os.access(file, os.X_OK):
                    executable.append(path)
        tree = Tree(files, executable, root)
        tree.paths.update(others)
        return tree


def _is_function_header(header):
    """Whether what stands before a brace, at namespace or class level, begins a function."""
    if "(" not in header or NAMESPACE_HEADER.match(header):
        return False
    flat = header.replace("operator()", "operator_call")
    flat = re.sub(r"operator\s*[^\s\w(]+", "operator_sign", flat)
    while PARENTHESES.search(flat):
        flat = PARENTHESES.sub("\x01", flat)
    if "=" in re.sub(r"<[^<>]*>", "", flat):
        return False
    before, _, after = flat.partition("\x01")
    if TYPE_HEADER.search(before) and "\x01" not in flat:
        return False
    # In `X::X() : a_` the brace opens a member's initializer; the function's own follows it.
    after = after.rpartition("\x01")[2] if "\x01" in after else after
    if re.search(r"(?<!:):(?!:)", flat.partition("\x01")[2]) and re.search(r"[\w>]$", flat):
        return False
    return not re.search(r"\b(?:class|struct|union|enum)\s+\w+\s*$", after)


def functions(source):
    """(first line, last line, header) of each function at namespace or class level."""
    code = re.sub(r"(?m)^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", lambda m: _blank(m.group(0)), source.code)
    stack = []  # (kind, header, header offset); what is inside a function is passed over
    header_start, kept, stack_start = 0, "", None
    found = []
    inside = 0  # open braces since the outermost function's own
    round_depth = 0
    for match in re.finditer(r"[{}();]", code):
        sign, offset = match.group(0), match.start()
        if inside:
            inside += {"{": 1, "}": -1}.get(sign, 0)
            if inside == 0:
                _, header, start = stack.pop()
                found.append((source.line_of(start), source.line_of(offset), header))
                header_start, kept, stack_start = offset + 1, "", None
            continue
        if sign in "()":
            round_depth = max(0, round_depth + (1 if sign == "(" else -1))
        elif sign == "{":
            piece = code[header_start:offset]
            header = re.sub(r"\s+", " ", kept + piece).strip()
            header = re.sub(r"^(?:(?:public|protected|private)\s*:(?!:)\s*)+", "", header)
            start = header_start + len(piece) - len(piece.lstrip())
            if stack_start is not None:
                start = stack_start
            if round_depth == 0 and _is_function_header(header):
                stack.append(("function", header, start))
                inside = 1
            elif round_depth == 0 and (NAMESPACE_HEADER.match(header) or
                                       (TYPE_HEADER.search(header) and "=" not in header)):
                stack.append(("scope", header, start))
                header_start, kept, stack_start = offset + 1, "", None
            else:
                # An initializer: the header goes on after it.
                stack.append(("value", kept + piece, start))
                header_start, kept, stack_start = offset + 1, "", None
        elif sign == "}":
            kind, header, start = stack.pop() if stack else ("scope", "", 0)
            header_start = offset + 1
            kept, stack_start = (header + " \x02", start) if kind == "value" else ("", None)
        elif sign == ";" and round_depth == 0 and not (stack and stack[-1][0] == "value"):
            header_start, kept, stack_start = offset + 1, "", None
    return found


def clang_format_problems(root, sources):
    """{path: first line that clang-format would change}, or None where it is not installed."""
    style = pathlib.Path(root, ".clang-format").resolve() if root else None
    arguments = [f"--style=file:{style}"] if style and style.exists() else ["--style=Google"]
    found = {}
    sources = list(sources)
    # One process for all: to start it takes longer than to look at a file.
    with tempfile.TemporaryDirectory() as folder:
        for source in sources:
            path = pathlib.Path(folder, source.path)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(source.text, encoding="utf-8")
        names = [source.path for source in sources]
        command = ["clang-format", *arguments, "--dry-run", *names]
        try:
            run = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, check=False,
                                 capture_output=True, text=True)
        except FileNotFoundError:
            return None
    if run.returncode != 0:
        raise RuntimeError(f"clang-format: {run.stderr}")
    for path, line in re.findall(r"^(.+?):(\d+):\d+: (?:warning|error):", run.stderr, re.M):
        found.setdefault(path, int(line))
    return found
