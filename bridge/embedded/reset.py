"""`python -m bridge.embedded.reset`: delete what the embedded services keep. Needs no installed package."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from bridge.embedded.locks import FileLock
from bridge.embedded.paths import places


def main() -> None:
    """Asks unless told `--yes`; refuses while Bridge or a test run uses the data."""
    here = places()
    if not here.state.exists():
        print("There is nothing to delete.")
        return
    bench = places(here.state / "bench")
    tests = [places(folder) for folder in sorted((here.state / "test").glob("*")) if folder.is_dir()]
    locks = [FileLock(each.state / "run.lock") for each in (here, bench) if each.state.exists()]
    locks += [FileLock(each.state / "lock") for each in tests]
    if not all(lock.acquire() for lock in locks):
        sys.exit("Bridge, a test run or a benchmark is using the data. Stop it first.")
    doomed = [folder for each in (here, bench, *tests) for folder in (each.data, each.sockets)] + [here.state]
    doomed = [folder for folder in doomed if folder.exists()]
    print("This deletes for good:\n" + "\n".join(f"  {folder}" for folder in doomed))
    if "--yes" not in sys.argv[1:] and not _agreed():
        sys.exit("Nothing was deleted.")
    for folder in doomed:
        _delete(folder)
    print("Done.")


def _agreed() -> bool:
    try:
        return input("Type yes to go on: ").strip().lower() == "yes"
    except (EOFError, KeyboardInterrupt):
        return False


def _delete(folder: Path) -> None:
    if folder.exists():  # it may have stood inside one that is gone
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
