r"""The doubly reparameterised gradient of U_K with respect to tau."""

from __future__ import annotations

import torch
from torch import Tensor

from vaecourse import arguments
from vaecourse.hierarchical.bounds import upper_bound
from vaecourse.hierarchical.law import InverseModel, Law
from vaecourse.hierarchical.ratios import log_joint, log_ratio, log_ratios, one_each, pair


def dreg(
    law: Law, tau: InverseModel, z: Tensor, psi_0: Tensor, K: int, generator: torch.Generator | None = None
) -> Tensor:
    r"""U_K, with a gradient that has no score term for psi_1 ... psi_K. Its expectation is the plain gradient's.

    .. math:: \nabla_\eta U_K = - \tilde r_0 \nabla_\eta \log \tau_\eta(\psi_0 | z)
              + \sum_{k=1}^K \tilde r_k^2 \, \frac{\partial \log r_k}{\partial \psi_k}
              \frac{\partial \psi_k}{\partial \eta}, \qquad \tilde r_k = \frac{r_k}{\sum_{j=0}^K r_j}

    for everything that tau depends on: its own parameters eta, and z. The law's parameters, and z and psi_0 in
    q(z, psi), keep the plain gradient. It stays unbiased in a mean of such bounds (an ELBO), not under another
    logarithm (M-IWHVI): there the weight of psi_k depends on the other estimates too. A psi_k whose ratio is 0 gives no
    gradient. Under ``torch.no_grad`` it is U_K and nothing else.

    Shapes: ``[..., L], [..., P] -> [...]``, in nats. Raises as ``log_ratios`` does. Sources: arXiv 1905.03290, section
    4 (it names the term of psi_0); 1810.04152.
    """
    z, psi_0 = pair(z, psi_0)
    if arguments.count("K", K, at_least=0) == 0 or not torch.is_grad_enabled():
        return upper_bound(log_ratios(law, tau, z, psi_0, K, generator))
    arguments.has("law", law, "log_mixing", "log_conditional")
    arguments.has("tau", tau, "sample", "log_prob")
    psi = tau.sample(z, K, generator)  # [K, ..., P]
    leaf = psi.detach().requires_grad_()
    first = log_ratio(law, tau, z, psi_0.unsqueeze(0))  # [1, ...]
    joint = log_joint(law, z, leaf)  # [K, ...]
    others = joint - one_each("tau.log_prob", tau.log_prob(leaf, z), z, leaf)
    log_r = torch.cat([first, others]).detach()  # [K + 1, ...]
    share = log_r.softmax(0)
    (path,) = torch.autograd.grad(_weighed(share[1:].square(), others).sum(), leaf, retain_graph=True)
    surrogate = _weighed(share[:1], first) + _weighed(share[1:], joint) + (path * psi).sum((0, -1))
    return upper_bound(log_r) + (surrogate - surrogate.detach())


def _weighed(share: Tensor, log_ratio: Tensor) -> Tensor:
    """The sum of share * log_ratio over k, in which 0 times -inf is 0, as in the gradient of a logsumexp."""
    return (share * log_ratio.masked_fill(share == 0, 0.0)).sum(0)
