//! calferry

pub mod calendar;
pub mod feed;
pub mod clock;
pub mod source;
pub mod store;
