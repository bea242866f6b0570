//! calferry

pub mod app;
pub mod calendar;
pub mod cli;
pub mod clock;
pub mod feed;
pub mod http;
pub mod publisher;
pub mod refresh;
pub mod settings;
pub mod source;
pub mod store;
