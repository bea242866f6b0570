//! The pages as people meet them: in a browser, on every screen, light and dark, in both languages, without a mouse.
//! `tests/page/run` brings the browser.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on should say where")]

/// The test that is called as its function is.
macro_rules! test {
    ($house:ident, $function:ident) => {
        $house.test(stringify!($function), $function)
    };
}

mod browser;
mod calendars;
mod harness;
mod house;
mod looks;
mod scanner;
mod states;
mod status;
mod subscription;
mod wire;
mod world;

use std::process::ExitCode;

use libtest_mimic::Arguments;

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // Each thread has a browser, which is several processes.
    arguments.test_threads.get_or_insert(2);
    let house = house::House::new();
    let tests =
        [subscription::tests, states::tests, status::tests].into_iter().flat_map(|tests| tests(&house)).collect();
    let conclusion = libtest_mimic::run(&arguments, tests);
    house.close();
    conclusion.exit_code()
}
