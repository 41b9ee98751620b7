"""What a server costs, from /proc: of all its processes, since many of the rivals have several."""
import os
import pathlib

TICKS = os.sysconf("SC_CLK_TCK")
PROC = pathlib.Path("/proc")


def stat(path):
    """The fields of a stat file after the name, which may hold spaces; None: it has ended."""
    try:
        return path.read_text().rpartition(")")[2].split()
    except OSError:
        return None


def family(root):
    """The process and all that descend from it."""
    children = {}
    for path in PROC.glob("[0-9]*/stat"):
        fields = stat(path)
        if fields:
            children.setdefault(int(fields[1]), []).append(int(path.parent.name))
    found = [root]
    for pid in found:
        found += children.get(pid, [])
    return found


def busy(fields):
    return (int(fields[11]) + int(fields[12])) / TICKS


def cpu_seconds(roots):
    """Processor time until now, user and system."""
    fields = (stat(PROC / str(pid) / "stat") for root in roots for pid in family(root))
    return sum(busy(f) for f in fields if f)


def thread_seconds(roots):
    """The same by thread: how even the work is."""
    found = {}
    for root in roots:
        for pid in family(root):
            for path in (PROC / str(pid) / "task").glob("*/stat"):
                fields = stat(path)
                if fields:
                    found[path.parent.name] = busy(fields)
    return found


def pss_bytes(roots):
    """Memory, with what is shared divided among those that share it."""
    total = 0
    for root in roots:
        for pid in family(root):
            try:
                lines = (PROC / str(pid) / "smaps_rollup").read_text().splitlines()
            except OSError:
                continue
            total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) * 1024
    return total
