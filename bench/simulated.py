"""The same links once more, in `http-torrent simulate`: what the program's own rules should need on them."""
import json
import statistics
import subprocess

SEEDS = (1, 2, 3)       # of the simulation's random choices: as many as real runs
SIMULATE_S = 120        # for one; a swarm of this size takes about a second
DELAY_MS = 0.1          # these links have no delay but the machine's own
HEADERS_PPM = 46_000


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
            "copies": statistics.median(r["seed_copies"] for r in runs)}


def result_of(output):
    """The last `result` of what was printed; None if there is none, or if somebody did not get the file."""
    events = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    results = [e for e in events if e.get("event") == "result" and e.get("time_s") is not None]
    return results[-1] if results else None


def scenario_of(case):
    """The case as `simulate` reads it."""
    return ""
