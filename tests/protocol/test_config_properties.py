"""Settings of all kinds, as hypothesis makes them up."""

from typing import cast

from hypothesis import example, given

from livegate.protocol import SessionOptions, config
from livegate.protocol.config import Config
from livegate.protocol.terms import Terms
from strategies import configs


@given(configs())
@example({"a.b": 1, "generation_config": {"a.b": 2}})
@example({"generation_config": {"a": 1}, "generationConfig": {"a": 1}})
def test_every_key_is_reported(data: dict[str, object]) -> None:
    """Of any config, applied, clamped and refused are together exactly the keys given."""
    delta = config.parse(data)
    if delta.fault:
        return
    report = config.report(delta, config.resolve(Config().merge(delta)))
    parts = cast("list[dict[str, object]]", list(report.values()))
    told = sorted(key for part in parts for key in part)
    groups = ("generation_config", "generationConfig")
    given_keys = {key for key in data if key not in groups}
    for group in groups:
        inner = cast("dict[str, object]", data.get(group) or {})
        given_keys |= {f"{group}.{key}" for key in inner}
    assert told == sorted(given_keys)


@given(configs())
def test_setup_holds_what_is_applied(data: dict[str, object]) -> None:
    """The same config gives the same setup, and refused settings leave no trace in it."""
    delta = config.parse(data)
    plan = config.resolve(Config().merge(delta))
    assert plan == config.resolve(Config().merge(delta))
    kept = {name: value for name, value in delta.values.items() if name not in plan.refused}
    assert config.resolve(Config().merge(config.Delta(kept, {}, {}))).setup == plan.setup


@given(configs(), configs())
def test_null_returns_to_the_operators(
    data: dict[str, object], default: dict[str, object]
) -> None:
    """A setting of the client's wins over the operator's; taken back, it leaves no trace."""
    operators = Config().merge(config.parse(default))
    terms = Terms(SessionOptions(config=operators))
    before = terms.plan
    delta = config.parse(data)
    terms.absorb(delta, 0)
    asked = {name: value for name, value in delta.values.items() if value is not None}
    assert terms.plan.values == {**operators.values, **asked}
    back = config.Delta(dict.fromkeys(delta.values), delta.given, {})
    terms.absorb(back, 0)
    assert terms.plan == before
    told = config.report(back, terms.plan)
    applied = cast("dict[str, object]", told["applied"])
    for spelling, value in applied.items():
        assert value == operators.values.get(delta.given[spelling])
