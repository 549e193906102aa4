"""Who of Gatehouse's processes is there, and what the kernel says of them."""
import os
from dataclasses import dataclass
from pathlib import Path

PREFIX = "gatehouse-"


@dataclass(frozen=True)
class Process:
    pid: int
    parent: int
    kind: str  # "front", "gate", …; "gatehouse" for the command itself; else the program's name

    def status(self, field):
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith(field + ":"):
                return line.split(":", 1)[1].strip()
        raise KeyError(field)

    def alive(self):
        try:
            return not self.status("State").startswith("Z")
        except OSError:
            return False

    def is_sealed(self):
        """For a fork of a zygote: it has a filter of its own besides what it was born with."""
        try:
            born = Path(f"/proc/{self.parent}/status").read_text().split("Seccomp_filters:")[1].split()[0]
            return int(self.status("Seccomp_filters")) > int(born)
        except OSError:
            return False  # it is gone

    def memory_kib(self):
        """Private memory: what this process alone costs."""
        return int(self.status("RssAnon").split()[0])

    def cpu_ticks(self):
        """What it has computed since its birth, in hundredths of a second."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return int(fields[11]) + int(fields[12])

    def descriptors(self):
        """What its descriptors lead to, as the kernel writes it; one that is closed meanwhile is left out."""
        links = []
        for name in os.listdir(f"/proc/{self.pid}/fd"):
            try:
                links.append(os.readlink(f"/proc/{self.pid}/fd/{name}"))
            except FileNotFoundError:
                pass
        return links

    def kill(self, number):
        os.kill(self.pid, number)


def _one(pid):
    try:
        parent = int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except (OSError, IndexError):
        return None
    program = os.path.basename(words[0].decode(errors="replace")).split(" ")[0].rstrip(":") if words[0] else ""
    kind = program[len(PREFIX):] if program.startswith(PREFIX) else program
    return Process(pid, parent, kind) if kind else None


def everybody():
    found = (_one(int(name)) for name in os.listdir("/proc") if name.isdigit())
    return [process for process in found if process]


def below(pid):
    """All descendants of a process, nearest first."""
    children = {}
    for process in everybody():
        children.setdefault(process.parent, []).append(process)
    result, queue = [], [pid]
    while queue:
        for process in children.get(queue.pop(0), []):
            result.append(process)
            queue.append(process.pid)
    return result
