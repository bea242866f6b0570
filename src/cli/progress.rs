//! What is going on, for the one who waits at a terminal. Elsewhere nothing is shown.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// A line that moves while something is waited for, and goes when it is dropped.
pub(super) struct Progress(ProgressBar);

impl Progress {
    /// Shows `what` on standard error, if that is a terminal.
    pub(super) fn of(what: String) -> Self {
        let bar = ProgressBar::new_spinner().with_style(ProgressStyle::default_spinner());
        bar.set_message(what);
        bar.enable_steady_tick(Duration::from_millis(120));
        Self(bar)
    }

    /// Shows `what` instead.
    pub(super) fn now(&self, what: &str) {
        self.0.set_message(what.to_owned());
    }

    /// Prints `line` without tearing the moving one.
    pub(super) fn say(&self, line: &str) {
        self.0.suspend(|| eprintln!("{line}"));
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
