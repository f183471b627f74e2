"""Where a checkpoint comes from that does not lie here yet: repository, commit and files."""

from dataclasses import dataclass


@dataclass(frozen=True)
class File:
    """One file of a repository, as the Hub's listing has it.

    Attributes
    ----------
    name
        Path inside the repository.
    size
        Bytes of its content.
    digest
        SHA-256 of the content where the Hub keeps the file in its large storage (weights), its git
        blob id otherwise. Equal digests mean equal content; a file keeps its kind of digest.
    """

    name: str
    size: int
    digest: str


@dataclass(frozen=True)
class Remote:
    """A checkpoint on the Hub.

    Attributes
    ----------
    repo
        ``org/name``.
    commit
        The commit its branch or tag pointed at when the series was found: 40 hexadecimal digits.
    tokenizer
        Repository and commit of the tokenizer where it is another one.
    """

    repo: str
    commit: str
    tokenizer: tuple[str, str] | None = None
