"""What the stories of this folder have in common: trained, diagnosed, treated, compared."""

from examples.story.plan import Check, Story

__all__ = ["Check", "Story"]
