//! The zones of calendars that are about to become one: each name means one thing in all of them, and with
//! [`ZoneNames::Iana`] something on every client.
//!
//! A name is changed only where it is sure that no event moves: the calendar's own declaration has to show the same time
//! as the zone that takes its place, in all years in which the calendar needs it. What is not understood stays as it is.

mod rewrite;
mod survey;

use std::collections::{HashMap, HashSet};
use std::ops::RangeInclusive;

use chrono_tz::Tz;

use self::survey::{Root, Zone, roots};
use crate::calendar::{Calendar, Declared, Edits, iana, windows};

/// Which names zones may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum ZoneNames {
    /// Those they have, but for two different zones of one name. Nothing is declared that was not.
    Keep,
    /// Names of the IANA time zone database in the place of Windows', and a declaration for each that is known.
    #[default]
    Iana,
}

/// Declarations that are read, or written, in one go: a real calendar has a handful. It bounds what a hostile one can
/// cost; what is beyond stays as it is.
const BUDGET: usize = 512;

/// The calendars' texts with their zones put in order, `None` where nothing had to change.
pub(super) fn unify_zones(calendars: &[&Calendar<'_>], names: ZoneNames) -> Vec<Option<Vec<u8>>> {
    if names == ZoneNames::Keep && calendars.len() < 2 {
        return calendars.iter().map(|_| None).collect();
    }
    let mut roots: Vec<Root<'_, '_>> =
        calendars.iter().enumerate().flat_map(|(index, calendar)| roots(index, calendar)).collect();
    let mut work = Work { left: BUDGET, from: survey::earliest(&roots) };
    if names == ZoneNames::Iana {
        for root in &mut roots {
            work.name_by_iana(root);
        }
    }
    if roots.len() > 1 {
        work.tell_apart(&mut roots);
    }
    let mut edits: Vec<Edits> = calendars.iter().map(|_| Edits::default()).collect();
    for root in &roots {
        if let Some(edits) = edits.get_mut(root.index) {
            rewrite::rewrite(root, work.from, edits);
        }
    }
    let texts = edits.into_iter().zip(calendars);
    texts.map(|(edits, calendar)| (!edits.is_empty()).then(|| edits.apply(calendar.text()))).collect()
}

struct Work {
    /// Declarations that may still be read or written.
    left: usize,
    /// The first year in which any calendar needs a zone.
    from: i32,
}

impl Work {
    fn may_go_on(&mut self) -> bool {
        let may = self.left > 0;
        self.left = self.left.saturating_sub(1);
        may
    }

    fn name_by_iana(&mut self, root: &mut Root<'_, '_>) {
        for at in 0..root.zones.len() {
            let Some(Zone { tzid, declared, years: Some(years), generated, .. }) = root.zones.get(at) else { continue };
            // `UTC` is a name in both worlds.
            let foreign = windows(tzid).filter(|_| tzid.parse::<Tz>().is_err());
            if let Some(tz) = foreign {
                let years = years.clone();
                self.rename(root, at, tz, years);
            } else if declared.is_empty()
                && generated.is_none()
                && let Some(tz) = iana(tzid)
            {
                let may = self.may_go_on();
                root.change(at, |zone| zone.generated = Some(tz).filter(|_| may));
            }
        }
    }

    /// Gives the users of the zone at `at` to `tz`, if whatever is declared of either agrees with it.
    fn rename(&mut self, root: &mut Root<'_, '_>, at: usize, tz: Tz, years: RangeInclusive<i32>) {
        let target = root.position(tz.name());
        for component in [Some(at), target].into_iter().flatten().filter_map(|at| root.declaration(at)) {
            let read = if self.may_go_on() { Declared::read(root.calendar, component) } else { None };
            if !read.is_some_and(|declared| declared.agrees_with(tz, root.needed(&years))) {
                return;
            }
        }
        if self.may_go_on() {
            let target = target.unwrap_or_else(|| root.add(tz.name().to_owned()));
            root.change(target, |zone| {
                zone.use_in(years);
                zone.generated = Some(tz).filter(|_| zone.declared.is_empty());
            });
            root.change(at, |zone| zone.now = Some(target));
        }
    }

    /// Where a later calendar declares another zone under a name that an earlier one has declared, gives it a new name.
    fn tell_apart(&mut self, roots: &mut [Root<'_, '_>]) {
        let mut names = Names::of(roots);
        let mut first: HashMap<String, (usize, usize)> = HashMap::new();
        let zones = roots.iter().enumerate().flat_map(|(root, zones)| (0..zones.zones.len()).map(move |at| (root, at)));
        for later in zones.collect::<Vec<_>>() {
            let Some(zone) = roots.get(later.0).and_then(|root| root.zones.get(later.1)) else { continue };
            if zone.now.is_some() || (zone.declared.is_empty() && zone.generated.is_none()) {
                continue;
            }
            let (tzid, used) = (zone.tzid.clone(), zone.years.is_some());
            let Some(&earlier) = first.get(&tzid) else {
                first.insert(tzid, later);
                continue;
            };
            if used && !self.is_same(roots, earlier, later) {
                let name = names.free(&tzid);
                if let Some(root) = roots.get_mut(later.0) {
                    root.change(later.1, |zone| zone.renamed = Some(name));
                }
            }
        }
    }

    /// Whether two declarations are of one zone, as far as the second calendar needs it.
    fn is_same(&mut self, roots: &[Root<'_, '_>], first: (usize, usize), second: (usize, usize)) -> bool {
        let [Some(first), Some(second)] = [first, second].map(|(root, at)| Some((roots.get(root)?, at))) else {
            return false;
        };
        let lines = [first, second].map(|(root, at)| root.declaration_lines(at));
        if let [Some(first), Some(second)] = lines
            && first.eq(second)
        {
            return true;
        }
        let (later, at) = second;
        let Some(years) = later.zones.get(at).and_then(|zone| zone.years.as_ref()) else { return true };
        let years = later.needed(years);
        if !self.may_go_on() {
            return false;
        }
        match [first, second].map(|(root, at)| Rules::of(root, at)) {
            [Some(Rules::Iana(first)), Some(Rules::Iana(second))] => first == second,
            [Some(Rules::Declared(declared)), Some(Rules::Iana(tz))]
            | [Some(Rules::Iana(tz)), Some(Rules::Declared(declared))] => declared.agrees_with(tz, years),
            [Some(Rules::Declared(first)), Some(Rules::Declared(second))] => first.same_rules(&second, years),
            _ => false,
        }
    }
}

/// What a name will mean.
enum Rules {
    Iana(Tz),
    Declared(Declared),
}

impl Rules {
    fn of(root: &Root<'_, '_>, at: usize) -> Option<Self> {
        match root.zones.get(at)?.generated {
            Some(tz) => Some(Self::Iana(tz)),
            None => Declared::read(root.calendar, root.declaration(at)?).map(Self::Declared),
        }
    }
}

/// Names that no zone has.
struct Names {
    taken: HashSet<String>,
    /// The highest number behind a name.
    numbers: HashMap<String, usize>,
}

impl Names {
    fn of(roots: &[Root<'_, '_>]) -> Self {
        let taken = roots.iter().flat_map(|root| root.zones.iter().map(|zone| zone.tzid.clone())).collect();
        Self { taken, numbers: HashMap::new() }
    }

    /// `Customized Time Zone 2`: the first number that is free.
    fn free(&mut self, tzid: &str) -> String {
        // A parameter can hold neither (RFC 5545 §3.2).
        let base: String = tzid.chars().filter(|char| *char != '"' && !char.is_control()).collect();
        let number = self.numbers.entry(base.clone()).or_insert(1);
        loop {
            *number += 1;
            let name = format!("{base} {number}");
            if self.taken.insert(name.clone()) {
                return name;
            }
        }
    }
}

#[cfg(test)]
mod tests;
