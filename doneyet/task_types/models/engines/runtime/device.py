"""A device that one error has made useless to its process."""

from __future__ import annotations

import logging
import os

import torch

log = logging.getLogger(__name__)

EXIT_DEVICE_LOST = 70


def end_if_device_is_lost() -> None:
    """Ends this process at once if its GPU answers with errors only; to be asked after an error.

    After a failed assertion, an index out of range or a fault of the hardware, each later call of
    CUDA fails in the same process, so that every input would fail. A new process begins anew, and
    its supervisor tries what ran here once more, each input alone.
    """
    if not torch.cuda.is_initialized():
        return
    try:
        torch.cuda.synchronize()
    except torch.OutOfMemoryError:
        return
    except RuntimeError as error:
        said = str(error).split("\n", 1)[0]
        log.critical("the GPU is of no use to this process any more, which ends: %s", said)
        os._exit(EXIT_DEVICE_LOST)
