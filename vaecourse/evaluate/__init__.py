r"""What a trained model is worth: log p(x) in flat memory, any bound on a test set, and what the code z carries.

importance.py asks the model's own q(z | x). Where that is not to be trusted, two judges do without it: ``refit`` trains
a fresh encoder on the frozen decoder, ``ais`` anneals from the prior to the posterior; ``sandwich`` tells how far
``ais`` is off, on data that the model has made. code.py and aggregate.py measure codes, streaming.py is shared by all.

``x`` is a tensor ``[B, ...]``, flat or image-shaped, or whatever else the model takes for a batch, such as a pair
(x, mask); or an iterable of batches, for data that do not fit in memory: a ``DataLoader``, a list, a generator. Of a
batch in an iterable that is a tuple or a list, such as (x, label), the model sees the first entry, which may be a pair
itself: ``(((x, mask),) for x, mask in loader)``.

No function keeps gradients, and each of them leaves every layer in the mode, training or evaluation, that it was in.
Points go through in groups of ``batch_size``, samples in groups of ``chunk``, so memory depends on these two and on the
size of one batch. Numbers add up in float64, and come back in float32 at least. Everything is in nats.

Every function raises ``TypeError`` for a model that lacks what it needs, and for an x whose type is not that of the
model's parameters; ``ValueError`` for an x without points or that the model refuses.
"""

from vaecourse.evaluate.aggregate import AggregateGap, aggregate_gap
from vaecourse.evaluate.annealing import Annealed, Sandwich, ais, sandwich
from vaecourse.evaluate.code import GaussianEncoder, active_units, activity, mutual_information
from vaecourse.evaluate.importance import bound, log_likelihood
from vaecourse.evaluate.refitting import Refit, refit

__all__ = [
    "AggregateGap",
    "Annealed",
    "GaussianEncoder",
    "Refit",
    "Sandwich",
    "active_units",
    "activity",
    "aggregate_gap",
    "ais",
    "bound",
    "log_likelihood",
    "mutual_information",
    "refit",
    "sandwich",
]
