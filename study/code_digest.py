"""Digest of the source code that a result depends on.

A result is identified by its settings, its data and the code that computes it, so that a result of other code is never
handed out for that of the code at hand. The digest is taken from the parsed source without comments, docstrings,
formatting and annotations of functions: only a change of meaning counts. Which modules count follows from imports.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

import study
from study.errors import StudyError

# Where to begin following imports. Settings belong to the identity of a result by their values: what declares and
# gathers them is not followed, so that a new default of a threshold trains nothing. The thresholds of the paper, which
# all runs are scored with too, are defaults, though, and stand with the methods.
TRAINING = (
    "study.training.loop",
    "study.runs.resources",
    "study.networks",
    "study.losses",
)  # data, targets, networks, losses, optimiser
MAPS = ("study.inference",)  # what a trained network gives for an image
SCORING = ("study.evaluation", "study.inference", "study.tuning", "study.clustering")  # and metrics
BY_VALUE = ("study.settings", "study.config", "study.data.settings")
LEFT_OUT = ("study.errors", "study.version")  # neither a message nor a version computes anything


@dataclass(frozen=True)
class CodeDigest:
    """Digests of the parts of the code, 12 hexadecimal digits each: of all that a result of a kind depends on."""

    training: str  # the weights of a network
    maps: str  # what a trained network gives for an image
    scoring: str  # labels and scores, given the weights


@lru_cache(maxsize=1)
def code_digest() -> CodeDigest:
    """The digests of the code that this process runs: taken once, since it does not import a module again."""
    return CodeDigest(*(digest_of(roots) for roots in (TRAINING, MAPS, SCORING)))


def digest_of(roots: Collection[str], package: Path | None = None) -> str:
    """12 hexadecimal digits over the meaning of all modules that some modules of a package `study` need.

    The package is that which runs, unless the folder of another is given.

    Raises
    ------
    StudyError
        If the source of a module is not there or cannot be parsed.
    """
    package = package or Path(study.__file__).parent
    digest = hashlib.sha256()
    for name in modules_of(roots, package):
        digest.update(f"{name}\n{_source(package, name).meaning}\n".encode())
    return digest.hexdigest()[:12]


def modules_of(roots: Collection[str], package: Path) -> list[str]:
    """Sorted names of the modules that some modules import, directly or not, and of the packages that hold them."""
    found: set[str] = set()
    waiting = list(roots)
    while waiting:
        name = waiting.pop()
        if name in found or name in LEFT_OUT or name in BY_VALUE:
            continue
        found.add(name)
        holder = name.rpartition(".")[0]
        waiting += [*_source(package, name).imports, *([holder] if holder else [])]
    return sorted(found)


@dataclass(frozen=True)
class _Source:
    """What a module means, and the modules of the package that it imports."""

    meaning: str
    imports: frozenset[str]


@cache
def _source(package: Path, name: str) -> _Source:
    path = _path(package, name)
    if path is None:
        raise StudyError(f"{package} holds no source of the module {name}: install the study with its source files")
    try:
        tree = _WithoutWords().visit(ast.parse(path.read_text(encoding="utf-8")))
    except (OSError, SyntaxError, UnicodeDecodeError) as error:
        raise StudyError(f"cannot read the source {path} ({error}): fix the file") from error
    named = (name for node in ast.walk(tree) for name in _imported(node))
    return _Source(_written(tree), frozenset(name for name in named if _path(package, name) is not None))


def _path(package: Path, name: str) -> Path | None:
    """The file of a module of the package; None where there is none of that name."""
    first, *parts = name.split(".")
    if first != "study":
        return None
    place = package.joinpath(*parts)
    candidates = (place.with_suffix(".py"), place / "__init__.py") if parts else (place / "__init__.py",)
    return next((path for path in candidates if path.is_file()), None)


def _imported(node: ast.AST) -> list[str]:
    """Names of the modules that a statement may import; `from a import b` may mean the module `a.b`."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        if node.level:
            raise StudyError(f"line {node.lineno}: write the import with its whole name, such as study.losses")
        module = node.module or ""
        return [module, *(f"{module}.{alias.name}" for alias in node.names)]
    return []


class _WithoutWords(ast.NodeTransformer):
    """Removes what has no meaning for a result: strings that stand alone, annotations, imports for type checkers."""

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        if isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            return None
        return self.generic_visit(node)

    def visit_If(self, node: ast.If) -> ast.AST | list[ast.stmt] | None:
        if isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            return None
        return self.generic_visit(node)

    def visit_arg(self, node: ast.arg) -> ast.AST:
        node.annotation = None
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.returns = None
        return self.generic_visit(node)


def _written(node: object) -> str:
    """A tree as text that is the same in all versions of Python: `ast.dump` writes newer, empty fields too."""
    if isinstance(node, ast.AST):
        fields = ((name, value) for name, value in ast.iter_fields(node) if value is not None and value != [])
        return f"{type(node).__name__}({','.join(f'{name}={_written(value)}' for name, value in fields)})"
    if isinstance(node, list):
        return f"[{','.join(map(_written, node))}]"
    return repr(node)
