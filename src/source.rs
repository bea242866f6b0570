//! Fetching: from a secret address to a calendar, or to the exact name of what went wrong.
//!
//! Nothing here remembers anything: the caller says which validators to send, and decides what an answer means for the
//! copy it holds. Errors never hold the address.
//!
//! | file | holds |
//! |---|---|
//! | `address` | a source's address: a secret, sent exactly as it was pasted |
//! | `guard` | which addresses of the network may be reached |
//! | `way` | straight, or through a proxy |
//! | `connect` | name → checked addresses → connection, with TLS |
//! | `tunnel` | the same through a proxy |
//! | `client` | one fetch by one way: redirects, deadlines |
//! | `diagnose` | why no answer came |
//! | `verdict` | what an answer without a calendar means |
//! | `body` | reading and decoding under a cap |
//! | `space` | how much of what is large may be in memory at a time |
//! | `error` | everything that goes wrong, by name |

mod address;
mod body;
mod client;
mod connect;
mod diagnose;
mod error;
mod guard;
mod space;
mod tunnel;
mod verdict;
mod way;

pub use address::{Address, Mistake};
pub use client::{Client, Fetch, Fetched, Options, Order, Validators};
pub use connect::roots;
pub use error::{FetchError, Retry};
pub use guard::{Reach, USUAL_PORTS, is_public};
pub use space::{Share, Space};
pub use verdict::retry_after;
pub use way::{Proxy, Way, WayMistake};
