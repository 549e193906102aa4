"""A host with an account for each shell that people have.

As in passwords.py, libnss-wrapper shows sshd accounts that this machine has not. They are nobody's where that can be: then none of what is tried here is
run by root."""
import os
import pwd
import shutil
import tempfile
from pathlib import Path

from .hosts import Sshd

LOGIN_SHELLS = ("zsh", "ksh93", "mksh", "fish")  # the account's; bash is there as well
ALONE = {"dash": "dash", "ash": "busybox", "only-zsh": "zsh", "only-ksh93": "ksh93", "only-mksh": "mksh"}  # sh is this, and there is no other
HANGS = "hangs"  # an account whose login shell does nothing
PROGRAMS = ("stty", "tty", "sleep", "ls", "cat", "echo", "true", "false", "seq", "head", "yes", "rm")


class ShellsHost:
    def __init__(self, authorized):
        self.place = Path(tempfile.mkdtemp(prefix="shells-", dir="/tmp"))  # pytest's directories are closed to other accounts
        self.place.chmod(0o755)
        matches = []
        for name, program in ALONE.items():
            matches += [f"Match User {name}", f"SetEnv PATH={self._programs(name, program)}"]
        self.sshd = Sshd(self.place / "sshd", authorized=authorized, matches=matches, environment=self._accounts())

    def _programs(self, name, shell):
        place = self.place / name
        place.mkdir()
        for called in ("sh", *PROGRAMS):
            (place / called).symlink_to(shutil.which(shell if called == "sh" or shell == "busybox" else called))
        return place

    def _accounts(self):
        nobody = pwd.getpwnam("nobody") if os.geteuid() == 0 else pwd.getpwuid(os.getuid())
        separation = pwd.getpwnam("sshd")
        shells = {name: shutil.which(name) for name in LOGIN_SHELLS} | {name: self.place / name / "sh" for name in ALONE}
        shells[HANGS] = self.place / HANGS
        shells[HANGS].write_text("#!/bin/sh\nexec sleep 300\n")
        shells[HANGS].chmod(0o755)
        lines = [f"{name}:x:{nobody.pw_uid}:{nobody.pw_gid}::{self.place}:{shell}" for name, shell in shells.items()]
        lines.append(f"sshd:x:{separation.pw_uid}:{separation.pw_gid}::/run/sshd:/usr/sbin/nologin")
        (self.place / "passwd").write_text("\n".join(lines) + "\n")
        (self.place / "group").write_text(f"accounts:x:{nobody.pw_gid}:\nseparation:x:{separation.pw_gid}:\n")
        return {"LD_PRELOAD": "libnss_wrapper.so", "NSS_WRAPPER_PASSWD": str(self.place / "passwd"),
                "NSS_WRAPPER_GROUP": str(self.place / "group")}

    def targets(self, **more):
        return [self.sshd.target(name, **{**more, "login": name}) for name in (*LOGIN_SHELLS, *ALONE, HANGS)]

    def stop(self):
        self.sshd.stop()
        shutil.rmtree(self.place)
