"""The Kalman tracker equals a filter written with matrices, and is as sure as it may be."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import linalg, stats

from drivemem_envs.sensing import Sensors, layout
from drivemem_envs.sensing.kalman import ACCELERATION_DENSITY, LEAST_NOISE, UNKNOWN_SPEED_MPS
from drivemem_envs.sensing.pipeline import SensorState

DT = 0.2
STATE = [layout.X, layout.Y, layout.VX, layout.VY]
WALL = [[15.0, 0.0, 0.0, 1.0, 40.0]]
LIMITED = {
    "exact": Sensors(),
    "noise": Sensors(noise_position_m=0.5, noise_speed_mps=0.3),
    "growing_noise": Sensors(noise_position_m=0.5, noise_speed_mps=0.3, noise_growth_per_m=0.05),
    "noisy_positions_only": Sensors(noise_position_m=0.8, hide=("velocity",)),
    "dropout": Sensors(dropout_per_s=4.0, noise_position_m=0.5, noise_speed_mps=0.3),
    "blackout": Sensors(
        blackout_per_s=0.5, blackout_mean_s=2.0, noise_position_m=0.5, noise_speed_mps=1.0
    ),
    "latency": Sensors(
        blackout_per_s=0.3, noise_position_m=0.5, noise_speed_mps=0.3, latency_s=0.6
    ),
}


class MatrixFilter:
    """Position and velocity of one actor, as textbooks write it: four states, joint updates."""

    def __init__(self, sensors: Sensors) -> None:
        self.sensors = sensors
        self.state: np.ndarray | None = None

    def predict(self, seconds: float) -> tuple[np.ndarray, np.ndarray]:
        """State and covariance some time after the last measurement; Van Loan's integral."""
        flow = np.kron([[0.0, 1.0], [0.0, 0.0]], np.eye(2))
        noise = np.kron([[0.0, 0.0], [0.0, ACCELERATION_DENSITY]], np.eye(2))
        block = linalg.expm(np.block([[-flow, noise], [np.zeros((4, 4)), flow.T]]) * seconds)
        step = block[4:, 4:].T
        return step @ self.state, step @ self.covariance @ step.T + step @ block[:4, 4:]

    def measure(self, seen: np.ndarray, distance: float, seconds: float) -> None:
        """Weigh a measurement (4,) of x, y, vx, vy; nan: not sensed."""
        limits = self.sensors
        growth = 1.0 + limits.noise_growth_per_m * distance
        deviations = np.repeat([limits.noise_position_m, limits.noise_speed_mps], 2) * growth
        noise = np.diag(np.maximum(deviations, LEAST_NOISE) ** 2)
        sensed = ~np.isnan(seen)
        if self.state is None:
            self.state = np.where(sensed, seen, 0.0)
            self.covariance = np.where(np.diag(sensed), noise, np.eye(4) * UNKNOWN_SPEED_MPS**2)
            return
        state, covariance = self.predict(seconds)
        pick = np.eye(4)[sensed]
        spread = pick @ covariance @ pick.T + noise[np.ix_(sensed, sensed)]
        gain = covariance @ pick.T @ np.linalg.inv(spread)
        self.state = state + gain @ (seen[sensed] - pick @ state)
        rest = np.eye(4) - gain @ pick
        noises = noise[np.ix_(sensed, sensed)]
        self.covariance = rest @ covariance @ rest.T + gain @ noises @ gain.T


def wandering(steps: int, seed: int, dt: float = DT) -> np.ndarray:
    """A path (T, 4) whose acceleration is white noise of the filter's density."""
    draw = np.random.default_rng(seed)
    block = np.array([[dt**3 / 3, dt**2 / 2], [dt**2 / 2, dt]]) * ACCELERATION_DENSITY
    kicks = draw.multivariate_normal([0, 0], block, size=(steps, 2))  # (T, axis, (place, speed))
    path = np.zeros((steps, 2, 2))
    path[0] = [[10.0, 3.0], [6.0, -1.0]]
    for step in range(1, steps):
        path[step] = path[step - 1] @ [[1.0, 0.0], [dt, 1.0]] + kicks[step]
    return path[:, :, :].transpose(0, 2, 1).reshape(steps, 4)


def row_of(state: np.ndarray) -> list[float]:
    return [state[0], state[1], 0.0, state[2], state[3], 5.0, 2.0, layout.VEHICLE]


EGO = [0.0, 0.0, 0.0, 0.0, 0.0, 5.0, 2.0, layout.VEHICLE]


def percepts_of(sensors, path, tracker, seed=1, dt=DT):
    state = SensorState(sensors, dt, tracker)
    state.reset(seed)
    return [state.sense([0, 7], [EGO, row_of(each)]) for each in path]


@pytest.mark.parametrize("limit", LIMITED)
def test_it_is_the_textbooks_filter(limit):
    sensors = LIMITED[limit]
    path, delay = wandering(80, seed=3), round(sensors.latency_s / DT)
    punctual = percepts_of(sensors.model_copy(update={"latency_s": 0.0}), path, "none")
    oracle, expected, last = MatrixFilter(sensors), [], None
    for step, seen in enumerate(punctual):
        if len(seen.ids):
            measured = seen.rows[0, STATE]
            gap = 0.0 if last is None else (step - last) * DT
            oracle.measure(measured, float(np.hypot(*measured[:2])), gap)
            last = step
        expected.append(None if last is None else (oracle.state, oracle.covariance, last))
    told = percepts_of(sensors, path, "kalman")
    assert any(len(seen.ids) == 0 for seen in punctual) == (
        limit in ("dropout", "latency", "blackout")
    )
    for step, seen in enumerate(told):
        then = expected[max(step - delay, 0)]
        assert len(seen.ids) == (then is not None)
        if then is None:
            continue
        oracle.state, oracle.covariance, last = then
        state, covariance = oracle.predict((step - last) * DT)
        np.testing.assert_allclose(seen.rows[0, STATE], state, rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(seen.sd_position[0], np.sqrt(covariance[0, 0]), rtol=1e-9)
        np.testing.assert_allclose(seen.sd_velocity[0], np.sqrt(covariance[3, 3]), rtol=1e-9)
        assert covariance[0, 0] == pytest.approx(covariance[1, 1])
        assert seen.age_s[0] == pytest.approx((step - last) * DT)


@pytest.mark.parametrize("limit", ["noise", "noisy_positions_only", "blackout", "latency"])
def test_its_doubt_is_its_error(limit):
    """Errors squared in units of what it says have the mean of chi-squared with two degrees."""
    runs, at = 300, 40
    sums = []
    for run in range(runs):
        path = wandering(at + 1, seed=run)
        seen = percepts_of(LIMITED[limit], path, "kalman", seed=run)[-1]
        error = seen.rows[0, STATE] - path[-1]
        sums.append(error.reshape(2, 2) / [[seen.sd_position[0]], [seen.sd_velocity[0]]])
    squares = np.sum(np.square(sums), axis=(0, 2))
    low, high = stats.chi2.ppf([0.0005, 0.9995], 2 * runs)
    assert (low < squares).all() and (squares < high).all()


def test_it_is_nearer_than_the_sensors_and_than_constant_velocity():
    sensors = LIMITED["growing_noise"]
    errors = {tracker: [] for tracker in ("none", "constant_velocity", "kalman")}
    for run in range(20):
        path = wandering(60, seed=run)
        for tracker, found in errors.items():
            seen = percepts_of(sensors, path, tracker, seed=run)
            rows = np.array([each.rows[0, STATE] for each in seen])
            found.append(np.square(rows - path)[10:].mean())
    means = {tracker: np.mean(found) for tracker, found in errors.items()}
    assert means["kalman"] < 0.7 * means["none"] == 0.7 * means["constant_velocity"]


def test_its_doubt_grows_while_the_actor_is_hidden_and_falls_when_it_is_seen_again():
    state = SensorState(
        LIMITED["noise"].model_copy(update={"line_of_sight": ("occluders",)}), DT, "kalman"
    )
    path = np.array([[30.0, 0.0, 1.0, 0.0]])
    doubts = []
    for step in range(30):
        wall = WALL if 10 <= step < 25 else None
        seen = state.sense([0, 7], [EGO, row_of(path[0])], occluders=wall)
        doubts.append((seen.sd_position[0], seen.sd_velocity[0]))
    hidden = np.array(doubts[9:25])
    assert (np.diff(hidden, axis=0) > 0).all()
    assert (np.array(doubts[25]) < hidden[-1]).all()


def test_a_track_that_was_given_up_begins_anew():
    state = SensorState(
        Sensors(line_of_sight=("occluders",), noise_position_m=1.0), 1.0, "kalman", 3.0
    )
    first = state.sense([0, 7], [EGO, row_of(np.array([30.0, 0.0, 0.0, 0.0]))])
    counts = []
    for _ in range(5):
        counts.append(len(state.sense([0], [EGO], occluders=WALL).ids))
    assert counts == [1, 1, 1, 0, 0]
    again = state.sense([0, 7], [EGO, row_of(np.array([50.0, 0.0, 0.0, 0.0]))])
    assert again.sd_position[0] == first.sd_position[0] == 1.0


def test_speeds_that_are_not_sensed_are_estimated_from_places():
    """The truth is 6 m/s; the filter begins with 0 +- 10 m/s, and never sees it."""
    path = np.array([[10.0 + 6.0 * DT * step, 3.0, 6.0, 0.0] for step in range(40)])
    seen = percepts_of(Sensors(hide=("velocity",)), path, "kalman")
    assert seen[0].rows[0, layout.VX] == 0.0
    assert seen[0].sd_velocity[0] == UNKNOWN_SPEED_MPS
    assert seen[-1].rows[0, layout.VX] == pytest.approx(6.0, abs=0.2)
    assert seen[-1].sd_velocity[0] < 1.0


@pytest.mark.parametrize("tracker", ["none", "hold_last", "constant_velocity", "perfect_recall"])
def test_without_a_filter_there_is_no_deviation(tracker):
    seen = percepts_of(LIMITED["noise"], wandering(5, seed=0), tracker)
    assert all((each.sd_position == 0).all() and (each.sd_velocity == 0).all() for each in seen)
