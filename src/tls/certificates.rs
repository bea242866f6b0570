//! The certificate in force. It is replaced while connections are open: a handshake uses the one that is in force when it
//! begins.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

/// The certificate to show.
#[derive(Debug, Default)]
pub struct Certificates {
    current: ArcSwapOption<CertifiedKey>,
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
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.current.load_full()
    }
}
