"""What a benchmark measured, as a table for people and JSON for programs."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import quantiles
from typing import Any

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True)
class Result:
    """Times in milliseconds of one measured thing; `budget_ms` is promised for the median.

    `per_second` is how many were done a second by all who did it at once.
    """

    what: str
    times_ms: Sequence[float]
    budget_ms: float | None = None
    per_second: float | None = None

    def percentile(self, share: int) -> float:
        return quantiles(self.times_ms, n=100, method="inclusive")[share - 1]

    def as_json(self) -> dict[str, Any]:
        return {
            "what": self.what,
            "count": len(self.times_ms),
            "p50_ms": round(self.percentile(50), 3),
            "p99_ms": round(self.percentile(99), 3),
            "budget_p50_ms": self.budget_ms,
            "per_second": round(self.per_second, 1) if self.per_second else None,
        }


def table(title: str, results: Sequence[Result]) -> str:
    """Render the results; a median over its budget is marked."""
    heads = ("what", "n", "p50 ms", "p99 ms", "per second", "budget p50", "p50 / budget")
    rows = Table(*heads, title=title)
    for result in results:
        middle = result.percentile(50)
        share = f"{middle / result.budget_ms:.2f}" if result.budget_ms else ""
        over = bool(result.budget_ms and middle > result.budget_ms)
        rows.add_row(
            result.what,
            str(len(result.times_ms)),
            f"{middle:.1f}",
            f"{result.percentile(99):.1f}",
            f"{result.per_second:.0f}" if result.per_second else "",
            f"{result.budget_ms:g}" if result.budget_ms else "",
            f"[red]{share}[/]" if over else share,
        )
    console = Console(width=110)
    with console.capture() as capture:
        console.print(rows)
    return capture.get()
