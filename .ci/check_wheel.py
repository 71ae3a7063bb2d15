"""Open a built wheel and find all cards with weights, recipes and parts of pages, and nothing that does not belong."""

import hashlib
import sys
import zipfile
from pathlib import Path, PurePosixPath

import tomllib

WHEEL_LIMIT = 95e6


def main(wheel: Path, root: Path = Path(__file__).parent.parent) -> None:
    """Exit with a message where the wheel lacks something."""
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        shipped = {
            *(root / "models/musr_models/weights").iterdir(),
            *(root / "musr_cli/training/recipes").glob("*.toml"),
            *(root / "musr_cli/pages/assets").iterdir(),
        }
        for path in shipped:
            inside = path.relative_to(root / "models" if "musr_models" in path.parts else root).as_posix()
            if inside not in names:
                sys.exit(f"{wheel.name} lacks {inside}")
        cards = [name for name in names if name.startswith("musr_models/weights/") and name.endswith(".toml")]
        for card in cards:
            weights = archive.read(str(PurePosixPath(card).with_suffix(".safetensors")))
            if hashlib.sha256(weights).hexdigest() != tomllib.loads(archive.read(card).decode())["sha256"]:
                sys.exit(f"{wheel.name}: the weights of {card} are not those it was written for")
    top = {name.split("/")[0].split("-")[0] for name in names}
    if top != {"musr_cli", "musr_models", "musr"}:
        sys.exit(f"{wheel.name} installs {sorted(top)}; only musr_cli and musr_models belong")
    size = wheel.stat().st_size
    if size > WHEEL_LIMIT:
        sys.exit(f"{wheel.name} has {size / 1e6:.0f} MB; package indexes refuse files over 100 MB")
    print(f"{wheel.name}: {size / 1e6:.1f} MB, {len(cards)} checkpoints, all weights present")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
