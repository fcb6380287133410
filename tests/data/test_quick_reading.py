import sys
import threading
import warnings

import numpy as np
import pytest
import zarr

from napari_spatia.data.quick_reading import CODECS, INTERVAL_S, quick_reading

(CODEC_OPTION,) = CODECS


def test_what_is_usual_comes_back_when_the_last_thread_leaves():
    usual, codecs = sys.getswitchinterval(), zarr.config.get(CODEC_OPTION)
    entered, leave = threading.Event(), threading.Event()

    def other():
        with quick_reading():
            entered.set()
            assert leave.wait(10)

    thread = threading.Thread(target=other)
    with pytest.raises(KeyError), quick_reading():
        thread.start()
        assert entered.wait(10)
        assert sys.getswitchinterval() == pytest.approx(INTERVAL_S)
        raise KeyError
    assert sys.getswitchinterval() == pytest.approx(INTERVAL_S), "the other is still inside"
    assert zarr.config.get(CODEC_OPTION) == CODECS[CODEC_OPTION] != codecs
    leave.set()
    thread.join(10)
    assert sys.getswitchinterval() == pytest.approx(usual) and zarr.config.get(CODEC_OPTION) == codecs


@pytest.mark.parametrize("version", [2, 3])
def test_arrays_of_every_kind_read_alike(tmp_path, version):
    random = np.random.default_rng(0)
    arrays = {
        "counts": random.poisson(2.0, 5000).astype(np.float32),
        "rows": random.integers(0, 9, 5000, dtype=np.int32),
        "flags": random.random(5000) < 0.5,
        "texts": np.array([f"cell-{number}" for number in range(5000)], dtype=np.dtypes.StringDType()),
        "none": np.empty(0, np.int64),
    }
    group = zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=version)
    for name, values in arrays.items():
        group.create_array(name, shape=values.shape, dtype=values.dtype, chunks=(max(1, len(values) // 3),))[:] = values
    with quick_reading(), warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", message="Array is unsupported by ZarrsCodecPipeline")
        opened = zarr.open_group(tmp_path / "a.zarr", mode="r")
        for name, values in arrays.items():
            assert np.array_equal(opened[name][:], values) and opened[name][:].dtype == values.dtype
