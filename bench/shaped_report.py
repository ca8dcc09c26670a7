"""Tables of what was measured on shaped links: T/bound and copies of each system, beside the simulation."""
import statistics
import time
from dataclasses import dataclass

from report import machine
from shapes import HEADERS, Case
from swarms import HttpTorrent

US, CURL = HttpTorrent.name, "nginx + curl"
AGREE = 5       # per cent: so far measurement and simulation may lie apart


@dataclass(frozen=True)
class Measured:
    case: Case
    results: dict       # lists of results by the system's name
    versions: list
    simulated: dict     # None: not simulated


def sections(measured, command, work):
    """(marker's name, text): what was measured of shapes, and of faults."""
    shapes = [m for m in measured if not m.case.is_fault]
    faults = [m for m in measured if m.case.is_fault]
    for name, some, parts in (("shaped", shapes, (shapes_table, alone, agreement)),
                              ("shaped-faults", faults, (faults_table,))):
        if some:
            said = [text for part in parts if (text := part(some))]
            yield name, "\n\n".join([*said, noise(some), footer(some, command, work)])


def shapes_table(measured):
    names = list(dict.fromkeys(name for m in measured for name in m.results))
    rows = [["shape", "Mbit/s up/down", "bound, s", *names, "simulated", f"{US} against it"]]
    rows.append(["---", "---"] + ["---:"] * (len(rows[0]) - 2))
    for m in measured:
        far = difference(m)
        rows.append([m.case.name, m.case.title, f"{m.case.bound_s:.1f}", *(figures(m, name) for name in names),
                     f"{m.simulated['ratio']:.3f} ({m.simulated['copies']:.2f})" if m.simulated else "–",
                     "–" if far is None else f"{far:+.1f} %"])
    return markdown(rows) + ("\n\nT / bound: the median [least–most], and (copies that the seed sent). Headers of packets alone "
                             f"make {HEADERS:.3f} of both, so that nothing below it can be reached.")


def faults_table(measured):
    rows = [["what goes wrong", "system", "complete in each run", "T / bound (copies)"], ["---", "---", "---:", "---:"]]
    for m in measured:
        for name, runs in m.results.items():
            lies = f"; the liars sent {statistics.median(r['lies'] for r in runs):.2f} copies" if m.case.liars else ""
            complete = ", ".join(str(r["complete"]) for r in runs)
            if m.case.seed_dies_at and not all(r["killed"] for r in runs):
                complete += " (not always killed: somebody was complete before)"
            rows.append([f"{m.case.name}: {m.case.title}", name, f"{complete} of {m.case.honest}{lies}", figures(m, name)])
    return markdown(rows) + "".join(f"\n\n`{m.case.name}`: {bounds(m)}" for m in measured if m.case.liars)


def bounds(m):
    """Who lies in one system is somebody else in another: not all of them have to be served."""
    of_systems = [f"{name} {runs[0]['bound_s']:.2f} s" for name, runs in m.results.items() if runs]
    return ("the liars of http-torrent take the file as everybody else does, those of the others claim to have it already. "
            f"So the bound is not the same: {', '.join(of_systems)}.")


def markdown(rows):
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def figures(m, name):
    """Of the runs in which all were complete; if there were others, that is said instead."""
    runs = m.results.get(name, [])
    if not runs:
        return "–"
    if lost := [r for r in runs if r["wall_s"] is None]:
        return f"**not complete** in {len(lost)} of {len(runs)}"
    ratios = [r["wall_s"] / r["bound_s"] for r in runs]
    copies = statistics.median(r["copies"] for r in runs)
    return f"{statistics.median(ratios):.3f} [{min(ratios):.3f}–{max(ratios):.3f}] ({copies:.2f})"


def median_s(m, name):
    walls = [r["wall_s"] for r in m.results.get(name, [])]
    return statistics.median(walls) if walls and None not in walls else None


def difference(m):
    """Per cent by which the real thing is slower than the simulated one."""
    wall = median_s(m, US)
    return (wall / m.case.bound_s / m.simulated["ratio"] - 1) * 100 if wall and m.simulated else None


def alone(measured):
    """Where there is nobody to share with, the fair comparison is a plain download."""
    return "\n".join(f"`{m.case.name}`: {US} took {(median_s(m, US) / median_s(m, CURL) - 1) * 100:+.1f} % longer than {CURL} "
                     f"(the goal is at most 3 %)." for m in measured if median_s(m, US) and median_s(m, CURL))


def agreement(measured):
    apart = {m.case.name: difference(m) for m in measured if difference(m) is not None}
    if not apart:
        return ""
    far = [name for name, by in apart.items() if abs(by) > AGREE]
    return (f"Measured and simulated T / bound are within {AGREE} % of each other in {len(apart) - len(far)} of {len(apart)} "
            "shapes" + (f"; not in {', '.join(far)}." if far else "."))


def noise(measured):
    runs = [r for m in measured for of in m.results.values() for r in of]
    others = [r["other_share"] * 100 for r in runs]
    spreads = [(max(w) - min(w)) / statistics.median(w) * 100 for m in measured for of in m.results.values()
               if (w := [r["wall_s"] for r in of if r["wall_s"]])]
    stolen = sum(r["stolen_s"] for r in runs)
    return (f"Noise: other work, and the kernel's for these links, took {statistics.median(others):.0f} % of the machine's CPU "
            f"while the clocks ran (median; at most {max(others):.0f} %), the hypervisor withheld {stolen:.2f} s in all; the "
            f"slowest and the fastest run of a system differ by up to {max(spreads, default=0):.0f} % of its median.")


def footer(measured, command, work):
    runs = sorted({len(of) for m in measured for of in m.results.values()})
    versions = dict.fromkeys(v for m in measured for v in m.versions)
    with open("/proc/sys/net/ipv4/tcp_congestion_control") as file:
        congestion = file.read().strip()
    return (f"`{command}`, medians of {' or '.join(map(str, runs))} interleaved runs each, {time.strftime('%Y-%m-%d')}, "
            f"{machine(work)}, TCP {congestion}; {'; '.join(versions)}.")
