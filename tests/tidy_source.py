"""How tidy.py reads a tree: text, C++ with comments and literals blanked, functions, names."""

import os
import pathlib
import re
import subprocess
import tempfile

LEFT_OUT = re.compile(r"^(?:\.git|build.*|archive|__pycache__|\.cache|\.clangd|subprojects)$")
TEXT_SUFFIXES = {"", ".cc", ".h", ".py", ".proto", ".toml", ".md", ".build", ".txt", ".json"}
PARENTHESES = re.compile(r"\([^()]*\)")
TYPE_HEADER = re.compile(r"\b(?:class|struct|union|enum)\b")
NUMBER = re.compile(r"(?:unsigned )?"
                    r"(?:unsigned|int|long|bool|double|float|short|s?size_t|u?int\d+_t)")
TEXT = re.compile(r"string|string_view|char")
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


def _without_directives(code):
    return re.sub(r"(?m)^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", lambda m: _blank(m.group(0)), code)


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
    code = _without_directives(source.code)
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


def _flat(text):
    """The text without what stands in angle brackets."""
    text, before = text.replace("->", "  "), None
    while text != before:
        text, before = re.sub(r"<[^<>]*>", "", text), text
    return text


def _parameters(text):
    """What a function takes, and how many of that a call has to give.

    Numbers of any width are one kind, text of any type another: a call may convert them.
    """
    kinds, required = [], 0
    for parameter in filter(None, (part.strip() for part in text.split(","))):
        required += "=" not in parameter
        declared = parameter.partition("=")[0]
        words = re.sub(r"\bconst\b|[&*]|\w+::", " ", declared).split()
        kind = " ".join(words[:-1] or words)
        if NUMBER.fullmatch(kind):
            kind = "number"
        elif TEXT.fullmatch(kind):
            kind = "text"
        elif kind == "Document":  # RapidJSON's, which is a Value
            kind = "Value"
        kinds.append(kind)
    return kinds, required


def _declared(head):
    """(name, form) of a declaration; None for what has no name of its own."""
    if re.match(r"namespace\b|using namespace\b|static_assert\b", head) or "operator" in head:
        return None
    text = re.sub(r"^template ?|\[\[\w+\]\] ?|alignas\(\w+\) ?", "", _flat(head)).strip()
    match = re.match(r"TEST_GROUP\w*\((\w+)", text)
    if match:
        return f"group {match.group(1)}", ("type",)
    match = re.match(r"using (?:(\w+) =|[\w:]*::(\w+);)|.*\btypedef .*?(\w+);", text)
    if match:
        return next(filter(None, match.groups())), ("alias", head)
    match = re.match(r"(?:struct|class|union|enum class|enum)\b(?: (\w+))?[^(]*[{;]", text)
    if match:
        return (match.group(1), ("type",)) if match.group(1) else None
    match = re.match(r"[^({;=]*?([\w:]+)(?:\[[^\]]*\])* ?([({;=])(.*)", text)
    # What is a member's stands in its class, and a macro is no name.
    if not match or "::" in match.group(1) or match.group(1).isupper():
        return None
    if match.group(2) != "(" or re.match(r"k[A-Z]", match.group(1)):
        return match.group(1), ("value",)
    return match.group(1), ("function", *_parameters(match.group(3).rpartition(")")[0]))


def local_names(source):
    """(line, name, form) of what only this source knows; of a header, of all in its namespaces.

    As clang-format leaves it: what begins a line stands in a namespace, what is in that does not.
    """
    spaces, head, first, depth = [], "", 0, 0
    for number, line in enumerate(_without_directives(source.code).split("\n"), 1):
        if depth:
            depth += line.count("{") - line.count("}")
            continue
        space = re.match(r"(?:inline )?namespace\b([^{=]*)\{\s*$", line)
        if line.startswith("}"):
            del spaces[-1:]
        elif space and not head:
            spaces.append(space.group(1).strip())
        elif line.strip() and (head or line[0] != " "):
            first = first if head else number
            head = f"{head} {line.strip()}".strip()
            if head.count("(") == head.count(")") and re.search(r"[{;=]", _flat(head)):
                depth = head.count("{") - head.count("}")
                constant = re.match(r"static\b|constexpr\b|const\b[^(]*[{;=]|TEST_GROUP", head)
                if "" in spaces or constant or source.suffix == ".h":
                    found = _declared(head)
                    if found:
                        yield (first, *found)
                head = ""


def clash(one, other):
    """Whether two forms of one name cannot stand in one file, or a call may mean both."""
    if one[0] == other[0] == "function":
        (_, kinds, required), (_, other_kinds, other_required) = one, other
        counts = range(max(required, other_required), min(len(kinds), len(other_kinds)) + 1)
        return any(kinds[:count] == other_kinds[:count] for count in counts)
    return one[0] != "alias" or one != other


def included(tree, paths):
    """The project's headers that these files reach, over any number of others."""
    seen, waiting = set(), list(paths)
    while waiting:
        source = tree.sources.get(waiting.pop())
        for _, header, _ in source.includes() if source else ():
            if header in tree.sources and header not in seen:
                seen.add(header)
                waiting.append(header)
    return seen


def compiled_as_one(tree):
    """The sources of each target that builds with sanitizers compile in groups."""
    files = {}
    texts = {source.path: re.sub(r"#.*", "", source.text) for source in tree
             if source.name == "meson.build"}
    alone = {name for text in texts.values()
             for name in re.findall(r"(\w+) = [^\n]*'unity=off'", text)}

    def paths(folder, text):
        return [os.path.normpath(os.path.join(folder, name))
                for name in re.findall(r"'([^']+\.cc)'", text)]

    for path, text in texts.items():
        for name, listed in re.findall(r"(\w+) = (?:\[|files\()([^\])]*)", text):
            files.setdefault(name, []).extend(paths(os.path.dirname(path), listed))
    for path, text in texts.items():
        for call in re.findall(r"\b(?:executable|static_library)\((.*?)\)\n", text, re.S):
            words = set(re.findall(r"\w+", re.sub(r"'[^']*'", "", call)))
            if not words & alone:
                found = paths(os.path.dirname(path), call)
                found += [file for word in sorted(words) for file in files.get(word, ())]
                yield [file for file in found if file in tree.sources]


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
