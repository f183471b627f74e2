"""Where concept sets lie that come with neurotrace: in a checkout, or beside an installed wheel."""

import sys
import unicodedata
from pathlib import Path

FOLDERS = (
    Path(__file__).parents[2] / "data" / "concepts",
    Path(sys.prefix) / "share" / "neurotrace" / "concepts",
)
SUFFIX = ".jsonl"


def names() -> list[str]:
    """Names of the sets that :meth:`ConceptSet.load` knows without a path, sorted."""
    return sorted({file.stem for folder in FOLDERS for file in folder.glob(f"*{SUFFIX}")})


def locate(name_or_path: str | Path) -> Path:
    """The file of a set, given as a path or by its name.

    Raises
    ------
    FileNotFoundError
        Naming every place looked in and the sets that are there.
    """
    path = Path(name_or_path).expanduser()
    if path.is_file():
        return path
    if path.is_dir() and str(name_or_path):
        raise FileNotFoundError(
            f"got folder {str(path)!r} for a concept set; expected a file "
            "(aligned lines and treebanks: ConceptSet.from_parallel or .from_conllu, then "
            ".to_jsonl(path), and that path)"
        )
    name = unicodedata.normalize("NFC", f"{str(name_or_path).removesuffix(SUFFIX)}{SUFFIX}")
    places = [folder / name for folder in FOLDERS]
    for place in places:
        if place.is_file():
            return place
    looked = ", ".join(str(place) for place in [path, *places])
    known = ", ".join(names()) or "none"
    raise FileNotFoundError(
        f"got concept set {str(name_or_path)!r}; looked in {looked}; sets known by name: {known}"
    )
