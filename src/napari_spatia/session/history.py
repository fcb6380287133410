"""Undo and redo for values that are never changed in place."""

from dataclasses import dataclass, replace
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class History(Generic[T]):
    """A value, what it was before, and what undo took back.

    A ``gesture`` names one movement of the hand: all values set under one gesture are one step of undo.
    """

    present: T
    past: tuple[T, ...] = ()
    future: tuple[T, ...] = ()
    gesture: str | None = None

    def set(self, value: T, gesture: str | None = None) -> "History[T]":
        """The history after ``value`` was set; the same history when nothing changed."""
        if value == self.present:
            return self
        if gesture is not None and gesture == self.gesture:
            return replace(self, present=value, future=())
        return History(present=value, past=(*self.past, self.present), gesture=gesture)

    def end_gesture(self) -> "History[T]":
        """The hand let go: the next value is a step of its own."""
        return replace(self, gesture=None)

    def undo(self) -> "History[T]":
        if not self.past:
            return self
        return History(present=self.past[-1], past=self.past[:-1], future=(self.present, *self.future))

    def redo(self) -> "History[T]":
        if not self.future:
            return self
        return History(present=self.future[0], past=(*self.past, self.present), future=self.future[1:])

    @property
    def can_undo(self) -> bool:
        return bool(self.past)

    @property
    def can_redo(self) -> bool:
        return bool(self.future)
