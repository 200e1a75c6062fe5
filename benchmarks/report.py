"""What a benchmark measured, as a table for people and JSON for programs."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import quantiles
from typing import Any

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True)
class Result:
    """Values of one measured thing, less being better.

    `budget` is promised for the percentile `judged`. `per_second` is how many were done a
    second by all who did it at once.
    """

    what: str
    values: Sequence[float]
    budget: float | None = None
    per_second: float | None = None
    unit: str = "ms"
    judged: int = 50

    def percentile(self, share: int) -> float:
        if len(self.values) == 1:
            return self.values[0]
        return quantiles(self.values, n=100, method="inclusive")[share - 1]

    @property
    def share(self) -> float | None:
        """What was measured, as a share of what was promised."""
        return self.percentile(self.judged) / self.budget if self.budget else None

    def as_json(self) -> dict[str, Any]:
        return {
            "what": self.what,
            "unit": self.unit,
            "count": len(self.values),
            "p50": round(self.percentile(50), 3),
            "p99": round(self.percentile(99), 3),
            "budget": self.budget,
            "budget_percentile": self.judged if self.budget else None,
            "per_second": round(self.per_second, 1) if self.per_second else None,
        }


def table(title: str, results: Sequence[Result]) -> str:
    """Render the results; what is over its budget is marked."""
    heads = ("what", "n", "unit", "p50", "p99", "per second", "budget", "of budget")
    rows = Table(*heads, title=title)
    for result in results:
        share = f"{result.share:.2f}" if result.share is not None else ""
        budget = f"p{result.judged} {result.budget:.4g}" if result.budget else ""
        digits = 2 if result.unit == "ratio" else 1
        rows.add_row(
            result.what,
            str(len(result.values)),
            result.unit,
            f"{result.percentile(50):.{digits}f}",
            f"{result.percentile(99):.{digits}f}",
            f"{result.per_second:.0f}" if result.per_second else "",
            budget,
            f"[red]{share}[/]" if result.share is not None and result.share > 1 else share,
        )
    console = Console(width=110)
    with console.capture() as capture:
        console.print(rows)
    return capture.get()
