//! The certificate that phones see: whether they accept it, and if not, why in a person's words.
//!
//! The handshake goes on whatever is wrong, so that it can be told; what may be sent over such a connection is decided by
//! whoever asked for it, and is never a secret.

use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, RootCertStore, SignatureScheme};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::{GeneralName, ParsedExtension};

use super::finding::{Finding, Kind, Severity};
use crate::clock::Timestamp;

/// Longest text that is taken out of a certificate.
const TEXT: usize = 200;
/// The issuer of the certificates that Cloudflare gives out for the way between it and an origin.
const CLOUDFLARE_ORIGIN: &str = "cloudflare origin";
const DAY: u64 = 86_400;

/// What phones trust: the authorities, and how a certificate is judged by them.
#[derive(Debug)]
pub(super) struct Trust {
    pub(super) provider: Arc<CryptoProvider>,
    roots: Arc<RootCertStore>,
    verifier: Arc<WebPkiServerVerifier>,
}

impl Trust {
    /// Trust in `roots`. `None` if there are none.
    pub(super) fn in_roots(roots: RootCertStore) -> Option<Self> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let roots = Arc::new(roots);
        let builder = WebPkiServerVerifier::builder_with_provider(Arc::clone(&roots), Arc::clone(&provider));
        Some(Self { verifier: builder.build().ok()?, roots, provider })
    }

    /// A look at the certificate of one connection.
    pub(super) fn witness(&self) -> Arc<Witness> {
        let (roots, verifier) = (Arc::clone(&self.roots), Arc::clone(&self.verifier));
        Arc::new(Witness { roots, verifier, seen: Mutex::default() })
    }
}

/// Sees the certificate of one connection and lets it pass.
#[derive(Debug)]
pub(super) struct Witness {
    roots: Arc<RootCertStore>,
    verifier: Arc<WebPkiServerVerifier>,
    seen: Mutex<Option<Shown>>,
}

impl Witness {
    /// Whether it is among the authorities, as a self-signed one is that was given by `--ca-file`. Many of those may sign
    /// others, for which they are refused as a server's.
    fn is_trusted_itself(&self, own: &CertificateDer<'_>) -> bool {
        let mut store = RootCertStore::empty();
        store.add(own.clone().into_owned()).is_ok() && store.roots.iter().all(|own| self.roots.roots.contains(own))
    }

    /// What was shown.
    pub(super) fn shown(&self) -> Option<Shown> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// What a server has shown.
#[derive(Debug)]
pub(super) struct Shown {
    /// The server's own certificate first.
    pub(super) chain: Vec<CertificateDer<'static>>,
    /// Why phones refuse it, if they do.
    pub(super) refused: Option<rustls::Error>,
}

/// What is asked of a certificate that is trusted by itself: that it is for this name, and holds.
fn judge_alone(
    own: &CertificateDer<'_>,
    server_name: &ServerName<'_>,
    now: UnixTime,
) -> Result<ServerCertVerified, rustls::Error> {
    let bad = || rustls::Error::InvalidCertificate(CertificateError::BadEncoding);
    let dates = parsed(own).ok_or_else(bad)?.validity().clone();
    let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    if now > dates.not_after.timestamp() {
        return Err(CertificateError::Expired.into());
    }
    if now < dates.not_before.timestamp() {
        return Err(CertificateError::NotValidYet.into());
    }
    verify_server_name(&ParsedCertificate::try_from(own)?, server_name)?;
    Ok(ServerCertVerified::assertion())
}

impl ServerCertVerifier for Witness {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let mut verdict = self.verifier.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        if verdict.is_err() && self.is_trusted_itself(end_entity) {
            verdict = judge_alone(end_entity, server_name, now);
        }
        let chain = std::iter::once(end_entity).chain(intermediates).map(|der| der.clone().into_owned()).collect();
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(Shown { chain, refused: verdict.err() });
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verifier.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verifier.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.supported_verify_schemes()
    }
}

impl Shown {
    /// What there is to say of it at `now`, where it was shown for `host`.
    pub(super) fn finding(&self, subject: &str, host: &str, now: Timestamp) -> Finding {
        let Some(own) = self.chain.first().and_then(|der| parsed(der)) else {
            return Finding::new(Kind::CertificateRefused, subject).with("error", "X.509");
        };
        match &self.refused {
            Some(error) => self.refusal(error, &own, subject, host),
            None => lifetime(&own, subject, now),
        }
    }

    /// Whether it is refused for its dates alone, as it is by a machine whose clock is wrong.
    pub(super) fn is_out_of_time(&self) -> bool {
        use CertificateError as E;
        let dates = |error: &E| {
            matches!(error, E::Expired | E::ExpiredContext { .. } | E::NotValidYet | E::NotValidYetContext { .. })
        };
        matches!(&self.refused, Some(rustls::Error::InvalidCertificate(error)) if dates(error))
    }

    fn refusal(&self, error: &rustls::Error, own: &X509Certificate<'_>, subject: &str, host: &str) -> Finding {
        use CertificateError as E;
        let rustls::Error::InvalidCertificate(cause) = error else { return refused(error, subject) };
        match cause {
            E::Expired | E::ExpiredContext { .. } => Finding::new(Kind::CertificateExpired, subject)
                .with("until", date(own.validity().not_after.timestamp())),
            E::NotValidYet | E::NotValidYetContext { .. } => Finding::new(Kind::CertificateNotYetValid, subject)
                .with("from", date(own.validity().not_before.timestamp())),
            E::NotValidForName | E::NotValidForNameContext { .. } => {
                Finding::new(Kind::CertificateWrongName, subject).with("names", names(own)).with("host", host)
            }
            E::UnknownIssuer => self.unknown_issuer(subject),
            // What else is wrong with a self-signed one matters to nobody who does not know it.
            _ if own.issuer() == own.subject() => self.unknown_issuer(subject),
            _ => refused(error, subject),
        }
    }

    fn unknown_issuer(&self, subject: &str) -> Finding {
        let Some(last) = self.chain.last().and_then(|der| parsed(der)) else {
            return Finding::new(Kind::CertificateUnknownIssuer, subject).with("issuer", "?");
        };
        let issuer = shown(&last.issuer().to_string());
        let kind = if issuer.to_ascii_lowercase().contains(CLOUDFLARE_ORIGIN) {
            Kind::CertificateForCloudflareOnly
        // Public authorities say where the issuer's certificate is to be had; what ends with such a one is no whole chain.
        } else if last.issuer() != last.subject() && names_its_issuer(&last) {
            Kind::CertificateChainIncomplete
        } else {
            Kind::CertificateUnknownIssuer
        };
        Finding::new(kind, subject).with("issuer", issuer)
    }
}

/// How long `der`, a certificate that is accepted, holds.
pub(super) fn lifetime_of(der: &[u8], subject: &str, now: Timestamp) -> Option<Finding> {
    Some(lifetime(&parsed(der)?, subject, now))
}

fn lifetime(own: &X509Certificate<'_>, subject: &str, now: Timestamp) -> Finding {
    let secs = |time: i64| u64::try_from(time).unwrap_or_default();
    let (from, until) = (secs(own.validity().not_before.timestamp()), secs(own.validity().not_after.timestamp()));
    if until < now.as_secs() {
        let ended = date(own.validity().not_after.timestamp());
        return Finding::new(Kind::CertificateExpired, subject).with("until", ended);
    }
    let (left, whole) = (until - now.as_secs(), until.saturating_sub(from));
    // Some hold for six days only, and are renewed at the last third of their time as others are.
    let (soon, now_or_never) = ((14 * DAY).min(whole / 3), (3 * DAY).min(whole / 10));
    let (kind, severity) = match left {
        left if left < now_or_never => (Kind::CertificateEnds, Severity::Error),
        left if left < soon => (Kind::CertificateEnds, Severity::Warning),
        _ => (Kind::CertificateHolds, Severity::Ok),
    };
    Finding::new(kind, subject).at(severity).with("days", (left / DAY).to_string())
}

fn refused(error: &rustls::Error, subject: &str) -> Finding {
    Finding::new(Kind::CertificateRefused, subject).with("error", shown(&error.to_string()))
}

fn parsed(der: &[u8]) -> Option<X509Certificate<'_>> {
    x509_parser::parse_x509_certificate(der).ok().map(|(_, certificate)| certificate)
}

fn date(seconds: i64) -> String {
    Timestamp::from_secs(u64::try_from(seconds).unwrap_or_default()).date().to_string()
}

fn names(certificate: &X509Certificate<'_>) -> String {
    let alternatives = certificate.subject_alternative_name().ok().flatten();
    let named = alternatives.iter().flat_map(|names| &names.value.general_names).filter_map(|name| match name {
        GeneralName::DNSName(name) => Some(*name),
        _ => None,
    });
    let named: Vec<_> = named.take(8).collect();
    shown(&if named.is_empty() { certificate.subject().to_string() } else { named.join(", ") })
}

fn names_its_issuer(certificate: &X509Certificate<'_>) -> bool {
    let is_access = |extension: &ParsedExtension<'_>| matches!(extension, ParsedExtension::AuthorityInfoAccess(_));
    certificate.extensions().iter().any(|extension| is_access(extension.parsed_extension()))
}

/// A text from outside as it may be shown: short, and in one line.
pub(super) fn shown(text: &str) -> String {
    let visible = text.chars().map(|char| if char.is_control() { ' ' } else { char });
    visible.take(TEXT).collect::<String>().trim().to_owned()
}
