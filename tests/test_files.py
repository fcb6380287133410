"""Journals: lines are whole or not there."""

from napari_spatia.files import append_lines, whole_lines


def test_a_line_that_was_cut_short_is_dropped_and_written_over(tmp_path):
    path = tmp_path / "deep" / "journal.jsonl"
    assert whole_lines(path) == []
    append_lines(path, ["one", "two µm"])
    with path.open("ab") as file:
        file.write(b"torn")
    assert whole_lines(path) == ["one", "two µm"]
    append_lines(path, ["three"])
    assert path.read_text(encoding="utf-8") == "one\ntwo µm\nthree\n"


def test_a_file_of_one_torn_line_begins_anew(tmp_path):
    path = tmp_path / "journal.jsonl"
    path.write_bytes(b"torn")
    assert whole_lines(path) == []
    append_lines(path, ["one"])
    assert whole_lines(path) == ["one"]
