import json

import pytest

from napari_spatia.errors import SpatiaError
from napari_spatia.inference.edit_file import read_edit, write_edit
from napari_spatia.inference.edits import Edit, NicheEdit

EDIT = Edit(
    (("EPCAM", 1.5), ("VIM", 0.0), ("programme:EMT", -1.0), ("towards:acinar", 0.5)),
    coexpressed=True,
    niche=NicheEdit.parse("replace=T cell@cell-3,cell-4"),
)


@pytest.mark.parametrize("edit", [EDIT, Edit(), Edit(niche=NicheEdit.parse("remove@cell-3"))])
def test_an_edit_comes_back_as_it_was_saved(edit, tmp_path):
    path = write_edit(edit, tmp_path / "new" / "edit.json", {"checkpoint": "sim-small"})
    assert read_edit(path) == edit
    assert json.loads(path.read_text())["checkpoint"] == "sim-small"
    assert [file.name for file in path.parent.iterdir()] == ["edit.json"]


def test_what_perturb_writes_is_an_edit(tmp_path):
    path = tmp_path / "perturb.json"
    path.write_text(json.dumps({"slide": "x.zarr", "log2_fc": {"EPCAM": 2}, "changed": {"EPCAM": 1.2}, "niche": None}))
    assert read_edit(path) == Edit((("EPCAM", 2.0),))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "Cannot read an edit"),
        ("[1]", "holds no edit"),
        ('{"genes": {}}', "none of log2_fc, programmes, towards, niche"),
        ('{"log2_fc": ["EPCAM"]}', "'log2_fc' of .* no set of names with a number each"),
        ('{"log2_fc": {"EPCAM": "much"}}', "no set of names with a number each"),
        ('{"log2_fc": {"EPCAM": NaN}}', "no set of names with a number each"),
        ('{"log2_fc": {}, "coexpressed": 1}', "'coexpressed' or 'niche'"),
        ('{"niche": "swap"}', "no niche edit"),
    ],
)
def test_a_file_that_is_no_edit_is_answered(text, message, tmp_path):
    path = tmp_path / "edit.json"
    path.write_text(text)
    with pytest.raises(SpatiaError, match=message):
        read_edit(path)


def test_a_file_that_is_not_there_is_answered(tmp_path):
    with pytest.raises(SpatiaError, match=r"Cannot read an edit from '.*nowhere.json'.* Expected a JSON object"):
        read_edit(tmp_path / "nowhere.json")


@pytest.mark.parametrize(
    "text",
    ["remove", "remove=B cell", "replace=B cell", "remove@1,2", "replace=B cell@1", "cell=1", "domain=2", "cell=a@b"],
)
def test_niche_edits_are_said_and_read_alike(text):
    assert str(NicheEdit.parse(text)) == text


@pytest.mark.parametrize("text", ["remove@", "remove=B cell@1", "replace@1", "swap@1", "domain", "", "replace=B@,"])
def test_what_is_no_niche_edit_is_answered(text):
    with pytest.raises(SpatiaError, match="is no niche edit"):
        NicheEdit.parse(text)
