//! The certificate that proves, when the authority asks for a name under `acme-tls/1`, that the name leads to whoever holds
//! the account's key (RFC 8737 §3): made for that name alone, signed by itself, with the digest of the key authorization.

use rcgen::{CertificateParams, CustomExtension, KeyPair};
use rustls::crypto::aws_lc_rs;
use rustls::sign::CertifiedKey;

use super::issued::pkcs8;
use super::trouble::Trouble;

/// The proof for `name`; `digest` is the SHA-256 of the key authorization (RFC 8555 §8.1).
pub(super) fn proof(name: &str, digest: &[u8]) -> Result<CertifiedKey, Trouble> {
    let made = || {
        let mut params = CertificateParams::new(vec![name.to_owned()])?;
        params.custom_extensions = vec![CustomExtension::new_acme_identifier(digest)];
        let key = KeyPair::generate()?;
        Ok((params.self_signed(&key)?, key))
    };
    let (certificate, key) = made().map_err(|error: rcgen::Error| Trouble::Own(error.into()))?;
    // Whether the two go together cannot be judged: the extension is critical, and known to ACME only.
    let key = aws_lc_rs::default_provider().key_provider.load_private_key(pkcs8(&key.serialize_der()));
    Ok(CertifiedKey::new(vec![certificate.der().clone()], key.map_err(|error| Trouble::Own(error.into()))?))
}

#[cfg(test)]
mod tests {
    use x509_parser::extensions::GeneralName;

    use super::*;

    #[test]
    fn the_proof_is_for_one_name_and_carries_the_digest_as_a_critical_extension() {
        let proof = proof("cal.example.com", &[7; 32]).unwrap();
        let own = proof.end_entity_cert().unwrap();
        let (_, parsed) = x509_parser::parse_x509_certificate(own).unwrap();
        let names = parsed.subject_alternative_name().unwrap().unwrap();
        assert_eq!(names.value.general_names, [GeneralName::DNSName("cal.example.com")]);
        // RFC 8737 §3: id-pe-acmeIdentifier, an OCTET STRING of 32 bytes.
        let identifier = parsed.extensions().iter().find(|one| one.oid.to_id_string() == "1.3.6.1.5.5.7.1.31").unwrap();
        assert!(identifier.critical);
        assert_eq!(identifier.value, [&[4, 32][..], &[7; 32]].concat());
    }
}
