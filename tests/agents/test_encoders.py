"""Encoders: what they may see of a frame, and what must not matter."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch

from drivemem_agents.encoders import Encoder, encoder_names, make_encoder, register_encoder
from drivemem_agents.policy import MemoryPolicy

ROWS = gym.spaces.Box(-1.0, 1.0, (5, 7), np.float32)
GRID = gym.spaces.Box(-1.0, 1.0, (3, 11, 11), np.float32)
IMAGE = gym.spaces.Box(0, 255, (4, 64, 64), np.uint8)
FLAT = gym.spaces.Box(-1.0, 1.0, (9,), np.float32)
FULL = gym.spaces.Dict(
    {
        "vehicles": ROWS,
        "grid": GRID,
        "image": IMAGE,
        "route": FLAT,
        "cue": gym.spaces.Discrete(3),
    }
)
SUITS = {"vector": FLAT, "vehicles": ROWS, "grid": GRID, "image": IMAGE, "fusion": FULL}


def policy_of(space: Any, encoder: str, **settings: Any) -> MemoryPolicy:
    torch.manual_seed(0)
    actions = gym.spaces.Discrete(3)
    return MemoryPolicy(space, actions, lambda _: 1e-3, encoder=encoder, **settings).eval()


def frames(space: Any, count: int) -> Any:
    space.seed(1)
    samples = [space.sample() for _ in range(count)]
    if isinstance(space, gym.spaces.Dict):
        return {key: np.stack([sample[key] for sample in samples]) for key in space.spaces}
    return np.stack(samples)


def rows(*present: float) -> torch.Tensor:
    """One frame of vehicle rows; column 0 says which are present."""
    made = torch.rand(1, 5, 7, generator=torch.Generator().manual_seed(3)) - 0.5
    made[0, :, 0] = torch.tensor(present)
    return made


def vehicles(heads: int = 2) -> Encoder:
    torch.manual_seed(0)
    return make_encoder("vehicles", ROWS, {"width": 16, "heads": heads})


@pytest.mark.parametrize("name", encoder_names())
def test_every_encoder_gives_features_of_its_size(name):
    policy = policy_of(SUITS[name], name)
    for count in (1, 6):
        features = policy.encoder(policy.to_tensors(frames(SUITS[name], count)))
        assert features.shape == (count, policy.encoder.output_size)
        assert features.isfinite().all()


@pytest.mark.parametrize("name", encoder_names())
def test_every_frame_is_encoded_on_its_own(name):
    policy = policy_of(SUITS[name], name)
    many = policy.to_tensors(frames(SUITS[name], 5))
    alone = {key: value[3:4] for key, value in many.items()}
    torch.testing.assert_close(policy.encoder(many)[3:4], policy.encoder(alone))


@pytest.mark.parametrize("name", encoder_names())
def test_every_weight_of_every_encoder_learns(name):
    policy = policy_of(SUITS[name], name)
    encoder = policy.encoder
    encoder(policy.to_tensors(frames(SUITS[name], 8))).square().sum().backward()
    silent = [key for key, weight in encoder.named_parameters() if not weight.grad.any()]
    assert not silent


def test_the_order_of_the_others_does_not_matter():
    encoder, frame = vehicles(), rows(1, 1, 0, 1, 1)
    turned = frame[:, [0, 3, 1, 4, 2]]
    torch.testing.assert_close(
        encoder({"observation": frame}), encoder({"observation": turned}), atol=1e-6, rtol=0
    )


def test_the_ego_is_not_one_of_the_others():
    encoder, frame = vehicles(), rows(1, 1, 1, 1, 1)
    swapped = frame[:, [1, 0, 2, 3, 4]]
    change = encoder({"observation": frame}) - encoder({"observation": swapped})
    assert change.abs().max() > 1e-3


def test_hidden_rows_have_no_influence_whatever_they_hold():
    encoder, frame = vehicles(), rows(1, 1, 0, 1, 0)
    other = frame.clone()
    other[:, [2, 4], 1:] = 100.0
    assert torch.equal(encoder({"observation": frame}), encoder({"observation": other}))
    frame.requires_grad_(True)
    encoder({"observation": frame}).sum().backward()
    assert not frame.grad[:, [2, 4]].any()
    assert frame.grad[:, [1, 3]].any()


def test_a_row_that_appears_changes_what_is_seen():
    encoder = vehicles()
    hidden, shown = rows(1, 1, 0, 1, 0), rows(1, 1, 1, 1, 0)
    change = encoder({"observation": hidden}) - encoder({"observation": shown})
    assert change.abs().max() > 1e-3


def test_attention_is_shared_among_those_present():
    encoder = vehicles()
    weights = encoder.attention({"observation": rows(1, 1, 0, 1, 0)})  # type: ignore[operator]
    assert weights.shape == (1, 2, 5)
    torch.testing.assert_close(weights.sum(-1), torch.ones(1, 2))
    assert not weights[..., [2, 4]].any() and (weights[..., [0, 1, 3]] > 0.0).all()


def test_an_empty_road_is_no_special_case():
    encoder, empty = vehicles(), rows(1, 0, 0, 0, 0)
    weights = encoder.attention({"observation": empty})  # type: ignore[operator]
    torch.testing.assert_close(weights[0, :, 0], torch.ones(2))
    assert encoder({"observation": torch.zeros(1, 5, 7)}).isfinite().all()  # all dark


def test_presence_is_never_scaled_by_statistics():
    space = gym.spaces.Dict({"vehicles": ROWS, "route": FLAT})
    policy = policy_of(space, "fusion", normalize_observations=True)
    assert set(policy.normaliser.moments) == {"route"}


MIXES = [
    ("vehicles",),
    ("route", "cue"),
    ("vehicles", "grid"),
    ("image", "cue"),
    ("vehicles", "image", "route"),
    ("vehicles", "grid", "image", "route", "cue"),
]


@pytest.mark.parametrize("keys", MIXES, ids="+".join)
def test_any_mix_can_be_fused_and_each_part_is_read(keys):
    space = gym.spaces.Dict({key: FULL.spaces[key] for key in keys})
    policy = policy_of(space, "fusion")
    parts = policy.to_tensors(frames(space, 2))
    plain = policy.encoder(parts)
    for key in keys:
        other = {**parts, key: parts[key].flip(0)}
        assert not torch.allclose(plain, policy.encoder(other)), f"'{key}' is not read"


def test_fusion_picks_and_obeys():
    space = gym.spaces.Dict({"vehicles": ROWS, "route": FLAT})
    chosen = make_encoder("fusion", space)
    assert type(chosen.encoders["vehicles"]).__name__ == "VehiclesEncoder"
    told = make_encoder(
        "fusion", space, {"encoders": {"vehicles": "vector"}, "settings": {"route": {"widths": []}}}
    )
    assert list(told.encoders) == ["_vector"]
    assert told.encoders["_vector"].output_size == 5 * 7 + 9


def test_bytes_are_scaled_to_one():
    encoder = make_encoder("image", IMAGE)
    bright = encoder({"observation": torch.full((1, 4, 64, 64), 255, dtype=torch.uint8)})
    encoder.scale = 1.0
    ones = encoder({"observation": torch.ones(1, 4, 64, 64)})
    torch.testing.assert_close(bright, ones)


@pytest.mark.parametrize(
    ("name", "space", "kwargs", "words"),
    [
        ("vehicles", FLAT, {}, r"reads rows \(V, F\).*\(9,\).*use encoder='vector'"),
        ("vehicles", FULL, {}, "use encoder='fusion'"),
        ("vehicles", ROWS, {"width": 10, "heads": 3}, "heads=3 do not divide width=10"),
        ("grid", ROWS, {}, r"reads \(channels, height, width\).*use encoder='vector'"),
        ("image", gym.spaces.Box(0, 255, (1, 9, 9), np.uint8), {}, "smaller kernels or strides"),
        ("fusion", FULL, {"encoders": {"cues": "vector"}}, "told of 'cues', but.*the parts cue"),
        ("fusion", FULL, {"encoders": {"cue": "vektor"}}, "did you mean 'vector'"),
        (
            "fusion",
            gym.spaces.Dict({"a": FLAT, "b": FLAT}),
            {"settings": {"a": {"widths": []}, "b": {}}},
            "share one vector encoder",
        ),
        ("vector", gym.spaces.Text(3), {}, "flatten it with a Gymnasium wrapper"),
        ("grid", GRID, {"stride": 2}, "stride"),
    ],
)
def test_what_does_not_fit_is_said_with_a_way_out(name, space, kwargs, words):
    with pytest.raises(ValueError, match=words):
        make_encoder(name, space, kwargs)


def test_a_name_is_given_once():
    with pytest.raises(ValueError, match="'vector' is already registered"):
        register_encoder("vector")(Encoder)
