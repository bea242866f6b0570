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
mod publish;
mod token;

pub use catalog::{Catalog, Feed, Found};
pub use edition::{Coding, Edition};
pub use publish::{Presentation, publish, publish_mended};
pub use token::{Key, Token};
