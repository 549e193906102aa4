"""Makes a living process do one system call more than its program has, by ptrace; what a break-in would do.

As a program: inject.py PID NAME. Prints `killed SIGNAL` or `returned VALUE`. Needs root: our processes are not
dumpable. x86-64 only.
"""
import ctypes
import os
import signal
import sys

ATTACH, DETACH, GETREGS, SETREGS, PEEK, POKE, STEP = 16, 17, 12, 13, 2, 5, 9
SYSCALL = 0x050F  # the instruction, little-endian

# name: (number, arguments); PATH stands for the address of "/etc/passwd" on the victim's stack
CALLS = {
    "getpid": (39, []),
    "open": (2, ["PATH", 0, 0]),
    "openat": (257, [-100, "PATH", 0, 0]),
    "openat2": (437, [-100, "PATH", 0, 0]),
    "socket": (41, [2, 1, 0]),
    "socket_unix": (41, [1, 1, 0]),
    "connect": (42, [0, 0, 0]),
    "execve": (59, ["PATH", 0, 0]),
    "fork": (57, []),
    "ptrace": (101, [0, 0, 0, 0]),
    "kill": (62, [1, 0]),
    "unlink": (87, ["PATH"]),
    "bpf": (321, [0, 0, 0]),
    "io_uring_setup": (425, [1, 0]),
    "mount": (165, [0, 0, 0, 0, 0]),
    "setuid": (105, [0]),
    "ftruncate": (77, [0, 0]),
    "lseek": (8, [0, 0, 0]),
    "pwrite64": (18, [0, 0, 0, 0]),
    "socket_x32": (0x40000000 + 41, [2, 1, 0]),
}


class Registers(ctypes.Structure):
    _fields_ = [(name, ctypes.c_ulonglong) for name in (
        "r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi orig_rax rip cs eflags rsp ss fs_base gs_base "
        "ds es fs gs").split()]


_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.restype = ctypes.c_long
_libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]


def _ptrace(request, pid, address=None, data=None):
    ctypes.set_errno(0)
    value = _libc.ptrace(request, pid, address, data)
    if value == -1 and ctypes.get_errno():
        raise OSError(ctypes.get_errno(), f"ptrace {request}")
    return value


def _poke(pid, address, raw):
    for at in range(0, len(raw), 8):
        word = int.from_bytes(raw[at:at + 8].ljust(8, b"\0"), "little")
        _ptrace(POKE, pid, address + at, word)


def inject(pid, name):
    """("killed", signal) or ("returned", value); the victim goes on in the second case."""
    number, arguments = CALLS[name]
    _ptrace(ATTACH, pid)
    os.waitpid(pid, 0)
    saved, changed = Registers(), Registers()
    _ptrace(GETREGS, pid, None, ctypes.addressof(saved))
    ctypes.memmove(ctypes.addressof(changed), ctypes.addressof(saved), ctypes.sizeof(saved))
    path = (saved.rsp - 1024) & ~15
    _poke(pid, path, b"/etc/passwd\0")
    code = _ptrace(PEEK, pid, saved.rip) & (2**64 - 1)
    _ptrace(POKE, pid, saved.rip, code & ~0xFFFF | SYSCALL)
    for register, argument in zip(("rdi", "rsi", "rdx", "r10", "r8"), arguments):
        setattr(changed, register, (path if argument == "PATH" else argument) & (2**64 - 1))
    # orig_rax -1: the call that was under way is not restarted on top of ours.
    changed.rax, changed.orig_rax = number, 2**64 - 1
    _ptrace(SETREGS, pid, None, ctypes.addressof(changed))
    _ptrace(STEP, pid)
    _, status = os.waitpid(pid, 0)
    if os.WIFSIGNALED(status):
        return "killed", os.WTERMSIG(status)
    if os.WIFSTOPPED(status) and os.WSTOPSIG(status) != signal.SIGTRAP:
        stopped = os.WSTOPSIG(status)
        _ptrace(DETACH, pid, None, stopped)
        return "killed", stopped
    _ptrace(GETREGS, pid, None, ctypes.addressof(changed))
    value = ctypes.c_longlong(changed.rax).value
    _ptrace(POKE, pid, saved.rip, code)
    _ptrace(SETREGS, pid, None, ctypes.addressof(saved))
    _ptrace(DETACH, pid)
    return "returned", value


if __name__ == "__main__":
    print(*inject(int(sys.argv[1]), sys.argv[2]))
