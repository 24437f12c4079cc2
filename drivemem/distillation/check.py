"""What a student did not learn: both drive the same unseen episodes, and the teacher is asked."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import stats

from drivemem.config import DistillConfig
from drivemem.distillation.teachers import Teacher, open_teacher
from drivemem.distillation.worlds import TeachersWorlds
from drivemem.errors import DrivememError
from drivemem.evaluation.drivers import Decision, PolicyDriver, agent_identity, driver_identity
from drivemem.evaluation.episode_log import EpisodeLog
from drivemem.evaluation.evaluate import WORLDS
from drivemem.evaluation.jobs import open_worlds
from drivemem.evaluation.rollout import Moment, SuiteCallback, Transition, drive_suite
from drivemem.evaluation.selection import Selection
from drivemem.evaluation.suites import SuiteSeeds, make_suite
from drivemem.lesions import INTACT
from drivemem.progress import Progress
from drivemem.runs import NUMBER, Run, read_json, read_metrics, write_json_file
from drivemem.tables import Shown, Table
from drivemem.training.train import begin
from drivemem_agents import MemoryPPO
from drivemem_agents.dagger import divergence, target
from drivemem_agents.heads import CategoricalHead
from drivemem_agents.policy import MemoryPolicy

FALLING, RISING = 0.7, 0.1
"""A student still learns if, from one fifth of the imitation to the last, its divergence has fallen
below this share of what it was, or its return has risen by this share of what is still missing."""

NEAR = 0.01
"""A return that is less than this share of the teacher's below it is as good."""

Backend = Literal["compiled", "reference"]
Verdict = Literal["matched", "still learning", "imitation gap"]


@dataclass(frozen=True)
class Check(Shown):
    """What came of learning from a teacher, on unseen episodes."""

    teacher: str
    episodes: int
    student_return: float
    teacher_return: float
    below: float
    """Teacher's less student's return, on the same episodes."""
    below_low: float
    """Lower end of its 95 % interval over episodes."""
    below_high: float
    """Upper end."""
    student_success: float
    teacher_success: float
    divergence: float
    """Of the student from its teacher, mean over the states that the student itself came to: KL in
    nats, or the negative log-likelihood of continuous actions."""
    agreement: float | None
    """Share of those states in which both would do the same; None for continuous actions."""
    verdict: Verdict

    @property
    def words(self) -> str:
        """The verdict for people."""
        if self.verdict == "matched":
            return "the student drives as well as its teacher"
        behind = (
            f"the student's return is {self.below:.3f} [{self.below_low:.3f}, "
            f"{self.below_high:.3f}] below its teacher's"
        )
        if self.verdict == "still learning":
            return f"{behind}, and it was still learning: give it more --steps"
        return (
            f"{behind}, and it has stopped coming nearer at a divergence of {self.divergence:.3f} "
            "on its own states. That speaks of an imitation gap: what the teacher decides by is "
            "not in what this student sees or remembers (Warrington et al. 2021). A memory, or one "
            "that reaches further back, may close it; --finetune-steps finds what can be done "
            "without"
        )

    def as_tables(self) -> list[Table]:
        """Student beside teacher."""
        rows = [
            ("return", f"{self.student_return:z.3f}", f"{self.teacher_return:z.3f}"),
            ("success", f"{self.student_success:z.3f}", f"{self.teacher_success:z.3f}"),
            ("divergence on the student's states", f"{self.divergence:.3f}", "0"),
        ]
        if self.agreement is not None:
            rows.append(("the same action there", f"{self.agreement:.3f}", "1"))
        columns = (f"{self.episodes} unseen episodes", "student", f"teacher: {self.teacher}")
        return [Table(columns, rows, records=[vars(self)])]


def check(run: Run, config: DistillConfig, quiet: bool = False) -> Check:
    """Drive unseen episodes with the student and with its teacher, and write what differs.

    Args:
        run: of the student, trained.
        config: its configuration.
        quiet: no progress.

    Raises:
        DrivememError: a teacher that is gone or has changed its worlds.
    """
    teacher = open_teacher(config, run.folder)
    backend = begin(config, config.changed_scenario(), teacher.scenario)
    policy = MemoryPPO.load(run.model, device="cpu").policy
    own, apart = _student_drives(run, config, teacher, policy, backend, quiet)
    theirs = _teacher_drives(run, config, teacher, backend, quiet)
    below = _column(theirs, "return") - _column(own, "return")
    low, high = _interval(below)
    mean_return = float(_column(theirs, "return").mean())
    verdict: Verdict = "matched"
    if low > 0.0 and below.mean() > NEAR * abs(mean_return):
        verdict = "still learning" if _still_learning(run, mean_return) else "imitation gap"
    found = Check(
        teacher=teacher.label,
        episodes=len(below),
        student_return=float(_column(own, "return").mean()),
        teacher_return=mean_return,
        below=float(below.mean()),
        below_low=low,
        below_high=high,
        student_success=float(_column(own, "success").mean()),
        teacher_success=float(_column(theirs, "success").mean()),
        divergence=apart.divergence,
        agreement=apart.agreement,
        verdict=verdict,
    )
    write_json_file(run.distillation, asdict(found))
    return found


def read_check(run: Run) -> Check | None:
    """What `check` wrote into a run's folder; None: nothing.

    Raises:
        DrivememError: it is damaged.
    """
    path = run.distillation
    if not path.exists():
        return None
    numbers = {name: NUMBER for name in Check.__annotations__ if name not in _NO_NUMBERS}
    stored = read_json(path, **numbers)
    try:
        return Check(**stored)
    except TypeError as error:
        raise DrivememError(f"{path} is damaged: {error}; delete it") from error


_NO_NUMBERS = ("teacher", "verdict", "agreement")


def _student_drives(
    run: Run, config: DistillConfig, teacher: Teacher, policy: MemoryPolicy, backend: Backend,
    quiet: bool,
) -> tuple[list[dict[str, Any]], _Apart]:  # fmt: skip
    """The student's episodes, with the teacher watching."""
    suite = make_suite(config.changed_scenario(), config.check_episodes, "eval")
    seeds = SuiteSeeds(suite, min(WORLDS[backend], len(suite.seeds)))
    env = open_worlds(suite, seeds, backend, config.num_workers)
    watching = open_worlds(replace(suite, scenario=teacher.scenario), seeds, backend, None)
    try:
        teachers = TeachersWorlds(teacher, watching)
        teachers.reset()
        apart = _Apart(teachers, policy, len(suite.seeds))
        identity = agent_identity(run, INTACT, True)
        log = EpisodeLog(env, suite, identity, backend, Selection(0))
        student = PolicyDriver(policy, INTACT, True)
        title = f"{run.name} on unseen episodes"
        with Progress(title, len(suite.seeds), "episodes", 0, quiet) as bar:
            drive_suite(env, student, seeds, bar, [apart, log])
    finally:
        env.close()
        watching.close()
    log.sort()
    return log.episodes, apart


def _teacher_drives(
    run: Run, config: DistillConfig, teacher: Teacher, backend: Backend, quiet: bool
) -> list[dict[str, Any]]:
    """The teacher's episodes, the same ones."""
    suite = make_suite(teacher.scenario, config.check_episodes, "eval")
    seeds = SuiteSeeds(suite, min(WORLDS[backend], len(suite.seeds)))
    env = open_worlds(suite, seeds, backend, config.num_workers)
    try:
        shown = teacher.scenario
        identity = driver_identity(
            teacher.label, run.name, shown.observation.tracker, shown.sensors.is_full, True
        )
        log = EpisodeLog(env, suite, identity, backend, Selection(0))
        title = f"its teacher, {teacher.label}, on the same"
        with Progress(title, len(suite.seeds), "episodes", 0, quiet) as bar:
            drive_suite(env, teacher.driver, seeds, bar, [log])
    finally:
        env.close()
    log.sort()
    return log.episodes


class _Apart(SuiteCallback):
    """How far a driver is from a teacher who watches the same worlds.

    Args:
        teachers: the teacher's worlds.
        policy: that drives.
        wanted: number of episodes of the suite.
    """

    def __init__(self, teachers: TeachersWorlds, policy: MemoryPolicy, wanted: int) -> None:
        self._teachers, self._head, self._wanted = teachers, policy.action_head, wanted
        self._apart, self._same, self._counted = 0.0, 0, 0

    @property
    def divergence(self) -> float:
        """Mean over the states that counted."""
        return self._apart / max(self._counted, 1)

    @property
    def agreement(self) -> float | None:
        """Share of those in which both would do the same; None for continuous actions."""
        discrete = isinstance(self._head, CategoricalHead)
        return self._same / max(self._counted, 1) if discrete else None

    def decided(
        self, moment: Moment, observation: Any, masks: NDArray[Any] | None, decision: Decision
    ) -> None:
        """Ask the teacher about the state that the student decided in."""
        lesson = self._teachers.lesson()
        told = target(self._head, lesson, None if masks is None else torch.as_tensor(masks))
        counts = told["counts"].bool() & torch.as_tensor(moment.episode < self._wanted)
        if decision.parameters is None:
            raise TypeError("the driver has no distribution of actions to compare")
        with torch.inference_mode():
            apart = divergence(self._head, decision.parameters, told)[counts]
        here = counts.numpy()
        worlds = len(here)
        mine = np.asarray(decision.actions).reshape(worlds, -1)[here]
        theirs = np.asarray(lesson.actions).reshape(worlds, -1)[here]
        self._apart += float(apart.double().sum())
        self._same += int((mine == theirs).all(axis=1).sum())
        self._counted += int(here.sum())

    def stepped(self, moment: Moment, decision: Decision, transition: Transition) -> None:
        """The teacher's worlds follow."""
        self._teachers.follow(decision.actions, transition.rewards, transition.ended)


def _column(rows: list[dict[str, Any]], name: str) -> NDArray[np.float64]:
    return np.array([float(row[name]) for row in rows])


def _interval(values: NDArray[np.float64]) -> tuple[float, float]:
    """The 95 % t interval of the mean of independent values."""
    if len(values) < 2:
        return float("-inf"), float("inf")
    half = stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    return float(values.mean() - half), float(values.mean() + half)


def _still_learning(run: Run, teachers_return: float) -> bool:
    """Whether the student was still coming nearer to its teacher in the end of the imitation."""
    lines = read_metrics(run.metrics_file) if run.metrics_file.exists() else []
    imitating = [line for line in lines if line.get("distill/imitates") == 1.0]
    fifth = len(imitating) // 5

    def means(name: str) -> tuple[float, float]:
        """Of the fifth before the last, and of the last."""
        seen = [line.get(name) for line in imitating]
        parts = (seen[-2 * fifth : -fifth], seen[-fifth:])
        known = [[value for value in part if value is not None] for part in parts]
        before, last = (float(np.mean(part)) if part else np.nan for part in known)
        return before, last

    if not fifth:
        return True
    apart, returns = means("distill/divergence"), means("rollout/ep_rew_mean")
    rises = returns[1] - returns[0] > RISING * (teachers_return - returns[1])
    return bool(apart[1] < FALLING * apart[0] or rises)
