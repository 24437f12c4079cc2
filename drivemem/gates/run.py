"""Running the gates of a scenario: each in turn, until one fails; what is done stays done."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from drivemem.comparison.rows import SuiteTable
from drivemem.errors import DrivememError
from drivemem.gates.arms import Budget, arms_of, find_oracle, find_scenario, gates_study
from drivemem.gates.measure import arms_in, measured
from drivemem.gates.report import GatesReport
from drivemem.gates.verdicts import GATES, ORACLE, Finding, Gate, Verdict
from drivemem.studies.local import run_local
from drivemem.studies.plan import Part, Plan, make_plan
from drivemem.studies.spec import Study
from drivemem_envs import Scenario

_STOPPED = "an earlier gate was not passed (--all tries this one all the same)"


def run_gates(
    scenario: str,
    budget: Budget | None = None,
    *,
    out: str | Path | None = None,
    oracle: str | None = None,
    every: bool = False,
    jobs: int | None = None,
    quiet: bool = False,
    told: Callable[[str], None] | None = None,
) -> GatesReport:
    """Ask whether a scenario may judge memories.

    Args:
        scenario: its name.
        budget: what it may cost.
        out: folder for runs and results; default `runs/gates-<scenario>`. Runs that are there are
            taken, interrupted ones go on.
        oracle: the driver that is told the truth, as `evaluate --driver` takes it; default
            `oracle`: by the scenario's own rule, else by a plan.
        every: run also what comes after a gate that was not passed.
        jobs: runs at once; default: one for each core.
        quiet: show no progress.
        told: given a line for every gate as it is decided, and what else must be known.

    Raises:
        DrivememError: unknown names, settings that do not fit, or a folder that holds other runs.
        KeyboardInterrupt: after Ctrl-C; the same call goes on.
    """
    found, budget = find_scenario(scenario), budget or Budget()
    driver, why = find_oracle(found, [oracle]) if oracle else find_oracle(found)
    if oracle and driver is None:
        raise DrivememError(why)
    study = gates_study(found, budget, driver)
    whole = make_plan(study, out)
    say = told or (lambda line: None)
    for note in whole.notes:
        say(note)
    findings: list[tuple[Gate, Finding]] = []
    table: SuiteTable | None = None
    stopped = False
    for gate in GATES:
        if stopped and not every:
            finding = Finding(Verdict.NOT_RUN, _STOPPED, {})
        elif gate.name == ORACLE and driver is None:
            finding = Finding(Verdict.NOT_RUN, why, {})
        else:
            finding, table = _try(gate, study, whole, driver, found, jobs, quiet)
            stopped |= finding.verdict is not Verdict.PASS
        findings.append((gate, finding))
        report = GatesReport(found, budget, whole.folder, tuple(findings), table, oracle, every)
        report.write()
        say(f"{gate.name}: {finding.verdict}: {finding.words}")
    return report


def _try(
    gate: Gate,
    study: Study,
    whole: Plan,
    driver: str | None,
    scenario: Scenario,
    jobs: int | None,
    quiet: bool,
) -> tuple[Finding, SuiteTable | None]:
    """Run what a gate needs, and judge it by all that is done."""
    arms = arms_of(gate, driver)
    plan = make_plan(study, whole.folder, Part(agents=arms))
    summary = run_local(plan, jobs, quiet=quiet)
    table = measured(whole, scenario) if summary.done else None
    if summary.failed or table is None:
        name, why = next(iter(summary.failed.items()))
        words = f"{len(summary.failed)} of {len(plan.cells)} runs failed: {name}: {why}"
        return Finding(Verdict.NOT_RUN, words, {}), table
    found = arms_in(table, driver)
    left_out = [name for name in arms if (ORACLE if name == driver else name) not in found]
    if left_out:  # such as runs that were evaluated with another version of highway-env
        words = f"what {', '.join(left_out)} drove cannot be compared: choose another --out"
        return Finding(Verdict.NOT_RUN, words, {}), table
    return gate.judge(found, table.judged), table
