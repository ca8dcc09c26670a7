"""Tables: medians with their spread, ratios against the peer of the same run, and their place in docs/benchmarks.md."""
import os
import platform
import re
import statistics
import time
from pathlib import Path

COLUMNS = ("system", "wall s", "ratio", "CPU s", "CPU s/GiB", "ratio", "RSS of a leecher, MiB", "RSS of the seed, MiB")


def table(results, reference):
    """Markdown. Ratios are of medians, against `reference`; below 1 is less."""
    def median(system, key):
        return statistics.median(r[key] for r in results[system])

    def ratio(system, key):
        base = median(reference, key)
        return "–" if system == reference or not base else f"{median(system, key) / base:.2f}"

    return markdown(COLUMNS, [
        (system, spread([r["wall_s"] for r in runs]), ratio(system, "wall_s"), f"{median(system, 'cpu_s'):.3f}",
         f"{median(system, 'cpu_s_per_gib'):.2f}", ratio(system, "cpu_s_per_gib"), memory(runs, "leecher_rss"),
         memory(runs, "seed_rss")) for system, runs in results.items()])


def markdown(columns, rows):
    """A table; all but the first column are figures."""
    rows = [columns, ("---",) + ("---:",) * (len(columns) - 1), *rows]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def spread(figures, digits=3):
    return f"{statistics.median(figures):.{digits}f} [{min(figures):.{digits}f}–{max(figures):.{digits}f}]"


def memory(runs, key):
    """MiB; a process that was too short to be sampled has none."""
    most = max(r[key] for r in runs) / 2**20
    return f"{most:.0f}" if most >= 1 else "–"


def noise(results, of_walls=True):
    """What else the machine did while the clocks ran, and how far each system's own runs lie apart."""
    runs = [r for of in results.values() for r in of]
    others = [r["other_share"] * 100 for r in runs]
    stolen = sum(r["stolen_s"] for r in runs)
    text = (f"Noise: other work took {statistics.median(others):.0f} % of the machine's CPU while the clocks ran (median; at "
            f"most {max(others):.0f} %), the hypervisor withheld {stolen:.2f} s in all")
    if of_walls:
        apart = max((max(w) - min(w)) / statistics.median(w) * 100 for w in ([r["wall_s"] for r in of] for of in results.values()))
        text += f"; the slowest and the fastest run of a system differ by up to {apart:.0f} % of its median"
    return text + "."


def section(title, results, reference, command, versions, work, note=""):
    """All that is said of one case of deliveries."""
    return whole(title, table(results, reference),
                 f"{medians_of(results)}; memory is the most of all runs; ratios against {reference}.\n{noise(results)}",
                 note, made_by(command, versions, work))


def whole(title, *paragraphs):
    return "\n\n".join([f"### {title}", *(p for p in paragraphs if p)])


def medians_of(results):
    runs = len(next(iter(results.values())))
    return f"Medians of {runs} interleaved {'run' if runs == 1 else 'runs'} [least–most]"


def made_by(command, versions, work):
    return f"`{command}`, {time.strftime('%Y-%m-%d')}, {machine(work)}; {'; '.join(dict.fromkeys(versions))}."


def machine(work):
    cpu = re.search(r"model name\s*:\s*(.*)", Path("/proc/cpuinfo").read_text())
    memory = int(re.search(r"MemTotal:\s*(\d+)", Path("/proc/meminfo").read_text())[1]) / 2**20
    return (f"{os.cpu_count()} × {cpu[1].strip() if cpu else platform.machine()}, {memory:.0f} GiB, "
            f"Linux {platform.release()}, files on {file_system(work)}")


def file_system(path):
    """The type of what is mounted at the longest of the mount points that `path` lies below."""
    mounts = [line.split()[1:3] for line in Path("/proc/mounts").read_text().splitlines()]
    own = [(len(at), kind) for at, kind in mounts if Path(path).resolve().is_relative_to(at)]
    return max(own)[1]


def put(document, name, text):
    """`document` with what is between the markers of `name` replaced; nothing else changes."""
    begin, end = f"<!-- bench:{name} begin -->", f"<!-- bench:{name} end -->"
    before, found, rest = document.partition(begin)
    _, found_end, after = rest.partition(end)
    if not found or not found_end or begin in rest:
        raise ValueError(f"there must be one '{begin}' with a '{end}' after it")
    return f"{before}{begin}\n{text}\n{end}{after}"
