"""What three readers make of a calendar, in one form: its components inside one another, and their properties."""

import icalendar
import vobject

Value = str | tuple[str, ...] | None
# Its name, its properties in the order of their names, and what stands in it.
Tree = tuple[str, list[tuple[str, Value]], list]


def components_of_icalendar(component: icalendar.Component, values: bool = True) -> Tree:
    lines = component.property_items(recursive=False, sorted=False)
    found = [(name.lower(), value_of_icalendar(value) if values else None) for name, value in lines if name not in ("BEGIN", "END")]
    return component.name.lower(), sorted(found, key=str), [components_of_icalendar(inner, values) for inner in component.subcomponents]


def value_of_icalendar(value) -> Value:
    if isinstance(value, icalendar.vCategory):
        return tuple(map(str, value.cats))
    return str(value) if isinstance(value, str) else value.to_ical().decode()


def components_of_jcal(jcal: list, values: bool = True) -> Tree:
    name, properties, inner = jcal
    found = [(known[0], value_of_jcal(known[3:]) if values else None) for known in properties]
    return name, sorted(found, key=str), [components_of_jcal(component, values) for component in inner]


def value_of_jcal(values: list) -> Value:
    return str(values[0]) if len(values) == 1 else tuple(map(str, values))


def components_of_vobject(component: vobject.base.Component) -> Tree:
    children = list(component.getChildren())
    found = [(child.name.lower(), value_of_vobject(child.value)) for child in children if isinstance(child, vobject.base.ContentLine)]
    inner = [components_of_vobject(child) for child in children if isinstance(child, vobject.base.Component)]
    return component.name.lower(), sorted(found, key=str), inner


def value_of_vobject(value) -> Value:
    if isinstance(value, list) and len(value) != 1:
        return tuple(map(str, value))
    return str(value[0] if isinstance(value, list) else value)
