"""Runs the benchmarks named on the command line, or all; writes JSON below `bench-results/`."""

import argparse
import json
from pathlib import Path

from benchmarks import (
    actors,
    auth,
    commit,
    early_start,
    followers,
    footprint,
    maintenance,
    message,
    search,
    workspace,
    workspaces,
)
from benchmarks.report import Result, table

BENCHMARKS = {
    "message": message.run,
    "commit": commit.run,
    "followers": followers.run,
    "footprint": footprint.run,
    "auth": auth.run,
    "workspace": workspace.run,
}
ON_REQUEST = {
    "commit-50000": commit.run_large,
    "maintenance": maintenance.run,
    "search": search.run,
    "actors": actors.run,
    "workspaces": workspaces.run,
    "early-start": early_start.run,
}
"""These take minutes, so they run only when they are named."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="./grow bench", description=__doc__)
    known = BENCHMARKS | ON_REQUEST
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(known))
    parser.add_argument("--out", type=Path, default=Path("bench-results"), help="folder for JSON")
    given = parser.parse_args()
    unknown = set(given.names) - set(known)
    if unknown:
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}; try {', '.join(known)}")
    for name in given.names or BENCHMARKS:
        results: list[Result] = known[name]()
        print(table(name, results))
        given.out.mkdir(parents=True, exist_ok=True)
        rows = [result.as_json() for result in results]
        (given.out / f"{name}.json").write_text(json.dumps(rows, indent=2) + "\n")


main()
