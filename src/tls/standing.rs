//! How the certificate stands, for metrics and the status page.

use crate::clock::Timestamp;

/// How the certificate in force stands, and what becomes of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outlook {
    /// When the next one is asked for; nothing while one is being asked for, or where somebody else renews it.
    pub next_try: Option<Timestamp>,
    /// Why the latest try gave none.
    pub trouble: Option<Trouble>,
}

/// Why there is no new certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// What happened, and what to do.
    pub words: String,
    /// When it was tried last.
    pub tried_at: Timestamp,
    /// Tries without success, this one included.
    pub failures: u32,
}
