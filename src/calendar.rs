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
//! | `line` | one content line: name, value, folding, escaping |
//! | `edit` | what comes out differently, and writing it |
//! | `mend` | the short list of what is always put right |
//! | `duration` | RFC 5545 durations |

mod duration;
mod edit;
mod line;
mod mend;
mod scan;
mod spans;

pub use duration::format_duration;
pub use edit::{Edits, Patch};
pub use line::{Property, escape_text, fold, push_line, unescape_text, unfold};
pub use mend::{Mended, mend};
pub use scan::{Limits, Malformed};
pub use spans::{Calendar, Component, Kind, Line};
