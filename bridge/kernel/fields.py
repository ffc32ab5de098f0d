"""Django's fields and django-fsm's, where reading an attribute or making a transition costs less.

Django gives the id of a foreign key through a descriptor in Python, so that assigning it forgets the object that was
read through it; the engine reads such ids a hundred times per transfer. django-fsm asks Django's deferred attribute at
every look at a state, and sends two signals per transition. In the database and in migrations both are what they were.
"""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models.fields.related_descriptors import ForwardManyToOneDescriptor
from django.db.models.query_utils import DeferredAttribute
from django_fsm import FSMField, FSMFieldDescriptor
from django_fsm.signals import post_transition, pre_transition


class _Object(ForwardManyToOneDescriptor):
    """Gives an object that is there without further questions."""

    def __get__(self, instance: Any, cls: Any = None) -> Any:
        try:
            return instance._state.fields_cache[self.field.name]
        except (AttributeError, KeyError):  # of the class, or not read yet
            return super().__get__(instance, cls)


class Key(models.ForeignKey):
    """A foreign key whose id is a plain attribute: assign the object, never the id of another one."""

    forward_related_accessor_class = _Object
    descriptor_class = DeferredAttribute  # type: ignore[assignment]

    def deconstruct(self) -> Any:
        name, _, arguments, options = super().deconstruct()
        return name, "django.db.models.ForeignKey", arguments, options


class StateDescriptor(FSMFieldDescriptor):
    """Protected as django-fsm's own; a state that is there is given without further questions."""

    def __get__(self, instance: Any, type: Any = None) -> Any:
        if instance is None:
            return self
        try:
            return instance.__dict__[self.field.name]
        except KeyError:  # deferred
            return self.field.get_state(instance)


class StateField(FSMField):
    """django-fsm's field with a short way for the common transition: from a source to a target, without conditions,
    while nobody listens to django-fsm's signals. Everything else goes the library's way."""

    descriptor_class = StateDescriptor

    def deconstruct(self) -> Any:
        name, _, arguments, options = super().deconstruct()
        return name, "django_fsm.FSMField", arguments, options

    def change_state(self, instance: Any, method: Any, *args: Any, **kwargs: Any) -> Any:
        """Raises `TransitionNotAllowed`."""
        found = method._django_fsm.transitions.get(instance.__dict__.get(self.name))
        if (
            found is None
            or found.conditions
            or found.on_error
            or not isinstance(found.target, str)
            or self.state_proxy
            or pre_transition.receivers
            or post_transition.receivers
        ):
            return super().change_state(instance, method, *args, **kwargs)
        result = method(instance, *args, **kwargs)
        instance.__dict__[self.name] = found.target
        return result
