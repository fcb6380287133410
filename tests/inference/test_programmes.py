import pytest

from napari_spatia.data.panel import Panel
from napari_spatia.errors import PanelError, SpatiaError
from napari_spatia.inference import programmes
from napari_spatia.inference.programmes import Programme, find_programme, load_programmes, make_user_file, read_gmt


@pytest.fixture(autouse=True)
def config_folder(tmp_path, monkeypatch):
    """The person's configuration is a folder of the test."""
    monkeypatch.setattr(programmes.platformdirs, "user_config_path", lambda name: tmp_path / "config" / name)
    return tmp_path / "config"


def written(tmp_path, text):
    file = tmp_path / "own.gmt"
    file.write_text(text, encoding="utf-8")
    return file


def test_shipped_programmes_are_well_formed_and_cover_the_shipped_panels():
    from napari_spatia.inference.registry import describe

    shipped = load_programmes()
    assert {"proliferation", "interferon_response", "EMT", "hypoxia", "acinar_secretion"} <= set(shipped)
    assert all(len(entry.genes) >= 8 and entry.description for entry in shipped.values())
    assert "CDH1" in shipped["EMT"].down and "VIM" in shipped["EMT"].up
    for checkpoint in ("sim-small", "pancreas-small"):
        panel = describe(checkpoint).panel
        assert all(shipped[name].measured(panel) for name in ("proliferation", "EMT", "ductal_secretion"))


def test_a_programme_survives_its_file(tmp_path):
    made = Programme("mine", "two up, one down", ("A", "B"), ("C",))
    assert read_gmt(written(tmp_path, made.as_line() + "\n")) == {"mine": made}


def test_own_programmes_replace_shipped_ones_of_their_name(tmp_path):
    file = make_user_file()
    assert read_gmt(file) == {}, "a new file holds only a comment"
    file.write_text(file.read_text() + "mine\t\tA\nEMT\tmy own\tB\n")
    assert make_user_file() == file and load_programmes()["mine"].genes == ("A",), "an edited file is kept"
    assert load_programmes()["EMT"].genes == ("B",)
    assert load_programmes(written(tmp_path, "EMT\tlast\tC\n"))["EMT"].description == "last"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("one\n", "Line 1 of .* is no programme: 'one'"),
        ("# note\n\nname with spaces instead of tabs\n", "Line 3 of"),
        ("a\tb\n", "no programme"),
        ("\tb\tG\n", "no programme"),
        ("a\tb\tG\tH\t-G\n", "names G more than once"),
        ("a\tb\tG\na\tc\tH\n", "Line 2 of .* names programme 'a' again"),
    ],
)
def test_malformed_files_are_answered_with_the_line(tmp_path, text, message):
    with pytest.raises(SpatiaError, match=message):
        read_gmt(written(tmp_path, text))


def test_missing_and_binary_files_are_answered(tmp_path):
    with pytest.raises(SpatiaError, match="Cannot read programmes from"):
        read_gmt(tmp_path / "nowhere.gmt")
    (tmp_path / "binary.gmt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SpatiaError, match="Cannot read programmes from"):
        load_programmes(tmp_path / "binary.gmt")


def test_an_unknown_programme_is_answered_with_the_nearest_names():
    with pytest.raises(SpatiaError, match=r"no programme 'proliferatoin'. Did you mean proliferation"):
        find_programme("proliferatoin", load_programmes())


def test_a_programme_is_edited_as_far_as_the_panel_goes():
    made = Programme("mine", "", ("A", "B"), ("C", "D"))
    panel = Panel(("C", "A", "X"))
    assert made.log2_fc(1.5, panel) == {"A": 1.5, "C": -1.5}
    assert made.measured(panel) == ("A", "C") and made.missing(panel) == ("B", "D")
    with pytest.raises(PanelError, match=r"none of its 4 \(A, B, C, D, …\)"):
        made.log2_fc(1.0, Panel(("X",)))
