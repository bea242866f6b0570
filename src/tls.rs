//! TLS of the listeners: which certificate is in force, and how a handshake is made.
//!
//! | file | holds |
//! |---|---|
//! | `certificates` | the certificates in force, replaced while connections are open |
//! | `files` | reading them |
//! | `handshake` | from a plain connection to an encrypted one |

mod certificates;
mod files;
mod handshake;

pub use certificates::Certificates;
pub use files::{CertificateError, Files, expiry};
pub use handshake::Tls;
