"""Published numbers stand beside ours as published."""

from __future__ import annotations


def test_published_numbers_stand_as_published(sections_of_sources, by_title) -> None:
    table = by_title(sections_of_sources)["Beside published fractions"].table
    assert table is not None
    assert ("trained on and looking for Centaurus A", "500", "2.6", "3.4") in table.rows
    assert table.groups[4] == "This run"
    top_hat = next(row for row in table.rows if row[0].startswith("top-hat scan"))
    assert top_hat[1] == "50"
    assert 1 < float(top_hat[2].split()[0]) < 6  # in per cent, between the smallest and the largest number simulated
