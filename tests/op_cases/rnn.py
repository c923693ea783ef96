"""Recurrent layers and cells."""

import torch
from torch import nn

from tests.op_cases import case

for name, layer in {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}.items():
    case(f"{name}", layer(3, 4, batch_first=True), (2, 5, 3))
    case(f"{name} steps first", layer(3, 4), (5, 2, 3))
    case(f"{name} two layers", layer(3, 4, 2, batch_first=True), (2, 5, 3))
    case(f"{name} bidirectional", layer(3, 4, bidirectional=True, batch_first=True), (2, 5, 3))
    case(
        f"{name} three layers bidirectional", layer(3, 4, 3, bidirectional=True, batch_first=True), (2, 5, 3)
    )
    case(f"{name} no bias", layer(3, 4, 2, bias=False, bidirectional=True, batch_first=True), (2, 5, 3))
    case(f"{name} dropout", layer(3, 4, 2, dropout=0.3, batch_first=True), (2, 5, 3))
    case(f"{name} unbatched", layer(3, 4), (5, 3))
    if name != "lstm":
        case(f"{name} initial state", layer(3, 4, 2, batch_first=True), (2, 5, 3), (2, 2, 4), frozen=True)
case("rnn relu", nn.RNN(3, 4, 2, nonlinearity="relu", batch_first=True), (2, 5, 3))
case("lstm projection", nn.LSTM(3, 4, proj_size=2, batch_first=True), (2, 5, 3))
case(
    "lstm projection layers bidirectional",
    nn.LSTM(3, 5, 2, proj_size=2, bidirectional=True, batch_first=True),
    (2, 4, 3),
)
case("lstm projection no bias", nn.LSTM(3, 4, proj_size=2, bias=False, batch_first=True), (2, 5, 3))


class LastState(nn.Module):
    """What classifiers do: the last step, and the states of both directions."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer
        self.head = nn.Linear(16, 2)

    def forward(self, x):
        outputs, (hidden, _) = self.layer(x)
        return self.head(torch.cat([outputs[:, -1], hidden[-2], hidden[-1]], 1))


class WithState(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.LSTM(3, 4, 2)
        self.start = nn.Linear(3, 4)

    def forward(self, x):
        start = self.start(x[0]).unsqueeze(0).repeat(2, 1, 1)
        return self.layer(x, (start, start * 0.5))


class Unrolled(nn.Module):
    def __init__(self, cell):
        super().__init__()
        self.cell = cell

    def forward(self, x):
        state = None
        for step in range(x.shape[1]):
            state = self.cell(x[:, step], state)
        return state


case("lstm last state", LastState(nn.LSTM(3, 4, bidirectional=True, batch_first=True)), (2, 5, 3))
case("lstm initial state", WithState(), (5, 2, 3), frozen=False)
for name, cell in {"lstm_cell": nn.LSTMCell, "gru_cell": nn.GRUCell, "rnn_cell": nn.RNNCell}.items():
    case(name, cell(3, 4), (2, 3))
    case(f"{name} no bias", cell(3, 4, bias=False), (2, 3))
    case(f"{name} steps", Unrolled(cell(3, 4)), (2, 5, 3))
    case(f"{name} unbatched", cell(3, 4), (3,), frozen=True)
case("gru_cell state", nn.GRUCell(3, 4), (2, 3), (2, 4))
case("rnn_cell relu", nn.RNNCell(3, 4, nonlinearity="relu"), (2, 3))
