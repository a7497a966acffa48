"""Errors say where, and survive copying and pickling."""

from __future__ import annotations

import pickle
from copy import copy

import pytest

from volstream import errors
from volstream.errors import DamagedError, HttpStatusError, UsageError, VolstreamError

KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type) and kind.__module__ == errors.__name__]


def test_the_text_says_where() -> None:
    error = DamagedError("broken").located(uid="1.2", index=3, address="file.dcm").located(uid="9.9")
    assert str(error) == "broken (slice 3, instance 1.2, at file.dcm)"


def test_wrong_use_is_a_value_error_and_bad_data_is_not() -> None:
    assert issubclass(UsageError, ValueError)
    assert not issubclass(DamagedError, UsageError)


@pytest.mark.parametrize("kind", KINDS)
def test_every_class_has_one_root_and_can_be_copied(kind: type[VolstreamError]) -> None:
    extra = {"status": 404} if kind is HttpStatusError else {}
    error = kind("text", uid="1", index=2, address="a", **extra)
    for other in (copy(error), pickle.loads(pickle.dumps(error))):
        assert type(other) is kind
        assert str(other) == str(error)
        assert vars(other) == vars(error)
