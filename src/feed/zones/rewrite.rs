//! Writing what has been decided: the lines that name a zone, and the declarations.

use std::collections::HashSet;

use super::survey::{Root, tzid_span};
use crate::calendar::{
    Calendar, ContentLine, Edits, Entry, Patch, Property, escape_text, fold, push_line, quote_parameter, vtimezone,
};

/// Longest line that needs no fold (RFC 5545 §3.1).
const UNFOLDED: usize = 75;

/// The edits that put the zones of `root` in order; declarations are right from the year `from` on.
pub(super) fn rewrite(root: &Root<'_, '_>, from: i32, edits: &mut Edits) {
    let written = declarations(root, from, edits);
    let head: Vec<u8> = (0..root.zones.len())
        .filter(|at| !written.contains(at))
        .filter_map(|at| generated(root, at, from))
        .flatten()
        .collect();
    if !head.is_empty() {
        edits.insert(root.head_end(), head);
    }
    if root.zones.iter().any(|zone| zone.now.is_some() || zone.renamed.is_some()) {
        for (index, at) in root.users() {
            if let Some(tzid) = new_name(root, at) {
                rename_user(root.calendar, index, tzid, edits);
            }
        }
    }
}

/// What users of the zone at `at` have to call it, if that has changed.
fn new_name<'a>(root: &'a Root<'_, '_>, at: usize) -> Option<&'a str> {
    let zone = root.zones.get(at)?;
    match zone.now.and_then(|now| root.zones.get(now)) {
        Some(now) => Some(now.renamed.as_deref().unwrap_or(&now.tzid)),
        None => zone.renamed.as_deref(),
    }
}

/// The declaration that is written for the zone at `at`.
fn generated(root: &Root<'_, '_>, at: usize, from: i32) -> Option<Vec<u8>> {
    let zone = root.zones.get(at)?;
    Some(vtimezone(zone.generated?, zone.renamed.as_deref().unwrap_or(&zone.tzid), from))
}

/// Edits the declarations that are there. Returns which of the zones have got theirs in the place of another's.
fn declarations(root: &Root<'_, '_>, from: i32, edits: &mut Edits) -> HashSet<usize> {
    let mut written = HashSet::new();
    for zone in &root.zones {
        let components = zone.declared.iter().filter_map(|index| root.calendar.components().get(*index));
        for component in components {
            if let Some(now) = zone.now {
                let text = generated(root, now, from).filter(|_| written.insert(now));
                edits.replace(root.calendar.span_of(component), text.map_or(Patch::Drop, Patch::Text));
            } else if let Some(name) = &zone.renamed {
                let own = Entry::new(root.calendar, component);
                let mut line = Vec::new();
                push_line("TZID", &escape_text(name), &mut line);
                for (index, _) in own.all(Property::Tzid) {
                    edits.replace(root.calendar.span_with_end(index), Patch::Text(line.clone()));
                }
            }
        }
    }
    written
}

/// Gives the line at `index` another TZID. Nothing else in it changes, but for folds that no longer fit.
fn rename_user(calendar: &Calendar<'_>, index: usize, tzid: &str, edits: &mut Edits) {
    let Some(line) = calendar.lines().get(index) else { return };
    let (raw, span) = (calendar.raw(line), line.span());
    let content = ContentLine::of(calendar, line);
    let Some(value) = tzid_span(&content) else { return };
    let tzid = quote_parameter(tzid).into_owned();
    let fits = raw.len() - value.len() + tzid.len() <= UNFOLDED;
    if fits && memchr::memchr(b'\n', raw).is_none() {
        edits.replace(span.start + value.start..span.start + value.end, Patch::Text(tzid.into_bytes()));
        return;
    }
    let (head, text) = (content.head(), content.value());
    let before = head.get(..value.start).unwrap_or_default();
    let behind = head.get(value.end..).unwrap_or_default();
    let mut folded = Vec::with_capacity(raw.len() + tzid.len() + 8);
    fold(&[before, tzid.as_bytes(), behind, b":", text].concat(), &mut folded);
    edits.replace(calendar.span_with_end(index), Patch::Text(folded));
}
