//! Prints a calendar in the manner of Google's secret address: `cargo run --release --example google_like -- 285`.

mod google_like;

use std::io::Write;
use std::process::ExitCode;

/// The moment at which the calendar seems to have been asked for, unless another one is given.
const STAMP: &str = "20261122T070312Z";

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let events = args.next().and_then(|events| events.parse().ok());
    let (Some(events), stamp, None) = (events, args.next(), args.next()) else {
        eprintln!("usage: google_like EVENTS [STAMP]   such as: google_like 285 {STAMP}");
        return ExitCode::from(2);
    };
    let feed = google_like::google_like(events, stamp.as_deref().unwrap_or(STAMP));
    match std::io::stdout().lock().write_all(&feed) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("google_like: {error}");
            ExitCode::FAILURE
        }
    }
}
