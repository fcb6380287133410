"""Which operations merging saves, on a tiny network: what is counted, not how fast this machine is."""

from napari_spatia.benchmark.merging import merging


def test_every_ratio_is_timed_and_merging_saves_operations_of_the_core():
    found = merging("tiny", (64, 128), times=1)
    assert [found[size]["tokens"] for size in ("64", "128")] == [64, 256]
    for size in found.values():
        assert list(size["ratios"]) == ["0%", "25%", "50%", "75%"]
        work = [row["gflop"] for row in size["ratios"].values()]
        assert work == sorted(work, reverse=True) and work[0] > work[-1]
        assert size["ratios"]["0%"]["times_faster"] == 1
        assert 0 < size["core"] < 1
        assert (work[0] - work[-1]) / work[0] < size["core"]  # nothing but the core becomes cheaper
