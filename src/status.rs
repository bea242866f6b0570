//! The status page, for the person with the server: how every source and feed stands, as a page and as JSON. Both are
//! made of the same report.
//!
//! | file | holds |
//! |---|---|
//! | `report` | how everything stands, in the form of the JSON answer |
//! | `usage` | what devices fetched. Written while they do |
//! | `template` | the page; everything in it is escaped by the template engine |
//! | `cards` | one source, one feed |
//! | `chart` | a day of fetches as a small picture |
//! | `words` | times, sizes and errors in words |
//! | `style.css` | what stands in the page beside the style of the subscription page |

mod cards;
mod chart;
mod report;
mod template;
mod usage;
mod words;

pub use report::{
    Aside, Certificate, Day, Device, Edition, Feed, Outline, Refused, RuleTally, STATES, Source, Status, Trouble, Way,
    certificate, feed, source,
};
pub use template::{PER_PAGE, Shown, Slice, TROUBLED, View, page, style};
pub use usage::{Figures, Listed, Subscription, Usage};
