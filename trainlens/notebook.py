"""What a notebook is told by: a method for classes that know nothing of how they are shown."""

from __future__ import annotations


class Shown:
    """Something that a notebook can show.

    What is shown is made by `trainlens.render.notebook`, far above the data model. It is reached
    through the table of lazy names in ``trainlens/__init__.py``, when a notebook asks.
    """

    __slots__ = ()

    def _repr_html_(self) -> str:
        """A fragment of HTML."""
        import trainlens

        html: str = trainlens.fragment(self)
        return html
