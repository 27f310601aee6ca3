"""A training step as one CUDA graph: what it launches is recorded once, and from then on launched as one.

A step of a small network is a few hundred short kernels, and the processor needs longer to ask for them than a GPU to
do them. A graph asks once. It needs fixed shapes and a step that never waits for a number, such as ``descent.Guard``'s.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Tensor

Batches = Sequence[Tensor]
"""The numbers of the data points of a step: ``[B]`` for each seed."""

EAGER = 3  # steps before the recording: what is allocated and compiled at the first ones is no part of it


class Graph:
    """``step(batches)`` for a CUDA device: eager the first times and for batches of another size, else a graph.

    Arguments:
        step: from the numbers of the data points, ``[B]`` for each seed, to what it returns: a tensor of fixed shape.
        generators: those that ``step`` draws from.
    """

    def __init__(self, step: Callable[[Batches], Tensor], generators: Iterable[torch.Generator]) -> None:
        self.step, self.generators = step, list(generators)
        self.beside = torch.cuda.Stream()
        self.graph: torch.cuda.CUDAGraph | None = None
        self.batches: list[Tensor] = []
        self.taken = 0

    def __call__(self, batches: Batches) -> Tensor:
        """One step. What it returns is overwritten by the next one."""
        size = len(batches[0])
        if self.graph is None and self.taken >= EAGER and size == len(self.batches[0]):
            self._record()
        if self.graph is not None and size == len(self.batches[0]):
            for own, given in zip(self.batches, batches, strict=True):
                own.copy_(given)
            self.graph.replay()
            return self.value
        if not self.batches:
            self.batches = [numbers.clone() for numbers in batches]
        self.taken += size == len(self.batches[0])
        self.beside.wait_stream(torch.cuda.current_stream())
        with warnings.catch_warnings(), torch.cuda.stream(self.beside):  # as the recording will be
            warnings.filterwarnings("ignore", "This instance was constructed with capturable=True", UserWarning)
            value = self.step(batches)
        torch.cuda.current_stream().wait_stream(self.beside)
        return value

    def _record(self) -> None:
        graph = torch.cuda.CUDAGraph()
        for generator in self.generators:
            graph.register_generator_state(generator)
        with torch.cuda.graph(graph, stream=self.beside):
            self.value = self.step(self.batches)
        self.graph = graph
