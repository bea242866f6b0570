//! The whole program against an upstream that misbehaves.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on should say where")]

mod acme;
mod bad_answers;
mod calendars;
mod clients;
mod command_line;
mod connections;
mod contract;
mod dates;
mod doctor;
mod egress;
mod harness;
mod kills;
mod large;
mod limits;
mod listeners;
mod merged;
mod model;
mod page;
mod reload;
mod rule_table;
mod secrets;
mod series;
mod simulated;
mod status;
mod terminal;
mod tidy;
mod tls;
mod upstreams;
