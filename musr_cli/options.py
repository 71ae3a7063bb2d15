"""Options that several commands share, each with one name, one meaning and one help line."""

from __future__ import annotations

import math
from enum import Enum
from typing import Annotated, Literal

import typer

from musr_cli.errors import UsageError
from musr_cli.settings import DEFAULT_MODEL


class Precision(str, Enum):
    """Arithmetic of the network."""

    AUTO = "auto"
    FP32 = "fp32"
    BF16 = "bf16"


class BitDepth(str, Enum):
    """Sample format of written files."""

    SAME = "same"
    PCM16 = "16"
    PCM24 = "24"
    PCM32 = "32"
    FLOAT = "float"


class Clip(str, Enum):
    """What to do where an integer format cannot hold the peaks."""

    WARN = "warn"
    RESCALE = "rescale"
    NONE = "none"


class Holes(str, Enum):
    """What becomes of holes that an encoder left below the band edge."""

    AUTO = "auto"
    FILL = "fill"
    LEAVE = "leave"


_SIGNAL = "What to make"
_FILES = "Files"
_MACHINE = "Machine"
_TOLD = "What is told"

Model = Annotated[
    str,
    typer.Option(
        "--model", "-m", metavar="NAME|PATH", rich_help_panel=_SIGNAL,
        help=f"A name from 'musr models', or a folder or card that 'musr train' wrote (default {DEFAULT_MODEL}).",
        show_default=False,
    ),
]  # fmt: skip
Ratio = Annotated[
    float | None,
    typer.Option(
        "--ratio", "-r", metavar="N", min=1.0, rich_help_panel=_SIGNAL, help="Output rate = input rate × N, such as 2."
    ),
]
Rate = Annotated[
    int | None,
    typer.Option("--rate", metavar="HZ", min=1, rich_help_panel=_SIGNAL, help="Output rate in Hz, such as 44100."),
]
Cutoff = Annotated[
    str,
    typer.Option(
        "--cutoff", metavar="auto|HZ", rich_help_panel=_SIGNAL,
        help="Where the input's band ends; 'auto' measures it.",
    ),
]  # fmt: skip
HolesOption = Annotated[
    Holes,
    typer.Option(
        "--holes", rich_help_panel=_SIGNAL,
        help="What an encoder left empty below the band edge: fill it where it is found, always, or never.",
    ),
]  # fmt: skip
Phase = Annotated[
    str | None,
    typer.Option(
        "--phase", metavar="NAME", rich_help_panel=_SIGNAL, show_default=False,
        help="native, flip, flip-conjugate, band-limited, griffin-lim, random, vocoder or vocoder-full (default: what "
        "suits the model).",
    ),
]  # fmt: skip
Seed = Annotated[
    int,
    typer.Option("--seed", metavar="N", min=0, rich_help_panel=_SIGNAL, help="Of everything that is drawn at random."),
]

Device = Annotated[
    str,
    typer.Option("--device", metavar="auto|cpu|cuda[:N]|mps", rich_help_panel=_MACHINE, help="Where networks run."),
]
PrecisionOption = Annotated[
    Precision, typer.Option("--precision", rich_help_panel=_MACHINE, help="'auto' is bf16 where that is faster.")
]
Jobs = Annotated[
    int,
    typer.Option(
        "--jobs", "-j", metavar="N", min=1, rich_help_panel=_MACHINE, help="Files at a time, one process each."
    ),
]
ChunkSeconds = Annotated[
    float,
    typer.Option(
        "--chunk-s", metavar="S", min=0.1, rich_help_panel=_MACHINE,
        help="Seconds worked on at once: memory, never sound, depends on it.",
    ),
]  # fmt: skip

Format = Annotated[
    str | None,
    typer.Option(
        "--format", metavar="NAME", rich_help_panel=_FILES, show_default=False,
        help="wav, flac, ogg, mp3, aiff … (default: from the output's name, or as the input).",
    ),
]  # fmt: skip
BitDepthOption = Annotated[
    BitDepth, typer.Option("--bit-depth", rich_help_panel=_FILES, help="Of written samples; 'same' as the input.")
]
ClipOption = Annotated[
    Clip,
    typer.Option(
        "--clip", rich_help_panel=_FILES,
        help="Peaks that an integer format cannot hold: cut and say so, lower the whole file and say so, or just cut.",
    ),
]  # fmt: skip
Overwrite = Annotated[bool, typer.Option("--overwrite", rich_help_panel=_FILES, help="Replace outputs that exist.")]
SkipExisting = Annotated[
    bool, typer.Option("--skip-existing", rich_help_panel=_FILES, help="Leave outputs that exist: resumes a batch.")
]
Recursive = Annotated[
    bool, typer.Option("--recursive/--no-recursive", rich_help_panel=_FILES, help="Folders with what is below them.")
]
Glob = Annotated[
    str | None,
    typer.Option(
        "--glob", metavar="PATTERN", rich_help_panel=_FILES, show_default=False,
        help="Of a folder, only files like '*.flac' or 'live/**/*.wav' (default: all audio files).",
    ),
]  # fmt: skip
DryRun = Annotated[
    bool, typer.Option("--dry-run", "-n", rich_help_panel=_FILES, help="Say what would be done; write nothing.")
]

Json = Annotated[bool, typer.Option("--json", rich_help_panel=_TOLD, help="Print the outcome on stdout as JSON.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", rich_help_panel=_TOLD, help="Only errors.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", rich_help_panel=_TOLD, help="More about each file.")]
NoProgress = Annotated[bool, typer.Option("--no-progress", rich_help_panel=_TOLD, help="No progress bars.")]
Debug = Annotated[bool, typer.Option("--debug", rich_help_panel=_TOLD, help="Show the traceback of errors.")]


def parse_cutoff(text: str) -> float | Literal["auto"]:
    """The value of `--cutoff`: "auto" or a frequency in Hz."""
    if text == "auto":
        return "auto"
    try:
        cutoff_hz = float(text)
    except ValueError:
        cutoff_hz = math.nan
    if not 0 < cutoff_hz < math.inf:
        raise UsageError(f"--cutoff {text}: give a frequency in Hz above 0, such as 11025, or 'auto'")
    return cutoff_hz
