"""Shows the recorder what C++ code computes of real tensors, as FakeTensors show it by themselves."""

from __future__ import annotations

from typing import Any

from torch.utils._python_dispatch import TorchDispatchMode


class ShownOps(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Calls each op of aten from Python, where the recorder sees it.

    Without it the result of a function of torch.jit would pass for a constant.
    """

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        return func(*args, **(kwargs or {}))
