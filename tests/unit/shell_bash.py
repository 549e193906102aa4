"""Everything that bash and dash really run for a command line is among its effects, unless it is refused.

Each line of shell_cases/lines.txt and some generated ones (SHELL_GENERATED, SHELL_SEED) is run by the shells as nobody, in a directory of its
own, where all programs are stubs that log their arguments; what bash does itself is seen by its trace. Whatever was run,
and every file that has come to be, has to be covered by an effect of the line: an under-report is a failure, a refusal
(an effect `unknown` or `unparsable`) is not."""
import fcntl
import os
import random
import re
import resource
import shlex
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

import pytest

HERE = Path(__file__).parent
LINES = os.environ["SHELL_LINES"]
STUB = os.environ["SHELL_STUB"]
GENERATED = int(os.environ.get("SHELL_GENERATED", "150"))
SEED = int(os.environ.get("SHELL_SEED", "6"))
NOBODY = 65534

STUBS = ["ls", "rm", "cat", "sudo", "doas", "git", "curl", "find2", "python3", "perl", "awk", "sed", "tar", "rsync", "ssh", "docker",
         "kubectl", "systemctl", "grep", "wc", "sort", "make", "date", "uname", "mkdir", "z", "w", "b", "c", "d", "diff", "sleep"]
REAL = ["env", "xargs", "nice", "nohup", "timeout", "setsid", "stdbuf", "find"]  # what runs others, for real
KEYWORDS = {"if", "then", "else", "fi", "for", "while", "until", "case", "select", "[[", "((", "time", "{", "("}


@pytest.fixture(scope="module")
def place():
    directory = Path(tempfile.mkdtemp(prefix="shell-bash-"))
    programs = directory / "bin"
    programs.mkdir()
    shutil.copy(STUB, directory / "stub")
    (directory / "stub").chmod(0o755)
    for name in STUBS:
        (programs / name).symlink_to(directory / "stub")
    for name in REAL + ["sh", "bash", "dash"]:
        found = shutil.which(name, path="/usr/bin:/bin")
        if found:
            (programs / name).symlink_to(found)
    (directory / "work").mkdir()
    directory.chmod(0o755)
    if os.getuid() == 0:
        os.chown(directory / "work", NOBODY, NOBODY)
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


def judged(lines):
    """The effects of each line: lists of (kind, text)."""
    given = b"".join(line.encode() + b"\0" for line in lines)
    done = subprocess.run([LINES], input=given, capture_output=True, check=True)
    found = [[tuple(effect.split("\t", 1)) for effect in text.split("\n") if effect]
             for text in done.stdout.decode().split("\0")[:-1]]
    assert len(found) == len(lines)
    return found


def before_shell():
    os.setsid()
    resource.setrlimit(resource.RLIMIT_CPU, (2, 2))
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
    if os.getuid() == 0:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)


def execute(place, shell, line, status):
    """Runs it; (records of the stubs, lines of the trace, files that came to be)."""
    work = place / "work"
    log, trace = os.memfd_create("log"), os.memfd_create("trace")
    for fd in (log, trace):  # several write at once
        fcntl.fcntl(fd, fcntl.F_SETFL, os.O_APPEND)
    environment = {"PATH": str(place / "bin"), "HOME": str(work), "SHELL_STUB_LOG": str(log), "SHELL_STUB_STATUS": str(status),
                   "BASH_XTRACEFD": str(trace), "PS4": "\x02", "LC_ALL": "C.UTF-8"}
    options = ["-x"] if shell == "bash" else []
    process = subprocess.Popen([f"/bin/{shell}", *options, "-c", line], cwd=work, env=environment, pass_fds=(log, trace),
                               stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                               preexec_fn=before_shell)
    try:
        process.wait(timeout=20)
    except subprocess.TimeoutExpired:
        pass
    try:
        os.killpg(process.pid, signal.SIGKILL)  # what it left in the background
    except ProcessLookupError:
        pass
    process.wait()
    texts = [os.pread(fd, 1 << 20, 0).decode(errors="replace") for fd in (log, trace)]
    os.close(log)
    os.close(trace)
    files = sorted(path.name for path in work.iterdir())
    for path in work.iterdir():
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    return texts[0].split("\0")[:-1], texts[1].split("\n"), files


def pattern_of(exact):
    return re.compile("".join(".*" if c == "\x01" else re.escape(c) for c in exact), re.DOTALL)


def covers(runs, record):
    """Whether one of the effects is this call, whose words end by \\x1f. A word that is a hole may be no word."""
    for exact in runs:
        loose = exact.replace("\x01\x1f", "\x01")
        if pattern_of(exact).fullmatch(record) or pattern_of(loose).fullmatch(record):
            return True
        name, _, rest = record.partition("\x1f")
        own, _, own_rest = exact.partition("\x1f")
        if own.rsplit("/", 1)[-1] == name.rsplit("/", 1)[-1] and pattern_of(own_rest.replace("\x01\x1f", "\x01")).fullmatch(rest):
            return True
    return False


def traced_names(trace):
    """First words of what bash says it runs; assignments and reserved words are left out."""
    for text in trace:
        if not text.startswith("\x02"):
            continue
        text = text.lstrip("\x02")
        try:
            words = shlex.split(text)
        except ValueError:
            continue
        if not words or text.startswith("'' ") or words[0] in KEYWORDS or re.match(r"\w+(\[.*\])?\+?=", words[0]):
            continue
        yield words[0]


def missed(effects, calls, trace, files):
    """What was done and not said."""
    runs = [text.replace("\x02", "\n") for kind, text in effects if kind == "run"]
    names = {run.split("\x1f", 1)[0] for run in runs}
    for call in calls:
        if not covers(runs, call):
            yield f"run {call!r}"
    for name in traced_names(trace):
        if name not in names:
            yield f"traced {name!r}"
    written = [pattern_of(text) for kind, text in effects if kind == "write"]
    for name in files:
        if not any(pattern.fullmatch("/" + name) or pattern.fullmatch("/any/" + name) for pattern in written):
            yield f"file {name!r}"


def check(place, lines):
    refused = 0
    faults = []
    for line, effects in zip(lines, judged(lines)):
        if any(kind in ("unknown", "unparsable") for kind, _ in effects):
            refused += 1
            continue
        for shell, status in (("bash", 0), ("bash", 1), ("dash", 0)):
            calls, trace, files = execute(place, shell, line, status)
            for what in missed(effects, calls, trace, files):
                faults.append(f"{shell}: {line!r}: {what}; effects {effects}")
    assert not faults, "\n".join(faults[:40]) + f"\n{len(faults)} in all"
    return refused


def corpus():
    for text in (HERE / "shell_cases/lines.txt").read_text().split("\n"):
        if text and not text.startswith(("= ", "## ", "# Command lines", '# "=')):
            line = text.replace("⏎", "\n")
            yield line
            if "/tmp/" in line:  # which nobody may not write in, perhaps
                yield line.replace("/tmp/", "")


def test_nothing_of_the_corpus_is_done_unsaid(place):
    lines = list(corpus())
    assert len(lines) > 500
    refused = check(place, lines)
    assert refused < 0.6 * len(lines)


class Generator:
    """Command lines out of pieces, some of them odd."""

    def __init__(self, seed):
        self.random = random.Random(seed)

    def pick(self, *choices):
        return self.random.choice(choices)

    def word(self, depth):
        r = self.random.random()
        if r < 0.45:
            return self.pick("a", "b", "c.txt", "-r", "-l", "x=1", "/tmp/q", "1", "--", "if", "do", "{}", "!", "a#b", "é", "-")
        if r < 0.6:
            return self.pick("'a b'", '"a b"', "a\\ b", "'$(rm z)'", '"\\$(rm z)"', "\\;", "';'", "'`rm z`'", "''", '"a;b"', "'\"'", "\"'\"",
                             "\\'", '\\"', "\\\\", "'a'\"b\"c", "$'a b'", "$'\\n'", '$"x"', "\"\\\\\"", "'\\'", "'#'", "\"'$(rm q)'\"")
        if r < 0.72:
            return self.pick("$x", '"$x"', "${x}", "${x:-y}", "*", "?", "[ab]", "{a,b}", "~", "$?", "$#", "$$", '"$@"', "${x%.*}", "${#x}",
                             "$((1+2))", "a$", "${x:-$(rm v)}", "$1", "a{1..2}")
        if r < 0.9 and depth > 0:
            inner = self.line(depth - 1)
            return self.pick(f"$({inner})", f'"$({inner})"', f"<({inner})", f"`{inner}`", f'"a $({inner}) b"', f"$( {inner} )")
        return self.pick("\t", "\\\n", "#", "#a", "\\", "'", '"', "`", "$(", ")", "}", "{", "]]", "$((", "((", "<<<x", "é\u00a0", "$[1]")

    def name(self):
        return self.pick("ls", "rm", "cat", "echo", "true", ":", "grep", "'ls'", "l\\s", '"rm"', "cd", "printf", "\\rm", "command ls", "env ls",
                         "nice rm", "eval ls", "sh -c 'rm u'", "exec ls", "xargs rm", "timeout 3 cat", "bash -c \"rm t\"", "find . -exec rm {} \\;",
                         "x=1 ls", "env y=2 rm", "builtin echo", "test -f", "[ -f a ] && ls")

    def redirection(self):
        return self.pick(">o", "> o2", ">>o", "2>&1", "</dev/null", "2>/dev/null", "&>o3", ">&2", "<<<a", ">|o", "3>o4", "> 'o 5'", "2>o6")

    def simple(self, depth):
        words = [self.name()] + [self.word(depth) for _ in range(self.random.randrange(4))]
        if self.random.random() < 0.25:
            words.insert(self.random.randrange(len(words) + 1), self.redirection())
        return self.pick(" ", " ", " ", "  ", "\t").join(words)

    def command(self, depth):
        r = self.random.random()
        if r < 0.65 or depth <= 0:
            return self.simple(depth)
        one, two = self.line(depth - 1), self.line(depth - 1)
        return self.pick(f"({one})", f"{{ {one}; }}", f"if {one}; then {two}; fi", f"for i in 1 2; do {one}; done",
                         f"case a in a) {one};; *) {two};; esac", f"while {one}; do {two}; break; done", f"f() {{ {one}; }}; f",
                         f"! {one}", f"if {one}\nthen {two}\nelse {one}\nfi", f"cat <<E\n{self.body(depth)}\nE", f"cat <<'E'\n{one}\nE\n{two}",
                         f"until {one}; do {two}; break; done", f"time {one}", f"({one}) >o7", f"[[ -f a ]] && {one}",
                         f"case $x in (b) {one};; esac", f"{one} # {two}", f"function g {{ {one}; }}; g")

    def body(self, depth):
        return self.pick("a", "$(rm h)", "\\$(rm h)", f"${{x:-$({self.simple(depth - 1)})}}", "'$(rm h)'", "a\nb", "`rm k`", "E ", " E", "$x")

    def line(self, depth):
        parts = [self.command(depth)]
        while self.random.random() < 0.3:
            parts += [self.pick("; ", " | ", " && ", " || ", "\n", ";", "|", "&&", " |\n", " & ", " |& "), self.command(depth)]
        return "".join(parts)


def test_nothing_of_generated_lines_is_done_unsaid(place):
    generator = Generator(SEED)
    lines = [generator.line(generator.random.randrange(4)) for _ in range(GENERATED)]
    refused = check(place, lines)
    assert refused < 0.95 * len(lines), refused


def test_the_harness_sees_what_is_not_said(place):
    calls, trace, files = execute(place, "bash", "x=rm; $x a 'b c' > o; cd /", 0)
    assert calls == ["rm\x1fa\x1fb c\x1f"]
    effects = [("run", "ls\x1f"), ("run", "rm\x1fa\x1fb\x1f"), ("write", "\x01/p")]
    assert sorted(missed(effects, calls, trace, files)) == ["file 'o'", r"run 'rm\x1fa\x1fb c\x1f'", "traced 'cd'"]
