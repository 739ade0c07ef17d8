"""Learned variables of traces: shared by all stations, silent where nothing triggered, the same when exported."""

import pytest
import torch

from cloudchamber.layers.station_traces import VARIABLES, TraceReader, TraceVariables


@pytest.mark.parametrize("reader", ["convolution", "lstm"])
def test_all_stations_share_one_reader_and_silent_ones_say_nothing(reader: TraceReader) -> None:
    torch.manual_seed(1)
    layer, traces = TraceVariables(120, reader).eval(), 5 * torch.rand(3, 4, 120)
    triggered = torch.tensor([[1.0, 1, 0, 1], [0, 0, 0, 0], [0, 1, 1, 1]])
    found = layer(traces, triggered)
    assert found.shape == (3, 4, VARIABLES)
    for shower in range(3):
        for station in range(4):
            alone = layer.read(traces[shower, station][None])[0] * triggered[shower, station]
            torch.testing.assert_close(found[shower, station], alone)


@pytest.mark.parametrize("reader", ["convolution", "lstm"])
def test_exported_graph_reads_every_trace_with_same_result(
    reader: TraceReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(2)
    layer, traces = TraceVariables(120, reader).eval(), 5 * torch.rand(3, 4, 120)
    triggered = (torch.rand(3, 4) > 0.5).float()
    chosen = layer(traces, triggered)
    monkeypatch.setattr("torch.onnx.is_in_onnx_export", lambda: True)
    torch.testing.assert_close(layer(traces, triggered), chosen)


@pytest.mark.parametrize("reader", ["convolution", "lstm"])
def test_gradient_reaches_triggered_traces_and_no_others(reader: TraceReader) -> None:
    torch.manual_seed(3)
    layer, traces = TraceVariables(120, reader), torch.rand(2, 3, 120, requires_grad=True)
    layer(traces, torch.tensor([[1.0, 0, 0], [0, 0, 1]])).sum().backward()
    assert traces.grad is not None
    reached = traces.grad.abs().sum(dim=2) > 0
    assert reached.tolist() == [[True, False, False], [False, False, True]]


def test_showers_without_any_trigger_make_no_error() -> None:
    layer = TraceVariables(120)
    assert not layer(torch.rand(2, 3, 120), torch.zeros(2, 3)).any()


def test_convolution_of_the_publication_has_its_parameters() -> None:
    layer = TraceVariables(80, widths=(64, 32))  # its traces have 80 bins, of which 4 positions are left
    assert sum(weight.numel() for weight in layer.parameters()) == 64 * 8 + 32 * (7 * 64 + 1) + 10 * (4 * 32 + 1)


def test_trace_too_short_for_its_convolutions_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 31"):
        TraceVariables(30)
