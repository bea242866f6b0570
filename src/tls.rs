//! TLS of the listeners: which certificate is in force, and how a handshake is made.
//!
//! | file | holds |
//! |---|---|
//! | `certificates` | the certificates in force, replaced while connections are open |
//! | `files` | reading them |
//! | `validity` | how long one holds, and when its end is near |
//! | `standing` | what becomes of it, for those who look |
//! | `challenges` | what is shown to an authority that checks a name |
//! | `handshake` | from a plain connection to an encrypted one |

mod certificates;
mod challenges;
mod files;
mod handshake;
mod standing;
mod validity;

pub use certificates::Certificates;
pub use challenges::Challenges;
pub use files::{CertificateError, Files};
pub use handshake::{Tls, is_refused_certificate};
pub use standing::{Outlook, Trouble};
pub use validity::Validity;
