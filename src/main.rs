//! The doorbell: `cli` answers it.

use std::process::ExitCode;

/// Gives memory back to the system after a large calendar has passed. It serves the C in here too, `SQLite` and zstd,
/// whose calls would go to the system's allocator, which keeps what they leave.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    calferry::cli::run(std::env::args_os())
}
