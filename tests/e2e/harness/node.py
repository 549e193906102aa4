"""Packages of npm for programs of the tests: outside of the tree, one directory for each package.json, installed once."""
import fcntl
import hashlib
import os
import shutil
import tempfile
from pathlib import Path

from .system import run


def cache():
    place = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gatehouse-tests"
    place.mkdir(parents=True, exist_ok=True)
    return place


def modules(directory):
    """Where node_modules is with what directory/package.json asks for."""
    package = (directory / "package.json").read_bytes()
    place = cache() / f"{directory.name}-{hashlib.sha256(package).hexdigest()[:16]}"
    with open(cache() / "lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (place / "node_modules").is_dir():
            fresh = Path(tempfile.mkdtemp(prefix="new-", dir=cache()))
            try:
                (fresh / "package.json").write_bytes(package)
                done = run("npm", "install", "--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts", "--loglevel=error",
                           cwd=fresh, timeout=300)
                assert done.returncode == 0, f"npm install: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
                shutil.rmtree(place, ignore_errors=True)
                fresh.rename(place)
            finally:
                shutil.rmtree(fresh, ignore_errors=True)
    return place / "node_modules"
