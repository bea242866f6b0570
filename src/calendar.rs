//! iCalendar text, without loss.
//!
//! A proxy's first duty is not to damage what it was not asked to change. So this room never builds a tree that is
//! printed again: [`Calendar`] is a list of spans into the original bytes, an [`Edits`] says which spans come out
//! differently, and everything else is copied byte for byte. Pure: no clock, no file, no network.
//!
//! | file | holds |
//! |---|---|
//! | `spans` | a calendar as content lines and components of its text |
//! | `scan` | one linear pass with caps, from bytes to spans |
//! | `property` | the properties that are known by name |
//! | `line` | one content line: name, value, folding, escaping |
//! | `entry` | one event with its own properties |
//! | `time` | dates, times and durations as they are written |
//! | `zone`, `vtimezone` | what a TZID means; declaring a zone |
//! | `recurrence` | when a series takes place |
//! | `edit` | what comes out differently, and writing it |
//! | `mend` | the short list of what is always put right |
//! | `duration` | RFC 5545 durations |

mod duration;
mod edit;
mod entry;
mod line;
mod mend;
mod property;
mod recurrence;
mod scan;
mod spans;
mod time;
mod vtimezone;
mod zone;

pub use duration::{format_duration, parse_duration};
pub use edit::{Edits, Patch};
pub use entry::Entry;
pub use line::{
    ContentLine, escape_text, escape_text_to, fold, fold_parts, push_line, quote_parameter, unescape_text, unfold,
};
pub use mend::{FirstSeen, Mended, mend};
pub use property::{Property, PropertySet};
pub use recurrence::{NotUnderstood, Patience, Recurrence, local_to};
pub use scan::{Limits, Malformed};
pub use spans::{Calendar, Component, Kind, Line};
pub use time::{Form, Moment, Zone, Zones};
pub use vtimezone::{Declared, vtimezone};
pub use zone::{iana, windows};
