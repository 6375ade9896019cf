"""The reference of a package, from the docstrings of its modules."""

from __future__ import annotations

import pkgutil
from importlib import import_module

_MODULE = """
## `{name}`

```{{eval-rst}}
.. automodule:: {name}
```
"""


def modules(package: str, *names: str) -> str:
    """A section for each module of a package that defines something public, or for those of these names.

    Parameters
    ----------
    package : str
        Such as `study.losses`.
    *names : str
        Its modules, without the package; `.` is the package itself. By default it and all its modules.
    """
    found = names or (".", *(file.name for file in pkgutil.iter_modules(import_module(package).__path__)))
    full = [package if name == "." else f"{package}.{name}" for name in found]
    return "\n".join(_MODULE.format(name=name) for name in full)
