//! What an ACME authority looks for when it checks that a name leads here: a certificate of its own for each name, shown
//! only to whoever offers the protocol `acme-tls/1` (RFC 8737).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

/// The protocol of a check, as it stands in ALPN (RFC 8737 §6.2).
pub(super) const PROTOCOL: &[u8] = b"acme-tls/1";

/// The answers to the checks that are awaited, by the name that is checked.
#[derive(Debug, Default)]
pub struct Challenges {
    awaited: Mutex<HashMap<String, Arc<CertifiedKey>>>,
}

impl Challenges {
    /// Answers checks of `name`, in lower case, with `certificate` until [`Challenges::clear`].
    pub fn await_check(&self, name: &str, certificate: CertifiedKey) {
        let mut awaited = self.awaited.lock().unwrap_or_else(PoisonError::into_inner);
        awaited.insert(name.to_owned(), Arc::new(certificate));
    }

    /// Answers no check any more.
    pub fn clear(&self) {
        self.awaited.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

impl ResolvesServerCert for Challenges {
    /// The answer for the very name that is asked for (RFC 8737 §3): never for another, and for none without a name.
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let name = hello.server_name()?.to_ascii_lowercase();
        self.awaited.lock().unwrap_or_else(PoisonError::into_inner).get(&name).cloned()
    }
}

/// Whether `hello` is that of a check: it offers its protocol.
pub(super) fn is_check(hello: &ClientHello<'_>) -> bool {
    hello.alpn().is_some_and(|mut offered| offered.any(|protocol| protocol == PROTOCOL))
}
