//! Certificates in files, as `certbot` and Cloudflare's dashboard give them: PEM.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

use crate::clock::Timestamp;

/// Where a certificate is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    /// The chain, the server's own certificate first.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// A file that cannot be read, or holds nothing of the kind.
    #[error("{} cannot be read as PEM: {error}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it. It never holds any of the text.
        error: pem::Error,
    },
    /// The key belongs to another certificate, or is of a kind that cannot be used.
    #[error("{} and {} do not go together: {error}", certificate.display(), key.display())]
    Mismatch {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's.
        key: PathBuf,
        /// What rustls says.
        error: rustls::Error,
    },
    /// It has ended, and another holds.
    #[error("{} ended at {until}", path.display())]
    Ended {
        /// The file.
        path: PathBuf,
        /// When.
        until: Timestamp,
    },
    /// The certificates of an authority that cannot be used to judge others.
    #[error("{} holds no certificate that can judge others: {error}", path.display())]
    Authority {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        error: String,
    },
}

impl Files {
    /// Reads both files.
    ///
    /// # Errors
    /// If one cannot be read, or they do not go together.
    pub fn read(&self) -> Result<CertifiedKey, CertificateError> {
        let chain = certificates(&self.certificate)?;
        let key = PrivateKeyDer::from_pem_file(&self.key).map_err(|error| unreadable(&self.key, error))?;
        CertifiedKey::from_der(chain, key, &aws_lc_rs::default_provider()).map_err(|error| CertificateError::Mismatch {
            certificate: self.certificate.clone(),
            key: self.key.clone(),
            error,
        })
    }
}

/// The authority in `path`.
pub(super) fn authority(path: &Path) -> Result<Arc<RootCertStore>, CertificateError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path)? {
        let refused =
            |error: rustls::Error| CertificateError::Authority { path: path.into(), error: error.to_string() };
        roots.add(certificate).map_err(refused)?;
    }
    Ok(Arc::new(roots))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, CertificateError> {
    let read = || {
        let chain = CertificateDer::pem_file_iter(path)?.collect::<Result<Vec<_>, _>>()?;
        if chain.is_empty() { Err(pem::Error::NoItemsFound) } else { Ok(chain) }
    };
    read().map_err(|error| unreadable(path, error))
}

fn unreadable(path: &Path, error: pem::Error) -> CertificateError {
    CertificateError::Unreadable { path: path.into(), error }
}
