//! When the clocks of a zone change, read off the time zone database by looking.

use chrono::{Days, Duration, NaiveDateTime, Offset, TimeZone};
use chrono_tz::{Tz, TzOffset};

/// One change of a zone's clocks, or of what their time is called.
pub(super) struct Change {
    pub(super) utc: NaiveDateTime,
    pub(super) before: TzOffset,
    pub(super) after: TzOffset,
}

/// The changes after `from` and up to `to`, in order.
///
/// The database does not hand out its table, so every day is looked at, and where two differ, what lies between. No zone
/// has changed twice within a day.
pub(super) fn changes(tz: Tz, from: NaiveDateTime, to: NaiveDateTime) -> Vec<Change> {
    let mut changes = Vec::new();
    let (mut at, mut before) = (from, offset_at(tz, from));
    while at < to {
        let Some(next) = at.checked_add_days(Days::new(1)) else { break };
        let next = next.min(to);
        let after = offset_at(tz, next);
        if after != before {
            changes.push(Change { utc: between(tz, at, next, before), before, after });
        }
        (at, before) = (next, after);
    }
    changes
}

/// The first second after `low` at which the offset is not `before`; at `high` it is not.
fn between(tz: Tz, mut low: NaiveDateTime, mut high: NaiveDateTime, before: TzOffset) -> NaiveDateTime {
    while high - low > Duration::seconds(1) {
        let middle = low + Duration::seconds((high - low).num_seconds() / 2);
        if offset_at(tz, middle) == before { low = middle } else { high = middle }
    }
    high
}

pub(super) fn offset_at(tz: Tz, utc: NaiveDateTime) -> TzOffset {
    tz.offset_from_utc_datetime(&utc)
}

/// Seconds to be added to UTC.
pub(super) fn seconds(offset: TzOffset) -> i32 {
    offset.fix().local_minus_utc()
}
