//! When to fetch, and what to do with the answer. The only writer of snapshots.
//!
//! One driver looks after all upstreams with one delay queue: not a task and a timer for each. An upstream is a distinct
//! address; however many sources name it and however many phones read it, it is fetched once. Readers never wait for a
//! fetch while there is any copy.
//!
//! | file | holds |
//! |---|---|
//! | `upstream` | what is known of one upstream: its copy, its trouble, what comes next |
//! | `schedule` | when an upstream is due again. Pure |
//! | `lane` | a host by one way, and how a way stands. Pure |
//! | `host` | how often and how much at once a host is asked by one way, and when it is left alone. Pure |
//! | `hosts` | all hosts, and what waits for them |
//! | `large` | what waits for the space that a large answer takes |
//! | `entry` | one upstream as the driver has it, and which way it takes |
//! | `judge` | what an answer means for the copy that is held. Pure |
//! | `work` | one refresh, from order to outcome |
//! | `record` | what an outcome leaves behind |
//! | `ledger` | what of it is on the disk |
//! | `day` | how its fetches went over a day. Pure |
//! | `driver` | the loop that owns it all; in `driver/stored`, what reaches it by way of the store |
//! | `once` | one fetch outside of the schedule |
//! | `handle` | the refresher as the rest of the program knows it |

mod day;
mod driver;
mod entry;
mod handle;
mod host;
mod hosts;
mod judge;
mod lane;
mod large;
mod ledger;
mod once;
mod record;
mod schedule;
mod upstream;
mod work;

pub use day::{Ending, QUARTERS, Quarter};
pub use handle::{Accepted, Bounds, Change, Plan, Refresher, WAKE_AFTER};
pub use host::HostLimits;
pub use judge::{CollapseRule, MendedAnswer, mend_answer};
pub use lane::WayStanding;
pub use once::{Remark, Target, fetch_once};
pub use schedule::Pace;
pub use upstream::{Failing, Standing, Upstream};
