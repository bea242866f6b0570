//! Which zones a calendar declares, and which it uses when. One walk over the lines that looks at the text only where a
//! property can have a TZID.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::{Range, RangeInclusive};

use chrono_tz::Tz;

use crate::calendar::{Calendar, Component, ContentLine, Entry, Kind, Line, Property, unescape_text, unfold};

/// Zones of one calendar that are looked at; what is beyond stays as it is.
const ZONES: usize = 1024;
/// Years in which declarations are held against each other. Before, what computers know of zones is poor; beyond,
/// everybody guesses.
const YEARS: RangeInclusive<i32> = 1990..=2037;
/// An event that is in the calendar today may be moved by so many years.
const AHEAD: i32 = 5;

/// One VCALENDAR.
pub(super) struct Root<'a, 'text> {
    pub(super) calendar: &'a Calendar<'text>,
    /// Which of the calendars it stands in.
    pub(super) index: usize,
    /// Its own `BEGIN` and everything in it.
    components: &'a [Component],
    /// Lines of its VTIMEZONEs.
    skipped: Vec<RangeInclusive<usize>>,
    /// In the order in which they come up.
    pub(super) zones: Vec<Zone>,
    by_tzid: HashMap<String, usize>,
    /// The same, as parameters are written.
    by_parameter: HashMap<Vec<u8>, usize>,
    /// Something in it takes place again and again.
    repeats: bool,
}

/// A TZID, and what becomes of it.
#[derive(Default)]
pub(super) struct Zone {
    /// Without quotes and escapes.
    pub(super) tzid: String,
    /// Indexes of the components that declare it.
    pub(super) declared: Vec<usize>,
    /// The years in which it is used, as far as they can be seen; `None` if it is not.
    pub(super) years: Option<RangeInclusive<i32>>,
    /// The zone of which a declaration is written under this name, in the place of what is declared.
    pub(super) generated: Option<Tz>,
    /// The zone that has taken all its users over.
    pub(super) now: Option<usize>,
    /// Its new name.
    pub(super) renamed: Option<String>,
}

impl Zone {
    pub(super) fn use_in(&mut self, years: RangeInclusive<i32>) {
        self.years = Some(match &self.years {
            Some(known) => *known.start().min(years.start())..=*known.end().max(years.end()),
            None => years,
        });
    }
}

/// The first year, since 1970, in which any of `roots` uses a zone.
pub(super) fn earliest(roots: &[Root<'_, '_>]) -> i32 {
    let years = roots.iter().flat_map(|root| root.zones.iter().filter_map(|zone| zone.years.as_ref()));
    years.map(|years| *years.start()).min().unwrap_or(*YEARS.end()).clamp(1970, *YEARS.end())
}

/// The VCALENDARs of `calendar`, which is the one at `index`.
pub(super) fn roots<'a, 'text>(index: usize, calendar: &'a Calendar<'text>) -> Vec<Root<'a, 'text>> {
    let starts = calendar.components().iter().enumerate().filter(|(_, component)| component.depth == 0);
    let starts: Vec<usize> = starts.map(|(at, _)| at).collect();
    let ends = starts.iter().skip(1).copied().chain([calendar.components().len()]);
    starts.iter().zip(ends).filter_map(|(start, end)| Root::survey(index, calendar, *start..end)).collect()
}

impl<'a, 'text> Root<'a, 'text> {
    fn survey(index: usize, calendar: &'a Calendar<'text>, range: Range<usize>) -> Option<Self> {
        let mut root = Self {
            calendar,
            index,
            components: calendar.components().get(range.clone())?,
            skipped: Vec::new(),
            zones: Vec::new(),
            by_tzid: HashMap::new(),
            by_parameter: HashMap::new(),
            repeats: false,
        };
        for (at, component) in range.zip(root.components) {
            if component.depth == 1 && component.kind == Kind::Other && is_vtimezone(calendar, component) {
                root.skipped.push(component.begin..=component.end);
                let tzid = Entry::new(calendar, component).content(Property::Tzid);
                let zone = tzid.and_then(|line| root.find_or_add(line.value()));
                if let Some(zone) = zone.and_then(|zone| root.zones.get_mut(zone)) {
                    zone.declared.push(at);
                }
            }
        }
        root.look_for_users();
        Some(root)
    }

    fn look_for_users(&mut self) {
        let calendar = self.calendar;
        // One zone after another is nearly always the same one.
        let mut last: Option<(Cow<'_, [u8]>, Option<usize>)> = None;
        for (_, line) in outside(calendar, self.components, &self.skipped) {
            self.repeats |= line.property() == Property::Rrule;
            let Some(user) = User::of(calendar, line) else { continue };
            let zone = match &last {
                Some((parameter, zone)) if *parameter == user.parameter => *zone,
                _ => self.find_or_add(&user.parameter),
            };
            if let Some(zone) = zone.and_then(|zone| self.zones.get_mut(zone)) {
                // What has no year needs a declaration all the same.
                let year = user.year.unwrap_or(*YEARS.end());
                zone.use_in(year..=year);
            }
            last = Some((user.parameter, zone));
        }
    }

    /// The lines that use zones, with their indexes and the zones' positions.
    pub(super) fn users(&self) -> impl Iterator<Item = (usize, usize)> {
        let lines = outside(self.calendar, self.components, &self.skipped);
        lines.filter_map(|(index, line)| {
            let user = User::of(self.calendar, line)?;
            Some((index, *self.by_parameter.get(user.parameter.as_ref())?))
        })
    }

    fn find_or_add(&mut self, parameter: &[u8]) -> Option<usize> {
        if let Some(known) = self.by_parameter.get(parameter) {
            return Some(*known);
        }
        let tzid = plain(parameter);
        if tzid.is_empty() || self.by_parameter.len() >= ZONES {
            return None;
        }
        let zone = self.position(&tzid).unwrap_or_else(|| self.add(tzid));
        self.by_parameter.insert(parameter.to_vec(), zone);
        Some(zone)
    }

    /// Where the zone called `tzid` is.
    pub(super) fn position(&self, tzid: &str) -> Option<usize> {
        self.by_tzid.get(tzid).copied()
    }

    /// Adds a zone.
    pub(super) fn add(&mut self, tzid: String) -> usize {
        self.by_tzid.insert(tzid.clone(), self.zones.len());
        self.zones.push(Zone { tzid, ..Zone::default() });
        self.zones.len() - 1
    }

    /// Changes the zone at `at`.
    pub(super) fn change(&mut self, at: usize, change: impl FnOnce(&mut Zone)) {
        if let Some(zone) = self.zones.get_mut(at) {
            change(zone);
        }
    }

    /// The component that declares the zone at `at`.
    pub(super) fn declaration(&self, at: usize) -> Option<usize> {
        self.zones.get(at)?.declared.first().copied()
    }

    /// The lines of that component, without folds.
    pub(super) fn declaration_lines(&self, at: usize) -> Option<impl Iterator<Item = Cow<'text, [u8]>>> {
        let component = self.calendar.components().get(self.declaration(at)?)?;
        let lines = self.calendar.lines().get(component.begin..=component.end)?;
        Some(lines.iter().map(|line| unfold(self.calendar.raw(line))))
    }

    /// The years in which a declaration of a zone used in `years` has to be right. What repeats may do so for ever.
    pub(super) fn needed(&self, years: &RangeInclusive<i32>) -> RangeInclusive<i32> {
        let last = if self.repeats { *YEARS.end() } else { years.end().saturating_add(AHEAD) };
        (*years.start()).clamp(*YEARS.start(), *YEARS.end())..=last.clamp(*YEARS.start(), *YEARS.end())
    }

    /// Where a VTIMEZONE belongs: behind the calendar's properties, before its first component.
    pub(super) fn head_end(&self) -> usize {
        let line = match self.components {
            [_, first, ..] => first.begin,
            [root] => root.end,
            [] => 0,
        };
        self.calendar.span_with_end(line).start
    }
}

/// The lines of `components` but for those in VTIMEZONEs: a TZID there is a name and not a use.
fn outside<'a, 'text>(
    calendar: &'a Calendar<'text>,
    components: &[Component],
    skipped: &[RangeInclusive<usize>],
) -> impl Iterator<Item = (usize, &'a Line)> + use<'a, 'text> {
    let (begin, end) = components.first().map_or((0, 0), |root| (root.begin, root.end));
    let starts = [begin].into_iter().chain(skipped.iter().map(|vtimezone| vtimezone.end() + 1));
    let ends = skipped.iter().map(|vtimezone| *vtimezone.start()).chain([end]);
    let parts: Vec<Range<usize>> = starts.zip(ends).map(|(start, end)| start..end).collect();
    parts.into_iter().flat_map(|part| part.clone().zip(calendar.lines().get(part).unwrap_or_default()))
}

/// A property with a TZID parameter.
struct User<'text> {
    /// The parameter's value as it is written, quotes included.
    parameter: Cow<'text, [u8]>,
    /// The year of the property's first value.
    year: Option<i32>,
}

impl<'text> User<'text> {
    fn of(calendar: &Calendar<'text>, line: &Line) -> Option<Self> {
        if !may_have_zone(line.property()) {
            return None;
        }
        let (raw, name_len) = (calendar.raw(line), calendar.name(line).len());
        if name_len > 0 {
            let parameters = raw.get(name_len..)?.strip_prefix(b";")?;
            if let Some(user) = Self::plain(parameters) {
                return Some(user);
            }
        }
        let line = ContentLine::of(calendar, line);
        let parameter = line.head().get(tzid_span(&line)?)?.to_vec();
        Some(Self { parameter: parameter.into(), year: year(line.value()) })
    }

    /// `TZID=Asia/Shanghai:20261124T093000`: what nearly all look like, read without a copy.
    fn plain(parameters: &'text [u8]) -> Option<Self> {
        let (name, rest) = parameters.split_at_checked(5)?;
        let (parameter, value) = rest.split_at_checked(memchr::memchr(b':', rest)?)?;
        let plain = name.eq_ignore_ascii_case(b"TZID=") && memchr::memchr3(b'"', b';', b'\n', parameter).is_none();
        plain.then(|| Self { parameter: parameter.into(), year: value.get(1..).and_then(year) })
    }
}

/// Where the value of the TZID parameter stands in the unfolded `line`.
pub(super) fn tzid_span(line: &ContentLine<'_>) -> Option<Range<usize>> {
    let mut at = line.name().len();
    for (name, value) in line.parameters() {
        let equals = at + 1 + name.len();
        let start = equals + usize::from(line.head().get(equals) == Some(&b'='));
        at = start + value.len();
        if name.eq_ignore_ascii_case(b"TZID") {
            return Some(start..at);
        }
    }
    None
}

/// Not the properties that hold text and people, which are most of a calendar.
fn may_have_zone(property: Property) -> bool {
    !matches!(
        property,
        Property::Attach
            | Property::Attendee
            | Property::Begin
            | Property::Blank
            | Property::Categories
            | Property::Class
            | Property::Conference
            | Property::Description
            | Property::End
            | Property::Junk
            | Property::Location
            | Property::Organizer
            | Property::StyledDescription
            | Property::Summary
            | Property::Uid
            | Property::Url
            | Property::XAltDesc
    )
}

fn year(value: &[u8]) -> Option<i32> {
    std::str::from_utf8(value.get(..4)?).ok()?.parse().ok().filter(|year| *year > 0)
}

/// A TZID as a parameter or as a property, without quotes and escapes: writers differ in which of them they escape.
fn plain(written: &[u8]) -> String {
    let text = String::from_utf8_lossy(written);
    let text = text.trim();
    let unquoted = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
    unescape_text(unquoted.trim())
}

fn is_vtimezone(calendar: &Calendar<'_>, component: &Component) -> bool {
    let line = calendar.lines().get(component.begin);
    line.is_some_and(|line| ContentLine::of(calendar, line).value().trim_ascii().eq_ignore_ascii_case(b"VTIMEZONE"))
}
