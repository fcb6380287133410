"""What each objective wants of a step, on flows that are known."""

from typing import get_args

import pytest
import torch

from napari_spatia.model.config import ModelConfig
from napari_spatia.model.inputs import Condition
from napari_spatia.train.config import TrainConfig
from napari_spatia.train.few_steps import STEPS, FewStepObjective, draw_steps, wanted_velocity
from napari_spatia.train.losses import flow_loss

OBJECTIVES = get_args(FewStepObjective)
NUM = 64


class Straight(torch.nn.Module):
    """The flow of one picture: every noise goes straight to it, so any step's mean velocity is known."""

    def __init__(self, picture):
        super().__init__()
        self.picture, self.told = picture, []

    def forward(self, x, t, step, condition):
        self.told.append((t, step))
        return (self.picture - x) / (1 - t).clamp(min=1e-3)[:, None, None, None]


@pytest.fixture
def pair():
    generator = torch.Generator().manual_seed(0)
    picture = torch.randn(1, 2, 8, 8, generator=generator).expand(NUM, -1, -1, -1)
    return torch.randn(NUM, 2, 8, 8, generator=generator), picture


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_a_flow_that_is_right_is_wanted_as_it_is(objective, pair):
    start, picture = pair
    flow = Straight(picture)
    t, step = draw_steps(NUM, torch.Generator().manual_seed(1), like=start)
    some = t < 0.99
    t, step, start, picture = t[some], step[some], start[some], picture[some]
    flow.picture = picture
    wanted = wanted_velocity(objective, flow, flow, start, picture, None, t, step)
    assert torch.allclose(wanted, picture - start, atol=1e-3)
    for at, over in flow.told:  # no pass beyond the step that is learned
        assert (at >= t - 1e-6).all() and (at + over <= t + step + 1e-6).all()


def test_steps_are_those_of_the_samplers():
    t, step = draw_steps(400, torch.Generator().manual_seed(0), like=torch.zeros(1))
    assert set(step.tolist()) == set(STEPS)
    assert torch.equal(t / step, (t / step).round()) and (t + step <= 1).all()


@pytest.fixture
def decoders():
    from napari_spatia.model.flow_decoder import FlowDecoder

    config = ModelConfig.from_preset("tiny", ("A",), ("DAPI", "boundary"), ("a",))
    torch.manual_seed(0)
    pair = [FlowDecoder(config, config.decoder_shape) for _ in range(2)]
    for decoder in pair:
        torch.nn.init.normal_(decoder.head.weight, std=0.1)
    return config, *pair


def test_guidance_wants_more_of_what_the_condition_changes(decoders):
    config, decoder, teacher = decoders
    generator = torch.Generator().manual_seed(0)
    draw = lambda *shape: torch.randn(*shape, generator=generator)  # noqa: E731
    told = Condition(draw(4, 6, config.width), draw(4, config.width), draw(4, 3, 64, 64))
    picture, start, t = draw(4, 3, 64, 64), draw(4, 3, 64, 64), torch.linspace(0.1, 0.9, 4)
    plain, none, guided = (
        flow_loss(decoder, picture, start, told, t, guidance, teacher).item() for guidance in (0.0, 0.0, 1.0)
    )
    assert plain == none != guided
    untold = told.untold()  # nothing is told: the teacher and the network differ by what they are
    same = [flow_loss(decoder, picture, start, untold, t, guidance, decoder).item() for guidance in (0.0, 1.0)]
    assert same[0] == pytest.approx(same[1], rel=1e-5)


class Constant(torch.nn.Module):
    """A decoder that says one velocity when it is told something, and another when not."""

    def __init__(self, spectrum, told, untold):
        super().__init__()
        self.spectrum, self.told, self.untold = spectrum, told, untold

    def forward(self, x, t, step, condition):
        return (self.told if condition.vector.any() else self.untold).expand_as(x)


@pytest.mark.parametrize("guidance", [0.0, 0.5, 1.0, 3.0])
def test_what_is_learned_is_the_velocity_of_classifier_free_guidance(decoders, guidance):
    config, decoder, _ = decoders
    start, along = torch.zeros(1, 3, 64, 64), torch.full((1, 3, 64, 64), 2.0)
    told = Condition(torch.ones(1, 6, config.width), torch.ones(1, config.width), start)
    without, t = torch.tensor(0.5), torch.tensor([0.5])
    teacher = Constant(decoder.spectrum, None, without)

    def loss(velocity):
        learns = Constant(decoder.spectrum, torch.tensor(velocity), without)
        return flow_loss(learns, start + along, start, told, t, guidance, teacher).item()

    expected = 0.5 + (1 + guidance) * (2.0 - 0.5)
    assert loss(expected) == pytest.approx(0, abs=1e-9)
    assert loss(expected - 0.2) > 1e-5 and loss(expected + 0.2) > 1e-5


@pytest.mark.parametrize("objective", ["consistency", "mean_flow"])
def test_guidance_is_refused_where_the_path_itself_is_the_target(objective):
    with pytest.raises(ValueError, match="guidance"):
        TrainConfig(guidance=1.0, few_step_objective=objective)
