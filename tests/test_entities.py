from __future__ import annotations

from kpt_tools.entities import Finding, Report


def test_a_report_keeps_so_many_of_each_code_and_counts_all() -> None:
    report = Report(limit=2)
    for number in range(5):
        report.add("lost", "error", f"{number}", image=f"{number}.jpg")
    report.extend([Finding("odd", "info", "x")])
    assert [finding.message for finding in report.findings] == ["0", "1", "x"]
    assert report.counts() == {"lost": 5, "odd": 1}
    assert report.to_dict()["not_listed"] == {"lost": 3}


def test_a_report_without_a_limit_keeps_all() -> None:
    report = Report([Finding("odd", "info", "x")])
    for number in range(5000):
        report.add("lost", "error", f"{number}")
    assert len(report.findings) == 5001
    assert report.counts() == {"lost": 5000, "odd": 1}
    assert "not_listed" not in report.to_dict()
