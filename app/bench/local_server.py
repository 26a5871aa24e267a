"""The processes of a server on this machine, found by the port that it listens on."""

import ipaddress
from collections.abc import Iterable, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import psutil

from app.bench.soak_samples import role_of

CpuTimes = dict[tuple[int, float], tuple[str, float]]
"""CPU-seconds and role by process: its id, and when it began, because ids are used again."""


def processes_of(url: str) -> list[psutil.Process]:
    """Return all processes of the Ray server behind a loopback address; none of a remote one."""
    address = urlsplit(url)
    if not _is_loopback(address.hostname or ""):
        return []
    port = address.port or (443 if address.scheme == "https" else 80)
    found: dict[int, psutil.Process] = {}
    for pid in _listening(port):
        try:
            root = _root(psutil.Process(pid))
            family = [root, *root.children(recursive=True)]
        except psutil.Error:
            continue
        found.update((process.pid, process) for process in family)
    return list(found.values())


def cpu_times(processes: Iterable[psutil.Process]) -> CpuTimes:
    """Return what each living process has used, user and system."""
    times: CpuTimes = {}
    for process in processes:
        try:
            spent = process.cpu_times()
            key = (process.pid, process.create_time())
            times[key] = (role_of(process.cmdline()), spent.user + spent.system)
        except psutil.Error:  # it ended meanwhile
            continue
    return times


def cpu_by_role(before: CpuTimes, after: CpuTimes) -> dict[str, float]:
    """Return the CPU-seconds between two moments, by role, most first.

    What a process used that ended in between is not seen.
    """
    roles: dict[str, float] = {}
    for key, (role, spent_s) in after.items():
        used_s = spent_s - before.get(key, ("", 0.0))[1]
        roles[role] = roles.get(role, 0.0) + used_s
    return dict(sorted(roles.items(), key=lambda item: -item[1]))


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _listening(port: int) -> set[int]:
    """Return who listens on a port; those of other users are not seen without their rights."""
    try:
        connections = psutil.net_connections("tcp")
    except psutil.Error:
        return set()
    return {
        each.pid
        for each in connections
        if each.status == psutil.CONN_LISTEN and each.laddr and each.laddr.port == port and each.pid
    }


def _root(process: psutil.Process) -> psutil.Process:
    """Return the topmost ancestor that belongs to Ray: `serve run`, or the node's raylet."""
    root = process
    for parent in process.parents():
        if _is_server(parent.cmdline()):
            root = parent
    return root


def _is_server(words: Sequence[str]) -> bool:
    names = [Path(word).name for word in words[:3]]
    return names[:1] == ["raylet"] or ("serve" in names and "run" in names)
