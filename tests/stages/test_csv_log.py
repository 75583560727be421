from __future__ import annotations

from kpt_tools.stages.csv_log import CsvLog, read_rows


def write(path, steps: list[int]) -> None:
    with CsvLog(path) as log:
        for step in steps:
            log.add({"step": step, "loss": step / 3, "note": None})


def test_rows_of_several_starts_make_one_table(tmp_path) -> None:
    path = tmp_path / "results.csv"
    write(path, [1, 2])
    write(path, [3])
    assert path.read_text().splitlines() == ["step,loss,note", "1,0.333333,", "2,0.666667,", "3,1,"]


def test_steps_that_were_lost_are_forgotten_and_the_table_goes_on(tmp_path) -> None:
    path = tmp_path / "results.csv"
    write(path, [1, 5, 9])
    with CsvLog(path) as log:
        log.forget_after(5)
        log.add({"step": 6, "loss": 1.0})
    assert [row["step"] for row in read_rows(path)] == ["1", "5", "6"]


def test_a_row_cut_short_by_a_killed_process_is_left_out(tmp_path) -> None:
    path = tmp_path / "results.csv"
    write(path, [1, 2])
    path.write_text(path.read_text()[:-6])
    assert [row["step"] for row in read_rows(path)] == ["1"]


def test_no_file_is_no_rows(tmp_path) -> None:
    assert read_rows(tmp_path / "results.csv") == []
    with CsvLog(tmp_path / "new.csv") as log:
        log.forget_after(3)
    assert read_rows(tmp_path / "new.csv") == []
