import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_spatia.model.token_merge import merge, plan_merge, unmerge

grids = st.sampled_from([(2, 2), (4, 4), (8, 8), (4, 8)])


@given(grid=grids, ratio=st.floats(0.01, 0.75), seed=st.integers(0, 999))
@settings(max_examples=60, deadline=None)
def test_merging_keeps_the_mass_and_the_number_of_tokens(grid, ratio, seed):
    tokens = torch.randn(2, grid[0] * grid[1], 5, generator=torch.Generator().manual_seed(seed))
    plan = plan_merge(tokens, grid, ratio)
    merged = merge(tokens, plan)
    assert merged.shape[1] == tokens.shape[1] - round(ratio * tokens.shape[1])
    if plan is not None:
        assert torch.allclose((merged * plan.count).sum(1), tokens.sum(1), atol=1e-4)
        assert torch.equal(plan.count.sum((1, 2)), torch.full((2,), float(tokens.shape[1])))
    assert unmerge(merged, plan).shape == tokens.shape


@given(grid=grids, seed=st.integers(0, 99))
@settings(max_examples=20, deadline=None)
def test_no_merging_is_the_identity(grid, seed):
    tokens = torch.randn(2, grid[0] * grid[1], 5, generator=torch.Generator().manual_seed(seed))
    plan = plan_merge(tokens, grid, 0.0)
    assert plan is None
    assert unmerge(merge(tokens, plan), plan) is tokens


def test_equal_tokens_are_merged_first_and_without_loss():
    tokens = torch.randn(1, 16, 4)
    corner = torch.tensor([0, 2, 8, 10])
    tokens[0, 1] = tokens[0, 0]
    tokens[0, 13] = tokens[0, 10]
    plan = plan_merge(tokens, (4, 4), 2 / 16)
    assert torch.allclose(unmerge(merge(tokens, plan), plan), tokens, atol=1e-6)
    assert plan.target[0, 1] == plan.target[0, 0] and plan.target[0, 13] == plan.target[0, 10]
    assert plan.target[0, corner].tolist() == [0, 1, 2, 3]
