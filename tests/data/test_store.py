"""Safe writes: what was there stays, what is new is there whole, and a kill at any moment harms nothing."""

import os
import shutil
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import spatialdata
import zarr

from napari_spatia.data import keys
from napari_spatia.data.io import open_slide
from napari_spatia.data.store import (
    ExpressionTable,
    copy_store,
    read_obs,
    read_obsm,
    read_table,
    read_uns,
    write_cells,
    write_obs_columns,
    write_obsm,
    write_table,
)
from napari_spatia.data.transaction import staging_path, transaction
from napari_spatia.errors import SlideError

N = 42


def snapshot(folder: Path) -> dict[str, bytes]:
    """Every file of a store."""
    return {str(file.relative_to(folder)): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}


def test_columns_come_back_through_every_reader(any_slide_path: Path) -> None:
    types = np.array(["a", "b"] * (N // 2))
    confidence = np.linspace(0, 1, N, dtype=np.float32)
    write_obs_columns(
        any_slide_path,
        "table",
        {keys.OBS_CELL_TYPE: types, keys.OBS_CELL_TYPE_CONFIDENCE: confidence},
        uns={
            keys.UNS_SPATIA: {
                "checkpoint": "tiny",
                "seed": 3,
                "scores": {"accuracy": 0.9},
                "inputs": ["image", "genes"],
            }
        },
    )
    for obs in (
        read_obs(any_slide_path, "table"),
        open_slide(any_slide_path).obs,
        spatialdata.read_zarr(any_slide_path)["table"].obs,
    ):
        assert list(obs.columns) == ["instance", "region", "cell_type", *keys.PREDICTED_OBS[:2]]
        assert obs[keys.OBS_CELL_TYPE].astype(str).tolist() == types.tolist()
        np.testing.assert_array_equal(obs[keys.OBS_CELL_TYPE_CONFIDENCE], confidence)
    notes = read_uns(any_slide_path, "table", keys.UNS_SPATIA)
    assert notes["checkpoint"] == "tiny" and notes["scores"]["accuracy"] == 0.9
    assert notes["inputs"].tolist() == ["image", "genes"]
    assert read_uns(any_slide_path, "table", "never_written") is None


def test_a_write_touches_nothing_else(any_slide_path: Path) -> None:
    before = snapshot(any_slide_path)
    write_obs_columns(any_slide_path, "table", {"spatia_cluster": np.arange(N)})
    after = snapshot(any_slide_path)
    changed = {name for name in before if before[name] != after[name]}
    assert changed <= {"zarr.json", ".zmetadata", "tables/table/obs/zarr.json", "tables/table/obs/.zattrs"}
    assert all(name.startswith("tables/table/obs/spatia_cluster/") for name in after.keys() - before.keys())
    assert not staging_path(any_slide_path).exists()
    assert [entry.name for entry in any_slide_path.parent.iterdir()] == ["slide.zarr"]


def test_consolidated_metadata_is_what_zarr_itself_would_write(slide_path: Path) -> None:
    write_cells(
        slide_path,
        "table",
        obs={"spatia_cluster": [str(idx % 11) for idx in range(N)]},
        obsm={"spatia_cell": np.ones((N, 3), np.float32)},
        tables={"spatia_imputed": ExpressionTable(read_ids(slide_path), ("G1",), np.ones((N, 1), np.float32))},
    )
    ours = zarr.open_group(slide_path, mode="r").metadata.consolidated_metadata
    zarr.consolidate_metadata(zarr.open_group(slide_path, mode="r+").store)
    assert ours == zarr.open_group(slide_path, mode="r").metadata.consolidated_metadata


def read_ids(path: Path) -> np.ndarray:
    return read_obs(path, "table", ()).index.to_numpy(dtype=str)


def test_replacing_a_column_of_another_kind(any_slide_path: Path) -> None:
    write_obs_columns(any_slide_path, "table", {"spatia_cluster": [str(idx) for idx in range(N)]})
    write_obs_columns(any_slide_path, "table", {"spatia_cluster": np.arange(N, dtype=np.float32)})
    for obs in (read_obs(any_slide_path, "table"), spatialdata.read_zarr(any_slide_path)["table"].obs):
        assert obs["spatia_cluster"].dtype == np.float32
        assert list(obs.columns).count("spatia_cluster") == 1


def test_rows_are_aligned_by_cell_id(slide_path: Path) -> None:
    ids = read_ids(slide_path)[[5, 2, 9]]
    write_cells(slide_path, "table", cell_id=ids, obs={"spatia_annotation": ["x", "", "z"]}, obsm={"e": np.eye(3)})
    obs = read_obs(slide_path, "table", ("spatia_annotation",))
    assert obs["spatia_annotation"].dropna().to_dict() == {ids[0]: "x", ids[2]: "z"}
    embedding = read_obsm(slide_path, "table", "e")
    np.testing.assert_array_equal(embedding[[5, 2, 9]], np.eye(3))
    assert np.isnan(np.delete(embedding, [5, 2, 9], axis=0)).all()


def test_a_series_is_aligned_by_its_own_index(slide_path: Path) -> None:
    ids = read_ids(slide_path)
    write_obs_columns(slide_path, "table", {"order": pd.Series(np.arange(N), index=ids).iloc[::-1]})
    assert read_obs(slide_path, "table")["order"].tolist() == list(range(N))


def test_obsm_and_its_replacement(any_slide_path: Path) -> None:
    for width in (4, 2):
        write_obsm(any_slide_path, "table", {keys.OBSM_CELL: np.full((N, width), width, np.float32)})
    assert read_obsm(any_slide_path, "table", keys.OBSM_CELL).shape == (N, 2)
    assert spatialdata.read_zarr(any_slide_path)["table"].obsm[keys.OBSM_CELL].shape == (N, 2)
    assert read_obsm(any_slide_path, "table", "never_written") is None


def test_a_table_beside_annotates_the_same_cells(any_slide_path: Path) -> None:
    ids = read_ids(any_slide_path)
    matrix = np.random.default_rng(0).random((N, 2)).astype(np.float32)
    for _ in range(2):  # the second time it replaces the first
        write_table(any_slide_path, keys.TABLE_IMPUTED, ExpressionTable(ids, ("CD8A", "MS4A1"), matrix), like="table")
    back = read_table(any_slide_path, keys.TABLE_IMPUTED)
    assert back.genes == ("CD8A", "MS4A1") and back.cell_id.tolist() == ids.tolist()
    np.testing.assert_array_equal(back.matrix, matrix)
    whole = spatialdata.read_zarr(any_slide_path)
    imputed = whole[keys.TABLE_IMPUTED]
    assert imputed.uns["spatialdata_attrs"]["region"] == "cell_labels"
    assert imputed.obs["instance"].tolist() == whole["table"].obs["instance"].tolist()
    assert open_slide(any_slide_path).table_name == "table"  # not a second choice
    assert read_table(any_slide_path, "never_written") is None


def test_spatialdata_can_write_the_store_on(slide_path: Path, tmp_path: Path) -> None:
    write_obs_columns(slide_path, "table", {"spatia_cluster": ["1"] * N})
    spatialdata.read_zarr(slide_path).write(tmp_path / "again.zarr")
    assert open_slide(tmp_path / "again.zarr").obs["spatia_cluster"].astype(str).unique().tolist() == ["1"]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda p: write_obs_columns(p, "nope", {"a": np.ones(N)}), "no table 'nope'.*It has: table"),
        (lambda p: write_obs_columns(p, "table", {"a": np.ones(3)}), "'a' has 3 rows; expected 42"),
        (lambda p: write_obs_columns(p, "table", {"a/b": np.ones(N)}), "'a/b' is no name"),
        (lambda p: write_obs_columns(p, "table", {"Cell_Type": np.ones(N)}), "'cell_type' exists"),
        (lambda p: write_obsm(p, "table", {"e": np.ones(N)}), "1 dimensions; expected 2"),
        (lambda p: write_cells(p, "table", cell_id=["?"], obs={"a": [1]}), "not in the table, such as '\\?'"),
        (lambda p: write_obs_columns(p / "no", "table", {"a": [1]}), "No slide at"),
    ],
)
def test_bad_writes_change_nothing(slide_path: Path, call, message: str) -> None:
    before = snapshot(slide_path)
    with pytest.raises(SlideError, match=message):
        call(slide_path)
    assert snapshot(slide_path) == before
    assert not staging_path(slide_path).exists()


def test_a_read_only_store_is_refused_and_can_be_copied(slide_path: Path, tmp_path: Path) -> None:
    before = snapshot(slide_path)
    for entry in (slide_path, *slide_path.rglob("*")):
        entry.chmod(0o555 if entry.is_dir() else 0o444)
    with pytest.raises(SlideError, match="is read-only.*copy the slide"):
        write_obs_columns(slide_path, "table", {"a": np.ones(N)})
    assert snapshot(slide_path) == before
    copy = copy_store(slide_path, tmp_path / "copy.zarr")
    write_obs_columns(copy, "table", {"a": np.ones(N)})
    assert "a" in open_slide(copy).obs
    with pytest.raises(SlideError, match="exists already"):
        copy_store(slide_path, copy)


def test_two_writers_at_once_are_told_apart(slide_path: Path) -> None:
    with transaction(slide_path):
        with pytest.raises(SlideError, match="being written by another process"):
            write_obs_columns(slide_path, "table", {"a": np.ones(N)})
        open_slide(slide_path)  # reading is not held up, and leaves the other's staging alone
        assert staging_path(slide_path).exists()


def test_an_error_while_staging_changes_nothing(slide_path: Path) -> None:
    before = snapshot(slide_path)
    with pytest.raises(KeyboardInterrupt), transaction(slide_path) as change:
        change.group.create_group(change.stage("tables/table/obs/a"))
        raise KeyboardInterrupt
    assert snapshot(slide_path) == before
    assert not staging_path(slide_path).exists()


KILLER = textwrap.dedent("""
    import os, shutil, signal, sys
    import numpy as np
    from napari_spatia.data.store import ExpressionTable, write_cells

    done = 0

    def count(module, name, limit):
        original = getattr(module, name)
        def step(*args, **kwargs):
            global done
            done += 1
            if done == limit:
                os.kill(os.getpid(), signal.SIGKILL)
            return original(*args, **kwargs)
        setattr(module, name, step)

    def change(path, limit):
        for module, name in ((os, "rename"), (os, "replace"), (os, "fsync"), (os, "mkdir"), (shutil, "rmtree")):
            count(module, name, limit)
        n = 42
        ids = np.array([f"id{idx:03d}" for idx in range(n)])
        write_cells(
            path, "table",
            obs={"spatia_cluster": np.full(n, 2.5, np.float32), "spatia_domain": ["new"] * n},
            obsm={"spatia_cell": np.full((n, 5), 2, np.float32)},
            tables={"spatia_imputed": ExpressionTable(ids, ("B", "C"), np.full((n, 2), 2, np.float32))},
        )

    # One fork for each point, so that the libraries are imported once; none has a thread running yet.
    for line in sys.stdin:
        path, limit = line.rstrip("\\n").split("\\t")
        if not (child := os.fork()):
            change(path, int(limit))
            print("steps", done, flush=True)
            os._exit(0)
        print("status", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
""")


def run_killer(points: list[tuple[Path, int]]) -> list[str]:
    """Run the same change on each store, killed at its n-th touch of the disk; returns the lines printed."""
    asked = "".join(f"{path}\t{limit}\n" for path, limit in points)
    done = subprocess.run(
        [sys.executable, "-c", KILLER], input=asked, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split("\n")[:-1]


def state(obs: pd.DataFrame, width: int, genes: tuple[str, ...]) -> str:
    """'old' or 'new' when the four written things agree, otherwise what they are."""
    seen = (obs["spatia_cluster"].astype(str).iloc[0], "spatia_domain" in obs, width, genes)
    return {("one", False, 3, ("A",)): "old", ("2.5", True, 5, ("B", "C")): "new"}.get(seen, str(seen))


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.skipif(not hasattr(os, "fork"), reason="kill -9 and fork are needed")
def test_kill_9_at_many_points_leaves_the_old_or_the_new_state(any_slide_path: Path, tmp_path: Path) -> None:
    ids = read_ids(any_slide_path)
    write_cells(
        any_slide_path,
        "table",
        obs={"spatia_cluster": ["one"] * N},
        obsm={"spatia_cell": np.full((N, 3), 1, np.float32)},
        tables={"spatia_imputed": ExpressionTable(ids, ("A",), np.full((N, 1), 1, np.float32))},
    )
    whole_run = run_killer([(shutil.copytree(any_slide_path, tmp_path / "dry.zarr"), -1)])
    num_steps = int(whole_run[0].split()[1])
    points = [
        (shutil.copytree(any_slide_path, tmp_path / f"killed{limit}.zarr"), limit) for limit in kill_points(num_steps)
    ]
    assert run_killer(points) == [f"status {-signal.SIGKILL}"] * len(points)
    seen = []
    for path, _ in points:
        spatialdata.read_zarr(path)  # any other reader, before recovery
        open_slide(path)
        assert not staging_path(path).exists()
        table = read_table(path, "spatia_imputed")
        seen.append(state(read_obs(path, "table"), read_obsm(path, "table", "spatia_cell").shape[1], table.genes))
    after = spatialdata.read_zarr(points[-1][0])  # and another reader, after recovery
    obs, obsm, genes = after["table"].obs, after["table"].obsm["spatia_cell"], tuple(after["spatia_imputed"].var_names)
    assert state(obs, obsm.shape[1], genes) == seen[-1]
    assert set(seen) == {"old", "new"}
    assert seen == sorted(seen, key=["old", "new"].index)


def kill_points(num_steps: int) -> list[int]:
    """One while staging, and every second of the last, in which the change is committed and carried out."""
    return sorted({num_steps // 3, *range(max(1, num_steps - 23), num_steps + 1, 2)})
