"""What breaks on other nuclei is said with its numbers."""

from __future__ import annotations

from cloudchamber.report.page import Section


def test_transfer_tells_what_breaks(nuclear_sections: list[Section]) -> None:
    section = next(section for section in nuclear_sections if section.title.startswith("What breaks"))
    assert "uranium with a sharper surface" in section.title
    assert "grows by more than twice its error for 9 of 9 predictors" in section.text
    assert section.table is not None
    row = next(row for row in section.table.rows if row[0] == "SE-ResNet-34")
    assert row[4].startswith("0.06")  # the bias that the synthetic probe has
    assert row[6].startswith("0.0 ±")
