//! From the text and the key that are stored to a certificate that can be shown.

use rustls::client::verify_server_name;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::server::ParsedCertificate;
use rustls::sign::CertifiedKey;

use crate::clock::Timestamp;
use crate::store::Issued;
use crate::tls::Validity;

/// Why what an authority gave cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unusable {
    /// It is no chain of certificates.
    #[error("it cannot be read as PEM: {0}")]
    Text(rustls::pki_types::pem::Error),
    /// It is no certificate, or one for another key.
    #[error("it does not go with its key: {0}")]
    Key(#[from] rustls::Error),
    /// It is no X.509.
    #[error("it does not say when it holds")]
    Undated,
    /// It is over already.
    #[error("it ended at {0}; is the clock of this machine right?")]
    Over(Timestamp),
    /// It is for others.
    #[error("it is not for {0}")]
    Name(String),
}

/// A certificate that can be shown, from what is stored. It may be over.
pub(super) fn read(issued: &Issued) -> Result<(CertifiedKey, Validity), Unusable> {
    let chain = CertificateDer::pem_slice_iter(issued.chain.as_bytes()).collect::<Result<Vec<_>, _>>();
    let certificate = certified(chain.map_err(Unusable::Text)?, issued.key.reveal())?;
    let validity = Validity::of(&certificate).ok_or(Unusable::Undated)?;
    Ok((certificate, validity))
}

/// The same for one that has just come: it holds now, and for every name it was ordered for.
pub(super) fn judge(issued: &Issued, now: Timestamp) -> Result<(CertifiedKey, Validity), Unusable> {
    let (certificate, validity) = read(issued)?;
    if validity.until <= now {
        return Err(Unusable::Over(validity.until));
    }
    let own = ParsedCertificate::try_from(certificate.end_entity_cert()?)?;
    for name in issued.subject.domains.split(' ') {
        let wrong = || Unusable::Name(name.to_owned());
        let asked = ServerName::try_from(name).map_err(|_| wrong())?;
        verify_server_name(&own, &asked).map_err(|_| wrong())?;
    }
    drop(own);
    Ok((certificate, validity))
}

/// `chain` with its private key, in PKCS #8, if they go together.
fn certified(chain: Vec<CertificateDer<'static>>, key: &[u8]) -> Result<CertifiedKey, rustls::Error> {
    CertifiedKey::from_der(chain, pkcs8(key), &aws_lc_rs::default_provider())
}

/// A private key in PKCS #8, DER.
pub(super) fn pkcs8(key: &[u8]) -> PrivateKeyDer<'static> {
    PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key).clone_key())
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair};

    use super::*;
    use crate::store::{Secret, Subject};

    fn now() -> Timestamp {
        Timestamp::from_secs(1_790_000_000)
    }

    /// What an authority could give for `names`, until `year`.
    fn issued(names: &[&str], year: i32) -> Issued {
        let mut params = CertificateParams::new(names.iter().map(ToString::to_string).collect::<Vec<_>>()).unwrap();
        params.not_after = rcgen::date_time_ymd(year, 1, 1);
        let key = KeyPair::generate().unwrap();
        Issued {
            subject: Subject { directory: "https://ca.example/".into(), domains: "a.example b.example".into() },
            chain: params.self_signed(&key).unwrap().pem(),
            key: Secret::new(key.serialize_der()),
            ordered_at: now(),
        }
    }

    #[test]
    fn a_certificate_is_taken_only_if_it_holds_for_every_name_with_its_own_key_and_now() {
        let good = issued(&["a.example", "b.example"], 2030);
        assert!(judge(&good, now()).is_ok());
        let refused = |issued: &Issued| judge(issued, now()).unwrap_err().to_string();
        assert_eq!(refused(&issued(&["a.example"], 2030)), "it is not for b.example");
        assert!(refused(&issued(&["a.example", "b.example"], 2020)).starts_with("it ended at 2020-01-01"));
        let stranger = Issued { key: issued(&["a.example"], 2030).key, ..good.clone() };
        assert!(refused(&stranger).starts_with("it does not go with its key"));
        let garbage = Issued { chain: "<html>".into(), ..good };
        assert!(judge(&garbage, now()).is_err());
    }
}
