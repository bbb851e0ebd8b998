"""The JSON schema of the configuration, with which editors complete and check it.

It is kept in workflow/schemas/; `make schema` updates it.
"""

import json
from collections.abc import Iterable
from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from petite.config.methods import CHAIN, MethodEntry, Step
from petite.config.schema import Config

Schema = dict[str, Any]
# The keys of entries and steps that are the same for all methods.
SHARED_KEYS = ("fractions", "quota", "space", "share")


def _ref(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}


def _method_in(names: Iterable[str]) -> Schema:
    return {"required": ["method"], "properties": {"method": {"enum": list(names)}}}


SAYS_METHOD = {"anyOf": [{"required": ["method"]}, {"required": ["steps"]}]}
ENTRY = {
    "type": "object",
    "required": ["fractions"],
    "properties": {"share": False},
    "if": {"anyOf": [{"required": ["steps"]}, _method_in([CHAIN])]},
    "then": _ref("chain"),
    "else": {
        "properties": {"method": {"enum": list(MethodEntry.models)}},
        "allOf": [_ref("by_method")],
    },
}
STEP = {
    "type": "object",
    **_method_in(Step.models),
    # How many images an augmentation makes follows from the shares.
    "not": {"anyOf": [{"required": ["fractions"]}, {"required": ["ratio"]}]},
    "allOf": [_ref("by_method")],
}


def json_schema() -> str:
    """Write the schema as JSON.

    In an entry of `methods` the settings of its method are mixed with the keys that all methods
    share. Methods with the same settings share one definition. The key `method` decides which
    definition applies, or the entry's label where that key is missing.
    """
    schema = Config.model_json_schema(schema_generator=_WithoutTitles)
    schema["title"] = "Petite's configuration"
    definitions = schema["$defs"]
    kinds = _kinds_of_settings(definitions)
    chain, step, entry = (definitions.pop(name) for name in ("ChainEntry", "Step", "MethodEntry"))
    shared = step["properties"] | entry["properties"]
    definitions |= {key: shared[key] for key in SHARED_KEYS}
    chain["properties"] |= {"fractions": _ref("fractions")}
    chain["properties"]["steps"]["items"] = _ref("step")
    definitions |= {
        **{names[0]: kind for names, kind in kinds},
        "by_method": _by_method(kinds),
        "chain": chain,
        "entry": ENTRY,
        "says_method": SAYS_METHOD,
        "step": STEP,
    }
    for section in schema["properties"].values():
        if "$ref" in section:  # its keys have defaults themselves
            del section["default"]
    schema["properties"]["methods"] = _methods_schema(kinds)
    return json.dumps(schema, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


class _WithoutTitles(GenerateJsonSchema):
    """Omits the titles that pydantic makes from the names of fields."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


Kinds = list[tuple[list[str], Schema]]


def _kinds_of_settings(definitions: Schema) -> Kinds:
    """The methods grouped by equal settings, each group with the schema of its entries and steps.

    Definitions that the settings refer to are added to `definitions`.
    """
    kinds: dict[str, list[tuple[str, Schema]]] = {}
    for name, model in MethodEntry.models.items():
        settings = model.model_json_schema(schema_generator=_WithoutTitles)
        definitions |= settings.pop("$defs", {})
        properties = settings.get("properties", {}) | {
            key: _ref(key)
            for key in dict.fromkeys((*MethodEntry.keys_of(name), *Step.keys_of(name)))
            if key in SHARED_KEYS
        }
        alike = {key: _without_default(value) for key, value in properties.items()}
        kinds.setdefault(json.dumps(alike, sort_keys=True), []).append((name, properties))
    return [_kind(members) for members in kinds.values()]


def _kind(members: list[tuple[str, Schema]]) -> tuple[list[str], Schema]:
    names = [name for name, _ in members]
    properties = {
        key: value if all(other[key] == value for _, other in members) else _without_default(value)
        for key, value in members[0][1].items()
    }
    return names, {
        "description": f"Settings of {', '.join(names)}.",
        "properties": {"method": {"enum": names}, **properties},
        "additionalProperties": False,
    }


def _without_default(schema: Schema) -> Schema:
    return {key: value for key, value in schema.items() if key != "default"}


def _by_method(kinds: Kinds) -> Schema:
    """The settings of the method that is named."""
    return {"allOf": [{"if": _method_in(names), "then": _ref(names[0])} for names, _ in kinds]}


def _methods_schema(kinds: Kinds) -> Schema:
    """Entries by label: without `method` the label names it, or it is a score and a sampler."""
    of_methods = {f"^({'|'.join(names)})$": _ref(names[0]) for names, _ in kinds}
    named = "|".join(MethodEntry.models)
    score = next(names[0] for names, _ in kinds if "score" in names)
    pair = {"anyOf": [{"required": ["score"]}, {"required": ["sampler"]}], "allOf": [_ref(score)]}
    return {
        "description": "what is compared, by label",
        "type": "object",
        "patternProperties": {
            "": _ref("entry"),
            **{
                pattern: {"if": _ref("says_method"), "else": schema}
                for pattern, schema in {**of_methods, f"^(?!({named})$)": pair}.items()
            },
        },
    }
