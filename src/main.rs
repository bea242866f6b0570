//! The doorbell: `cli` answers it.

use std::process::ExitCode;

/// Gives memory back to the system after a large calendar has passed.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    calferry::cli::run(std::env::args_os())
}
