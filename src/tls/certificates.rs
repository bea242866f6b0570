//! The certificate in force. It is replaced while connections are open: a handshake uses the one that is in force when it
//! begins.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::{ArcSwap, ArcSwapOption};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tracing::warn;

use super::standing::Outlook;
use super::validity::Validity;

/// The certificate to show.
#[derive(Debug, Default)]
pub struct Certificates {
    current: ArcSwapOption<CertifiedKey>,
    outlook: ArcSwap<Outlook>,
    /// Somebody came before there was one, and it has been said.
    missed: AtomicBool,
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

    /// When the one that is shown holds.
    pub fn validity(&self) -> Option<Validity> {
        Validity::of(&*self.current()?)
    }

    /// Takes note of what becomes of it.
    pub fn expect(&self, outlook: Outlook) {
        self.outlook.store(Arc::new(outlook));
    }

    /// What becomes of it.
    pub fn outlook(&self) -> Arc<Outlook> {
        self.outlook.load_full()
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let current = self.current.load_full();
        if current.is_none() && !self.missed.swap(true, Ordering::Relaxed) {
            warn!("a client was turned away: there is no certificate yet. This is said once");
        }
        current
    }
}
