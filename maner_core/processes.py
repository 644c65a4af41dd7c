"""Several processes that train one tagger together, as `accelerate launch` starts them; one alone has nothing to do here.

Each holds the whole network and reads a share of the windows of every batch. Their gradients are added up once a step, and
then each takes the same step. torch's DistributedDataParallel does that during the backward pass, but wants one pass through
all weights in every process; a step here may be several passes, none in a process with an empty share, and a second loss.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

import numpy as np
import torch
from accelerate import PartialState
from accelerate.utils import broadcast_object_list
from torch import distributed, nn

Item = TypeVar("Item")


class Processes:
    """This process, `number` (from 0) of `count`. Every method but `share` must be called by all of them alike."""

    def __init__(self) -> None:
        """Meets the others the first time, if there are any; each takes a GPU of its own where there are GPUs."""
        self.number, self.count = 0, 1
        if int(os.environ.get("WORLD_SIZE", "1")) > 1:
            state = PartialState(cpu=not torch.cuda.is_available())
            self.number, self.count = state.process_index, state.num_processes

    @property
    def first(self) -> bool:
        """Whether this is the process that speaks and writes."""
        return self.number == 0

    def share(self, items: Sequence[Item]) -> list[Item]:
        """What of these this process has to do; all of them if it is alone: `0 of 2, [a, b, c] -> [a, c]`."""
        return list(items[self.number :: self.count])

    def own_seed(self, seed: int) -> int:
        """A seed for dropout, which differs in each process: torch's generators start from it. That of the first is `seed`."""
        if self.number:
            seed = int(np.random.SeedSequence([seed, self.number]).generate_state(1)[0])
            torch.manual_seed(seed)
        return seed

    def align(self, model: nn.Module) -> None:
        """Give all processes the weights of the first."""
        if self.count > 1:
            for weight in model.parameters():
                distributed.broadcast(weight.data, 0)

    def add_gradients(self, model: nn.Module) -> None:
        """Give every weight the sum of its gradients in all processes; none where no process has one."""
        if self.count == 1:
            return
        weights = [weight for weight in model.parameters() if weight.requires_grad]
        used = torch.tensor(
            [weight.grad is not None for weight in weights], dtype=torch.float32, device=weights[0].device
        )
        distributed.all_reduce(used)
        waiting = []
        for weight, n in zip(weights, used.tolist(), strict=True):
            if n:
                weight.grad = torch.zeros_like(weight) if weight.grad is None else weight.grad
                waiting.append(distributed.all_reduce(weight.grad, async_op=True))
        for work in waiting:
            work.wait()

    def total(self, value: float, device: torch.device) -> float:
        """The sum of a number over all processes; `device`: where the network is."""
        if self.count == 1:
            return value
        number = torch.tensor(value, dtype=torch.float32, device=device)
        distributed.all_reduce(number)
        return number.item()

    def same(self, value: Item) -> Item:
        """What the first process has."""
        if self.count == 1:
            return value
        values = [value]
        broadcast_object_list(values)
        return values[0]

    def wait(self) -> None:
        """Go on when all are here."""
        if self.count > 1:
            PartialState().wait_for_everyone()


@contextmanager
def together() -> Iterator[bool]:
    """Meet the other processes of this program, if there are any, and part from them in the end; True in the first."""
    yield Processes().first
    if distributed.is_initialized():  # not after an error: then the others may still wait for this one
        PartialState().destroy_process_group()
