"""The same links once more, in `http-torrent simulate`: what the program's own rules should need on them."""
import json
import statistics
import subprocess

from shapes import HEADERS

SEEDS = (1, 2, 3)       # of the simulation's random choices: as many as real runs
SIMULATE_S = 120        # for one; a swarm of this size takes about a second
RTT = "400us"           # these links have no delay but the machine's own


def simulate(case, binary, work, tell):
    """Medians of the time (T/bound) and of the copies that the seed sends; None if this binary cannot simulate that."""
    if case.is_fault:
        return None
    scenario = work / f"{case.name}.toml"
    scenario.write_text(scenario_of(case))
    runs = []
    for seed in SEEDS:
        done = subprocess.run([binary, "simulate", scenario, "--seed", str(seed), "--json"], capture_output=True, text=True,
                              timeout=SIMULATE_S)
        result = result_of(done.stdout)
        if result is None:
            tell(f"{case.name}: simulate says {done.stderr.strip()[-500:]}")
            return None
        runs.append(result)
    return {"ratio": statistics.median(r["time_s"] for r in runs) / case.bound_s,
            # The simulator counts payload.
            "copies": statistics.median(r["seed_copies"] for r in runs) * HEADERS}


def result_of(output):
    """The last `result` of what was printed; None if there is none, or if somebody did not get the file."""
    events = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    results = [e for e in events if e.get("event") == "result" and e.get("time_s") is not None]
    return results[-1] if results else None


def scenario_of(case):
    """The case as `simulate` reads it (docs/simulate.md); it chooses the same size of a chunk as `torrentify`."""
    arrival = f'arrival = "every {case.every_s * 1000:.0f}ms"\n' if case.every_s else ""
    groups = [group("seed", "seed", 1, case.seed_up, case.seed_down)]
    groups += [group(f"leechers-{n}", "leecher", g.count, g.up, g.down) + arrival for n, g in enumerate(case.groups, 1)]
    return f'size = {case.size}\n\n' + "\n".join(groups) + f'\n[network]\nrtt = "{RTT}"\nheaders = true\n'


def group(name, role, count, up, down):
    return f'[[group]]\nname = "{name}"\nrole = "{role}"\ncount = {count}\nup = "{up}mbit"\ndown = "{down}mbit"\n'
