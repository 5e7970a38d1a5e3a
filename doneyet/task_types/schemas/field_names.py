"""The names that a model's fields have in JSON, where it is read and where it is written."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import cache

from pydantic import AliasChoices, AliasPath, BaseModel


@cache
def read_names(model: type[BaseModel]) -> Mapping[str, tuple[str, ...]]:
    """The names under which each field may be given, by field; the documented one first."""
    config = model.model_config
    by_alias = config.get("validate_by_alias", True)
    by_name = config.get("validate_by_name") or config.get("populate_by_name") or not by_alias
    names: dict[str, tuple[str, ...]] = {}
    for name, field in model.model_fields.items():
        aliases = _aliases(field.validation_alias) if by_alias else []
        if by_name or not aliases:
            aliases.append(name)
        names[name] = tuple(dict.fromkeys(aliases))
    return names


def all_read_names(model: type[BaseModel]) -> set[str]:
    """Every name under which some field may be given."""
    return {name for names in read_names(model).values() for name in names}


def written_names(model: type[BaseModel], only: Collection[str] | None = None) -> list[str]:
    """The names that fields are written under, computed ones included; `only` of these fields."""
    fields = [
        field.serialization_alias or name
        for name, field in model.model_fields.items()
        if not field.exclude and (only is None or name in only)
    ]
    computed = [
        field.alias or name
        for name, field in model.model_computed_fields.items()
        if only is None or name in only
    ]
    return fields + computed


def _aliases(alias: str | AliasPath | AliasChoices | None) -> list[str]:
    if isinstance(alias, AliasChoices):
        return [name for choice in alias.choices for name in _aliases(choice)]
    if isinstance(alias, AliasPath):
        return [str(alias.path[0])]
    return [] if alias is None else [alias]
