//! A series is one unit: its master, and the overrides that stand in the place of single instances. What happens to one
//! of them must not bring back what was left out, nor take away what nobody asked for.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use chrono::Duration;

use super::rule::{Hidden, Judgement, Reason, Rules, Surroundings, Times, Verdict, start};
use super::window::Span;
use crate::calendar::{
    Calendar, ContentLine, Entry, Form, Moment, Patience, Property, Recurrence, Zone, Zones, local_to, quote_parameter,
};

/// An event with what has been said of it.
#[derive(Debug)]
pub(super) struct Judged<'a, 'text> {
    pub(super) entry: Entry<'a, 'text>,
    pub(super) uid: Cow<'text, [u8]>,
    pub(super) recurrence_id: Option<ContentLine<'text>>,
    pub(super) judgement: Judgement,
}

/// The events of one calendar, by the series they belong to.
#[derive(Debug, Default)]
struct Series {
    masters: Vec<usize>,
    overrides: Vec<usize>,
}

/// Judges every entry of `calendar` by itself, and then what that means for its series. Events without siblings go to
/// `alone`, if that is given; all others come back.
pub(super) fn judge<'a, 'text>(
    calendar: &'a Calendar<'text>,
    rules: &Rules,
    around: &Surroundings<'_>,
    mut alone: Option<impl FnMut(Judged<'a, 'text>)>,
) -> Vec<Judged<'a, 'text>> {
    let window = rules.window.map(|window| Span::of(window, around));
    let mut settle = Settle { around, window, pin_floating: rules.pin_floating, patience: Patience::default() };
    // Nearly all events of a calendar with a past are outside: they are left out before anything else looks at them,
    // unless a rule might keep them.
    let window_first = !rules.rules.iter().any(|rule| rule.verdict == Some(Verdict::Keep));
    let overridden = overridden(calendar);
    let mut events = Vec::new();
    for entry in calendar.entry_list() {
        let uid = entry.uid().unwrap_or_default();
        let single = overridden.is_empty() || !overridden.contains(&uid);
        let judgement = if single && window_first && settle.is_outside(&entry) {
            Judgement { dropped: Some(Reason::Window), ..Judgement::default() }
        } else {
            rules.judge(&entry, around)
        };
        let mut event = Judged { entry, uid, recurrence_id: entry.content(Property::RecurrenceId), judgement };
        if single {
            settle.alone(&mut event, window_first);
        }
        match alone.as_mut().filter(|_| single) {
            Some(alone) => alone(event),
            None => events.push(event),
        }
    }
    for series in series_of(&events, &overridden) {
        settle.series(&mut events, &series);
    }
    events
}

/// The UIDs of which there are overrides.
fn overridden<'text>(calendar: &Calendar<'text>) -> HashSet<Cow<'text, [u8]>> {
    let overrides = calendar.entry_list().filter(|entry| entry.first(Property::RecurrenceId).is_some());
    overrides.filter_map(|entry| entry.uid()).collect()
}

/// Every series with overrides. Other events are by themselves.
fn series_of(events: &[Judged<'_, '_>], overridden: &HashSet<Cow<'_, [u8]>>) -> Vec<Series> {
    let mut places: HashMap<&[u8], usize> = HashMap::new();
    let mut all: Vec<Series> = Vec::new();
    for (index, event) in events.iter().enumerate().filter(|(_, event)| overridden.contains(&event.uid)) {
        let place = *places.entry(&event.uid).or_insert_with(|| {
            all.push(Series::default());
            all.len() - 1
        });
        let Some(series) = all.get_mut(place) else { continue };
        if event.recurrence_id.is_some() { series.overrides.push(index) } else { series.masters.push(index) }
    }
    all
}

struct Settle<'a> {
    around: &'a Surroundings<'a>,
    window: Option<Span>,
    pin_floating: bool,
    patience: Patience,
}

impl Settle<'_> {
    /// Whether an event without siblings is outside the window.
    fn is_outside(&mut self, entry: &Entry<'_, '_>) -> bool {
        self.window.is_some_and(|window| !window.holds_series(entry, &[], self.around, &mut self.patience))
    }

    fn alone(&mut self, event: &mut Judged<'_, '_>, window_asked: bool) {
        if event.judgement.dropped.is_some() {
            return;
        }
        if !window_asked && !event.judgement.kept && self.is_outside(&event.entry) {
            event.judgement.dropped = Some(Reason::Window);
        }
        event.judgement.draft.hash_uid = event.judgement.draft.is_busy();
        self.follow(event);
    }

    /// Moves `event` as its rules can follow.
    fn follow(&self, event: &mut Judged<'_, '_>) {
        let floating = self.around.zones.calendar().filter(|_| self.pin_floating);
        let times = &mut event.judgement.draft.times;
        times.pin = times.pin.or(floating);
        if *times != Times::default()
            && let Some(start) = start(&event.entry)
        {
            let rules = event.entry.all(Property::Rrule);
            let rules: Vec<_> = rules.map(|(_, line)| ContentLine::of(event.entry.calendar(), line)).collect();
            let clocks = match &start.form {
                Form::Zoned(tzid) => match self.around.zones.find(tzid).as_deref() {
                    Some(Zone::Iana(zone)) => Some(*zone),
                    _ => None,
                },
                _ => None,
            };
            *times = times.of_series(&start, clocks, &rules);
        }
    }

    fn series(&mut self, events: &mut [Judged<'_, '_>], series: &Series) {
        drop_with_master(events, series);
        self.keep_to_window(events, series);
        self.move_together(events, series);
        hide_together(events, series);
        self.leave_gaps(events, series);
    }

    /// The window keeps a series whole, or leaves it out whole.
    fn keep_to_window(&mut self, events: &mut [Judged<'_, '_>], series: &Series) {
        let Some(window) = &self.window else { return };
        let members = || series.masters.iter().chain(&series.overrides).copied();
        let stands = |index: &usize| events.get(*index).is_some_and(|event| event.judgement.dropped.is_none());
        if !members().any(|index| stands(&index)) {
            return;
        }
        let overrides: Vec<_> = series.overrides.iter().filter_map(|index| events.get(*index)).collect();
        let mut inside = false;
        for index in members().filter(stands) {
            let Some(event) = events.get(index) else { continue };
            inside |= event.judgement.kept;
            inside = inside
                || if event.recurrence_id.is_some() {
                    window.holds(&event.entry, self.around)
                } else {
                    window.holds_series(&event.entry, &overrides, self.around, &mut self.patience)
                };
            if inside {
                return;
            }
        }
        for index in members().filter(stands).collect::<Vec<_>>() {
            if let Some(event) = events.get_mut(index) {
                event.judgement.dropped = Some(Reason::Window);
            }
        }
    }

    /// Instances are named by the times of their master, so they follow it; where it cannot move, neither do they.
    fn move_together(&self, events: &mut [Judged<'_, '_>], series: &Series) {
        let (mut of_master, mut stuck) = (None, false);
        for index in series.masters.iter().chain(&series.overrides) {
            let Some(event) = events.get_mut(*index) else { continue };
            let wanted = event.judgement.draft.times.shift;
            if stuck {
                event.judgement.draft.times.shift = Duration::zero();
            }
            self.follow(event);
            let times = event.judgement.draft.times;
            if event.recurrence_id.is_none() {
                stuck |= times.shift != wanted;
                of_master = of_master.or(Some(times));
            } else if let Some(series_times) = of_master.filter(|of_master| *of_master != times) {
                event.judgement.draft.series_times = Some(series_times);
            }
        }
    }

    /// An instance that is left out leaves a gap in its series, or the one it replaced would come back.
    fn leave_gaps(&mut self, events: &mut [Judged<'_, '_>], series: &Series) {
        for index in &series.overrides {
            let Some(event) = events.get(*index) else { continue };
            let asked = matches!(event.judgement.dropped, Some(Reason::Rule(_) | Reason::Hidden(_)));
            let Some(id) = event.recurrence_id.clone().filter(|_| asked) else { continue };
            let and_future = id.parameter("RANGE").is_some_and(|range| range.eq_ignore_ascii_case(b"THISANDFUTURE"));
            for master in &series.masters {
                let Some(master) = events.get_mut(*master).filter(|master| master.judgement.dropped.is_none()) else {
                    continue;
                };
                if and_future {
                    self.end_before(master, &id);
                } else {
                    leave_gap(master, &id, self.around.zones);
                }
            }
        }
    }

    /// Ends the series of `master` before the instance that `id` names.
    fn end_before(&mut self, master: &mut Judged<'_, '_>, id: &ContentLine<'_>) {
        let (Some(start), Some(id)) = (start(&master.entry), Moment::of(id)) else { return };
        let Some(at) = local_to(&start, &id, self.around.zones) else { return };
        let recurrence = Recurrence::of(&master.entry, &start, self.around.zones);
        if let Ok(Some(recurrence)) = recurrence
            && recurrence.last_counted(&mut self.patience).is_some_and(|last| last < at)
        {
            return;
        }
        let (step, form) = match &start.form {
            Form::Date => (Duration::days(1), Form::Date),
            Form::Zoned(_) => (Duration::seconds(1), Form::Utc),
            form => (Duration::seconds(1), form.clone()),
        };
        let before = Moment { local: at - step, form: start.form.clone() };
        let local = match start.form {
            Form::Zoned(_) => self.around.zones.to_utc(&before, chrono_tz::Tz::UTC),
            _ => Some(before.local),
        };
        let Some(local) = local else { return };
        let until = Moment { local, form }.written();
        // Of two, the earlier.
        if master.judgement.draft.until.as_ref().is_none_or(|known| until < *known) {
            master.judgement.draft.until = Some(until);
        }
    }
}

/// Where the master is left out by a rule, or cancelled, so are its instances, but for those that a rule keeps. What I
/// have answered to a single instance stands for itself.
fn drop_with_master(events: &mut [Judged<'_, '_>], series: &Series) {
    let all_gone =
        series.masters.iter().filter_map(|index| events.get(*index)).all(|master| {
            matches!(master.judgement.dropped, Some(Reason::Rule(_) | Reason::Hidden(Hidden::Cancelled)))
        });
    if series.masters.is_empty() || !all_gone {
        return;
    }
    for index in &series.overrides {
        if let Some(event) = events.get_mut(*index).filter(|event| !event.judgement.kept) {
            event.judgement.dropped.get_or_insert(Reason::Series);
        }
    }
}

/// Where the master tells only that somebody is busy, its instances tell no more. And as its UID becomes another, so does
/// theirs: [`super::privacy`] gives it to every event that is busy or has a busy sibling.
fn hide_together(events: &mut [Judged<'_, '_>], series: &Series) {
    let busy = |event: &Judged<'_, '_>| event.judgement.draft.is_busy() && event.judgement.dropped.is_none();
    let title = series
        .masters
        .iter()
        .filter_map(|index| events.get(*index))
        .find(|master| busy(master))
        .map(|master| master.judgement.draft.text(&master.entry, &super::rule::Field::SUMMARY).into_owned());
    if let Some(title) = title {
        for index in &series.overrides {
            if let Some(event) = events.get_mut(*index).filter(|event| !event.judgement.draft.is_busy()) {
                event.judgement.draft.make_busy(&title);
            }
        }
    }
    let members = || series.masters.iter().chain(&series.overrides).copied();
    if members().filter_map(|index| events.get(index)).any(busy) {
        for index in members() {
            if let Some(event) = events.get_mut(index) {
                event.judgement.draft.hash_uid = true;
            }
        }
    }
}

/// The EXDATE is written in the master's own form, which a client compares it with.
fn leave_gap(master: &mut Judged<'_, '_>, id: &ContentLine<'_>, zones: &Zones) {
    let calendar = master.entry.calendar();
    let named = Moment::of(id);
    let known = master.entry.all(Property::Exdate).any(|(_, line)| {
        let mut excluded = Moment::all_of(&ContentLine::of(calendar, line)).flatten().collect::<Vec<_>>().into_iter();
        named.is_some() && excluded.any(|excluded| Some(excluded) == named)
    });
    if known {
        return;
    }
    let same_form = |start: &Moment<'_>, id: &Moment<'_>| start.form == id.form;
    let line = match (start(&master.entry), named) {
        (Some(start), Some(named)) if !same_form(&start, &named) && !named.is_date() && !start.is_date() => {
            local_to(&start, &named, zones).map(|local| {
                let head = match &start.form {
                    Form::Zoned(tzid) => [b"RECURRENCE-ID;TZID=", quote_parameter(tzid).as_bytes()].concat(),
                    _ => b"RECURRENCE-ID".to_vec(),
                };
                ContentLine::new(&head, Moment { local, form: start.form.clone() }.written().as_bytes())
            })
        }
        _ => None,
    };
    master.judgement.draft.gone.push(line.unwrap_or_else(|| id.clone().into_owned()));
}
