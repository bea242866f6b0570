//! How a connection becomes an encrypted one.

use std::io;
use std::path::Path;
use std::sync::Arc;

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::server::{Acceptor, NoClientAuth, NoServerSessionStorage, ServerSessionMemoryCache, WebPkiClientVerifier};
use rustls::{Error, ServerConfig, SupportedProtocolVersion};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;

use super::certificates::Certificates;
use super::challenges::{Challenges, PROTOCOL, is_check};
use super::files::{self, CertificateError};

/// TLS 1.2 and 1.3 only; of TLS 1.2 rustls has nothing but ECDHE with AEAD.
const VERSIONS: &[&SupportedProtocolVersion] = &[&rustls::version::TLS13, &rustls::version::TLS12];
/// Sessions of TLS 1.2 that can be taken up again; TLS 1.3 uses tickets.
const SESSIONS: usize = 1024;

/// Makes encrypted connections of plain ones.
#[derive(Clone)]
pub struct Tls {
    clients: Arc<ServerConfig>,
    /// For authorities that check a name.
    checks: Option<Arc<ServerConfig>>,
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tls")
    }
}

impl Tls {
    /// Shows whatever is in force of `certificates`; with `client_ca`, a PEM file, only to whoever shows a certificate
    /// of that authority.
    ///
    /// # Errors
    /// If the authority cannot be read.
    pub fn new(certificates: Arc<Certificates>, client_ca: Option<&Path>) -> Result<Self, CertificateError> {
        let provider: Arc<CryptoProvider> = Arc::new(aws_lc_rs::default_provider());
        let clients = match client_ca {
            None => Arc::new(NoClientAuth),
            Some(path) => WebPkiClientVerifier::builder_with_provider(files::authority(path)?, Arc::clone(&provider))
                .build()
                .map_err(|error| CertificateError::Authority { path: path.into(), error: error.to_string() })?,
        };
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(VERSIONS)
            .expect("the provider has suites for TLS 1.2 and 1.3")
            .with_client_cert_verifier(clients)
            .with_cert_resolver(certificates);
        config.alpn_protocols = [&b"h2"[..], b"http/1.1"].map(<[u8]>::to_vec).into();
        config.session_storage = ServerSessionMemoryCache::new(SESSIONS);
        if let Ok(ticketer) = aws_lc_rs::Ticketer::new() {
            config.ticketer = ticketer;
        }
        // One ticket is enough for a phone that comes back alone; each costs a signature's worth of time.
        config.send_tls13_tickets = 1;
        Ok(Self { clients: Arc::new(config), checks: None })
    }

    /// The same, which also answers an authority that checks a name, with `challenges`. An authority shows no certificate
    /// of its own, whoever else must.
    #[must_use]
    pub fn answering(self, challenges: Arc<Challenges>) -> Self {
        let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_protocol_versions(VERSIONS)
            .expect("the provider has suites for TLS 1.2 and 1.3")
            .with_no_client_auth()
            .with_cert_resolver(challenges);
        config.alpn_protocols = vec![PROTOCOL.to_vec()];
        // Such a connection is over when it is made: nothing of it can be taken up again.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        Self { checks: Some(Arc::new(config)), ..self }
    }

    /// The handshake. It has no deadline of its own. `None` if it was an authority's check, which is over with it
    /// (RFC 8737 §3).
    ///
    /// # Errors
    /// If the client speaks no TLS, too old a TLS, or shows no certificate that is wanted; if there is no certificate to
    /// show.
    pub async fn accept<IO: AsyncRead + AsyncWrite + Unpin>(&self, io: IO) -> io::Result<Option<TlsStream<IO>>> {
        let begun = LazyConfigAcceptor::new(Acceptor::default(), io).await?;
        match &self.checks {
            Some(checks) if is_check(&begun.client_hello()) => {
                let mut checked = begun.into_stream(Arc::clone(checks)).await?;
                // The authority may have hung up already.
                let _ = checked.shutdown().await;
                Ok(None)
            }
            _ => begun.into_stream(Arc::clone(&self.clients)).await.map(Some),
        }
    }
}

/// Whether a handshake failed because the client showed no certificate that is wanted.
pub fn is_refused_certificate(error: &io::Error) -> bool {
    let cause = error.get_ref().and_then(|cause| cause.downcast_ref());
    matches!(cause, Some(Error::NoCertificatesPresented | Error::InvalidCertificate(_)))
}
