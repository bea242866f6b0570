//! What these tests share with those of `tests/it`, which use all of it.

#[path = "../it/harness/client.rs"]
#[expect(dead_code, reason = "used there")]
pub(crate) mod client;
#[path = "../it/harness/program.rs"]
#[expect(dead_code, reason = "used there")]
pub(crate) mod program;
#[path = "../it/harness/upstream.rs"]
#[expect(dead_code, reason = "used there")]
pub(crate) mod upstream;
#[path = "../it/harness/waiting.rs"]
mod waiting;

pub(crate) use self::waiting::eventually;
