//! The certificates in force. They are replaced while connections are open: a handshake uses the one that is in force
//! when it begins.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwapOption;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

/// How a TLS-ALPN-01 validation names itself (RFC 8737 §6.2).
const ACME_TLS_1: &[u8] = b"acme-tls/1";

/// The certificate to show, and those that prove to an authority that a name is ours.
#[derive(Debug, Default)]
pub struct Certificates {
    current: ArcSwapOption<CertifiedKey>,
    /// By name, lower case. A handful at most, and only while an order is validated.
    challenges: Mutex<HashMap<String, Arc<CertifiedKey>>>,
}

impl Certificates {
    /// Shows `certificate` from the next handshake on.
    pub fn install(&self, certificate: CertifiedKey) {
        self.current.store(Some(Arc::new(certificate)));
    }

    /// The certificate that is shown.
    pub fn current(&self) -> Option<Arc<CertifiedKey>> {
        self.current.load_full()
    }

    /// Shows `proof` to whoever validates `name` by TLS-ALPN-01, and to nobody else.
    pub fn begin_challenge(&self, name: &str, proof: CertifiedKey) {
        self.challenges().insert(name.to_ascii_lowercase(), Arc::new(proof));
    }

    /// The validation of `name` is over.
    pub fn end_challenge(&self, name: &str) {
        self.challenges().remove(&name.to_ascii_lowercase());
    }

    fn challenges(&self) -> std::sync::MutexGuard<'_, HashMap<String, Arc<CertifiedKey>>> {
        self.challenges.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let validates = hello.alpn().is_some_and(|mut protocols| protocols.any(|protocol| protocol == ACME_TLS_1));
        if validates {
            return self.challenges().get(&hello.server_name()?.to_ascii_lowercase()).map(Arc::clone);
        }
        self.current.load_full()
    }
}
