# Part of the RotQ project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""One writer at a time. The system lets go of a lock when its process ends,
however it ends: what is there unlocked was left behind and may be taken."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from .error import RotqError


def lock(path: Path, flags: int) -> int:
    """Opens `path` as os.open does and locks it until the descriptor is closed.
    Raises RotqError where another writer has it, OSError where it cannot be
    opened."""
    while True:
        descriptor = os.open(path, flags, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Its last writer may have renamed or removed it in between.
            if os.path.samestat(os.fstat(descriptor), os.stat(path)):
                return descriptor
        except BlockingIOError:
            os.close(descriptor)
            raise RotqError(f"{path}: another process is writing it") from None
        except FileNotFoundError:
            pass
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)
