import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_spatia.model.flow_path import NOISE_PASSES, START_STD, Spectrum, path_velocity, point_on_path
from napari_spatia.model.flow_solver import Inversion, invert, sample


@pytest.fixture
def condition(model, around, genes):
    with torch.no_grad():
        return model.condition(model.encode(around, genes), genes)


def velocity_of(model, condition, merge_ratio=0.0):
    return lambda x, t, step: model.decoder(x, t, step, condition, merge_ratio)


@given(t=st.floats(0, 1), seed=st.integers(0, 99))
@settings(max_examples=25, deadline=None)
def test_the_path_ends_at_noise_and_picture_and_its_velocity_is_its_slope(t, seed):
    start, picture = torch.randn(2, 2, 3, 8, 8, generator=torch.Generator().manual_seed(seed))
    at = lambda value: point_on_path(start, picture, torch.full((2,), value))  # noqa: E731
    assert torch.equal(at(0.0), start)
    assert torch.allclose(at(1.0), picture)
    assert torch.allclose(at(t) + (1 - t) * path_velocity(start, picture), picture, atol=1e-5)


@pytest.fixture
def smooth():
    """Pictures whose pixels are means over 5 × 5: neighbours correlate by 4/5."""
    return 5 * torch.nn.functional.avg_pool2d(torch.randn(400, 1, 68, 68), 5, 1)


@pytest.fixture
def spectrum(smooth):
    measured = Spectrum(1, 64)
    measured.measure(smooth)
    return measured


def neighbours_correlate(pictures):
    return (pictures[..., 1:] * pictures[..., :-1]).mean() / pictures.var()


def test_the_start_is_white_stronger_than_the_pictures_and_can_be_undone(smooth, spectrum):
    white = torch.randn(400, 1, 64, 64)
    noise = spectrum.colour(white, white)
    assert torch.allclose(spectrum.whiten(noise, white), white, atol=1e-5)
    assert abs(neighbours_correlate(noise)) < 0.01 < neighbours_correlate(smooth)
    assert noise.std().item() == pytest.approx(START_STD * smooth.std().item(), rel=0.05)


@pytest.mark.parametrize("t", [0.0, 0.3, 0.6, 0.9])
def test_what_the_spectrum_says_at_a_point_of_the_path(spectrum, smooth, t):
    start = spectrum.colour(torch.randn_like(smooth), smooth)
    at = torch.full((len(smooth),), t)
    x = point_on_path(start, smooth, at)
    assert spectrum.unit(x, at).std().item() == pytest.approx(1, rel=0.1)
    missed = path_velocity(start, smooth) - spectrum.velocity(x, at, torch.zeros_like(at))
    assert missed.std().item() == pytest.approx(spectrum.missed(at)[0].item(), rel=0.1)
    guess = spectrum.smoothed(x, at) * spectrum.std
    assert (guess - smooth).square().mean() <= smooth.square().mean() * 1.01
    if t > 0:
        assert (guess - smooth).square().mean() < (x / t - smooth).square().mean()


@pytest.mark.parametrize("nfe", [1, 2, 4])
def test_gaussian_pictures_are_drawn_without_a_network(spectrum, nfe):
    drawn = sample(spectrum.velocity, spectrum.colour(torch.randn(400, 1, 64, 64), torch.zeros(400, 1, 64, 64)), nfe)
    assert 0.7 < neighbours_correlate(drawn) < 0.9


def test_the_velocity_is_the_limit_of_short_steps_and_a_step_can_be_undone(spectrum, smooth):
    x, t = smooth[:3], torch.tensor([0.1, 0.5, 0.9])
    slope, short = (spectrum.velocity(x, t, torch.full((3,), step)) for step in (0.0, 1e-3))
    assert torch.allclose(slope, short, atol=0.05)
    step = torch.full((3,), 0.1)
    after = x + step[:, None, None, None] * spectrum.velocity(x, t, step)
    assert torch.allclose(spectrum.step_back(after, t, step), x, atol=1e-4)


@pytest.mark.parametrize("nfe", [1, 2, 4, 9])
def test_as_many_passes_are_made_as_are_reported(model, condition, nfe):
    calls = []
    handle = model.decoder.register_forward_hook(lambda *_: calls.append(1))
    with torch.no_grad():
        sample(velocity_of(model, condition), torch.randn(3, 3, 64, 64), nfe)
    handle.remove()
    assert len(calls) == nfe


def test_inversion_finds_the_noise_that_draws_the_picture(model, condition, image):
    velocity = velocity_of(model, condition)
    with torch.no_grad():
        again = sample(velocity, invert(velocity, model.decoder.spectrum.step_back, image, 4, Inversion()), 4)
    assert torch.nn.functional.mse_loss(again, image) < 1e-4 * image.var()


@pytest.mark.parametrize("nfe", [None, 1, 3, 4, 16])
def test_start_and_white_noise_are_inverse(model, condition, nfe):
    white = torch.randn(3, 3, 64, 64)
    for passes in NOISE_PASSES:
        model.decoder.spectrum.measure_noise(passes * torch.randn(3, 3, 64, 64), condition.prior, passes)
    assert torch.allclose(model.white_of(model.start(white, condition, nfe), condition, nfe), white, atol=1e-4)


def test_a_sampler_starts_from_the_noise_that_pictures_come_from(spectrum):
    expected = torch.zeros(400, 1, 64, 64)
    pictures_noise = 2 * torch.nn.functional.avg_pool2d(torch.randn(400, 1, 66, 66), 3, 1)
    spectrum.measure_noise(pictures_noise, expected, 4)
    start_std = START_STD * spectrum.std.item()
    for nfe, like in {4: pictures_noise, 5: pictures_noise, 8: None, 16: None, None: None}.items():
        noise = spectrum.colour(torch.randn(400, 1, 64, 64), expected, nfe) / start_std
        wanted = (1.0, 0.0) if like is None else (like.std().item(), neighbours_correlate(like).item())
        assert (noise.std().item(), neighbours_correlate(noise).item()) == pytest.approx(wanted, abs=0.05)


def test_noise_is_as_strong_as_in_cells_of_which_the_same_is_expected(spectrum):
    """Bright cells' pictures come from noise twice as strong as dim ones'; no cell is brighter or dimmer than these."""
    bright = torch.arange(400) % 2
    expected = (2.0 * bright - 1)[:, None, None, None].expand(400, 1, 64, 64)
    strength = (1.0 + bright)[:, None, None, None]
    spectrum.measure_noise(strength * torch.randn(400, 1, 64, 64), expected, 4)
    noise = spectrum.colour(torch.randn(400, 1, 64, 64), expected, 4) / (START_STD * spectrum.std)
    assert noise[bright == 1].std().item() == pytest.approx(2.0, rel=0.03)
    assert noise[bright == 0].std().item() == pytest.approx(1.0, rel=0.03)
    far = spectrum.colour(torch.randn(50, 1, 64, 64), 100 + expected[:50], 4) / (START_STD * spectrum.std)
    assert far.std().item() < 4, "what was never expected asks for no endless noise"


@pytest.mark.parametrize("part", ["tokens", "vector", "prior"])
def test_the_decoder_reads_every_part_of_its_condition(model, condition, part):
    from dataclasses import replace

    x, t = torch.randn(3, 3, 64, 64), torch.full((3,), 0.5)
    other = replace(condition, **{part: getattr(condition, part) + 1})
    with torch.no_grad():
        assert not torch.allclose(model.decoder(x, t, t, condition), model.decoder(x, t, t, other), atol=1e-5)


def test_longer_steps_are_told_to_the_decoder_and_short_ones_take_the_velocity(model, condition):
    x, t = torch.randn(3, 3, 64, 64), torch.zeros(3)
    with torch.no_grad():
        now, short, longer, long = (model.decoder(x, t, torch.full((3,), s), condition) for s in (0, 1 / 16, 1 / 8, 1))
    assert torch.equal(now, short)
    assert not torch.allclose(now, longer, atol=1e-5) and not torch.allclose(longer, long, atol=1e-5)


def test_an_untold_condition_keeps_the_expected_picture_alone(condition):
    rows = torch.tensor([True, False, True])
    for untold, some in ((condition.untold(), rows | True), (condition.untold(rows), rows)):
        assert torch.equal(untold.prior, condition.prior)
        for name in ("tokens", "vector"):
            was, now = getattr(condition, name), getattr(untold, name)
            assert not now[some].any() and torch.equal(now[~some], was[~some])


@pytest.mark.parametrize("merge_ratio", [0.25, 0.5, 0.75])
def test_merging_changes_the_drawing_a_little_and_no_merging_not_at_all(model, condition, merge_ratio):
    x, t = torch.randn(3, 3, 64, 64), torch.full((3,), 0.5)
    with torch.no_grad():
        whole, none, merged = (model.decoder(x, t, t, condition, ratio) for ratio in (0.0, 0.001, merge_ratio))
    assert torch.equal(whole, none)
    change = torch.nn.functional.mse_loss(merged, whole)
    assert 0 < change < whole.var()


def test_where_the_spectrum_leads_is_the_end_of_its_velocity(spectrum, smooth):
    x, t = torch.randn(4, 1, 64, 64), torch.tensor([0.0, 0.3, 0.6, 0.9])
    end = x + (1 - t)[:, None, None, None] * spectrum.velocity(x, t, 1 - t)
    assert torch.allclose(spectrum.led(x, t), end, atol=1e-4)


def test_one_pass_has_a_decoder_of_its_own(config, model, condition):
    assert model.sampler(1) is model.one_pass and model.sampler(2) is model.sampler() is model.decoder
    size = lambda network: sum(parameter.numel() for parameter in network.parameters())  # noqa: E731
    assert size(model.one_pass) < size(model.decoder) / 2
    with torch.no_grad():
        model.one_pass.spectrum.noise[0] = 3.0
        white = torch.randn_like(condition.prior)
        assert torch.allclose(model.white_of(model.start(white, condition, 1), condition, 1), white, atol=1e-5)
        assert not torch.allclose(model.start(white, condition, 1), model.start(white, condition, 2))
        alone = type(model)(config.model_copy(update={"one_pass": None}))
        assert alone.sampler(1) is alone.decoder
