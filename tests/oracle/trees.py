"""What three readers make of a calendar, in one form: its components inside one another, and their properties."""


import icalendar
import vobject

Tree = tuple[str, list, list]


def components_of_icalendar(component: icalendar.Component, values: bool = True) -> Tree:
    properties = [
        (name.lower(), text_of_icalendar(value) if values else None)
        for name, value in component.property_items(recursive=False, sorted=False) if name not in ("BEGIN", "END")
    ]
    return component.name.lower(), sorted(properties, key=str), [components_of_icalendar(inner, values) for inner in component.subcomponents]


def text_of_icalendar(value) -> str:
    if isinstance(value, icalendar.vCategory):
        return ",".join(map(str, value.cats))
    return str(value) if isinstance(value, str) else value.to_ical().decode()


def components_of_jcal(jcal: list, values: bool = True) -> Tree:
    name, properties, inner = jcal
    found = [(known[0], text_of_jcal(known) if values else None) for known in properties]
    return name, sorted(found, key=str), [components_of_jcal(component, values) for component in inner]


def text_of_jcal(known: list) -> str:
    return ",".join(map(str, known[3:]))


def components_of_vobject(component: vobject.base.Component, values: bool = True) -> Tree:
    lines = [child for child in component.getChildren() if isinstance(child, vobject.base.ContentLine)]
    inner = [child for child in component.getChildren() if isinstance(child, vobject.base.Component)]
    found = [(line.name.lower(), str(line.value) if values else None) for line in lines]
    return component.name.lower(), sorted(found, key=str), [components_of_vobject(child, values) for child in inner]
