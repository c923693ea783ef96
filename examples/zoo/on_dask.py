"""Convert the nets of a project on a Dask cluster, and gather one report.

    python on_dask.py pyproject.toml [tcp://scheduler:8786]

Without an address, workers are started on this machine. Each worker needs fx2mx, and the project's files in
the same place (a shared disk). The report is a Markdown table; exit status 1 where a net is not good.
"""

import sys
from pathlib import Path

from distributed import Client, as_completed

from tracer.many import Done, run_job
from tracer.project import listed_jobs


def row(done: Done) -> str:
    said = [line for line in done.output.splitlines() if line.startswith(("agrees with torch", "error:"))]
    return f"| {done.job.name} | {done.word} | {done.seconds:.1f} | {said[-1] if said else ''} |"


def main(project: str, address: str | None = None) -> int:
    jobs = listed_jobs(Path(project))
    # A process a worker: MXNet and torch do not share one between threads.
    with Client(address) if address else Client(threads_per_worker=1, dashboard_address=None) as client:
        futures = [client.submit(run_job, job, pure=False, retries=1) for job in jobs]
        all_done = [done for _, done in as_completed(futures, with_results=True)]
    print("| net | result | s | |\n| --- | --- | --- | --- |")
    for done in sorted(all_done, key=lambda d: d.job.name):
        print(row(done))
    return int(any(done.status for done in all_done))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
