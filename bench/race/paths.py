"""Where things are."""
import os
import pathlib

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / "build"
RIVALS = ROOT / "bench" / "rivals"
DOC = ROOT / "docs" / "performance.md"
OUT = BUILD / "races"  # key sets and results

SALLYPORT = os.environ.get("SALLYPORT_BIN", str(BUILD / "sallyport"))
LOAD = str(BUILD / "bench" / "load")
WRK_SCRIPT = str(ROOT / "bench" / "race" / "keys.lua")
