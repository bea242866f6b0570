//! What a subscriber sees: a feed's name and devices, the tokens that lead to it, and its editions. Pure: the text is
//! an argument, the time is an argument, and the same input gives the same bytes on every machine.
//!
//! | file | holds |
//! |---|---|
//! | `publish` | a source's mended calendar → the text of an edition |
//! | `edition` | that text, compressed and ready to send |
//! | `token` | the unguessable part of a device's URL, and the key it is derived from |
//! | `catalog` | every feed and token in force, swapped whole |

mod catalog;
mod edition;
mod html;
mod join;
mod meeting;
mod merge;
mod notice;
mod presentation;
mod privacy;
mod publish;
mod rule;
mod series;
mod token;
mod window;
mod zones;

pub use catalog::{Catalog, Feed, Found, TokenName};
pub use edition::{Coding, Edition};
pub(crate) use html::html_to_text;
pub use join::meeting_of;
pub use meeting::{MeetingHosts, meeting_link};
pub use presentation::{Colour, Presentation};
pub use publish::{Circumstances, Copy, Publication, Recipe, Seen, Tally, mended};
pub use rule::{
    Action, Alarm, Comparison, Condition, Date, Field, Finding, Hidden, Judgement, Reason, Rule, Rules, Strip,
    Surroundings, Template, Test, Thing, Verdict, Window,
};
pub use token::{Key, Token};
pub use zones::ZoneNames;
