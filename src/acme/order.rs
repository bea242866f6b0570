//! One order (RFC 8555 §7.4), from the names to the certificate.

use std::sync::Arc;
use std::time::Duration;

use instant_acme::{
    Account, AuthorizationStatus, ChallengeType, Error, Identifier, NewOrder, Order, OrderStatus, RetryPolicy,
};
use rcgen::{CertificateParams, DistinguishedName, KeyPair};

use super::challenge::proof;
use super::trouble::{Trouble, finding};
use crate::store::Secret;
use crate::tls::Challenges;

/// How long the authority may take for its checks, and then for the certificate.
const PATIENCE: Duration = Duration::from_mins(3);
/// How often it is asked how far it is: at first soon, then more and more seldom, if it does not say itself.
const POLLS: RetryPolicy = RetryPolicy::new().initial_delay(Duration::from_millis(250)).backoff(1.5).timeout(PATIENCE);

/// Tells the authority for which names a certificate is wanted.
pub(super) async fn begin(account: &Account, domains: &[String]) -> Result<Order, Trouble> {
    let names: Vec<_> = domains.iter().cloned().map(Identifier::Dns).collect();
    Ok(account.new_order(&NewOrder::new(&names)).await?)
}

/// Proofs are shown for as long as this lives.
struct Shown<'a>(&'a Challenges);

impl Drop for Shown<'_> {
    fn drop(&mut self) {
        self.0.clear();
    }
}

/// Answers the checks and fetches the certificate: its chain in PEM, and its key.
pub(super) async fn complete(
    mut order: Order,
    domains: &[String],
    challenges: &Arc<Challenges>,
) -> Result<(String, Secret), Trouble> {
    let shown = Shown(challenges);
    answer_checks(&mut order, challenges).await?;
    match order.poll_ready(&POLLS).await {
        Ok(OrderStatus::Ready) => {}
        // An order that was refused says so in its state, or as an error.
        Ok(_) | Err(Error::Api(_)) => return Err(refused(&mut order).await),
        Err(error) => return Err(late(error)),
    }
    drop(shown);
    let (request, key) = request(domains).map_err(|error| Trouble::Own(error.into()))?;
    order.finalize_csr(&request).await?;
    let chain = order.poll_certificate(&POLLS).await.map_err(late)?;
    Ok((chain, key))
}

async fn answer_checks(order: &mut Order, challenges: &Challenges) -> Result<(), Trouble> {
    let mut authorizations = order.authorizations();
    while let Some(authorization) = authorizations.next().await {
        let mut authorization = authorization?;
        // A check that was passed lately holds for a while (RFC 8555 §7.1.4).
        if authorization.status == AuthorizationStatus::Valid {
            continue;
        }
        let name = authorization.identifier().to_string();
        let challenge = authorization.challenge(ChallengeType::TlsAlpn01);
        let mut challenge = challenge.ok_or_else(|| Trouble::NoCheck(name.clone()))?;
        challenges.await_check(&name, proof(&name, challenge.key_authorization().digest().as_ref())?);
        challenge.set_ready().await?;
    }
    Ok(())
}

/// What the authority found wrong, name by name: an order itself says only that something was.
async fn refused(order: &mut Order) -> Trouble {
    let of_the_order = order.state().error.clone();
    let mut findings = Vec::new();
    let mut authorizations = order.authorizations();
    while let Some(Ok(mut authorization)) = authorizations.next().await {
        let Ok(state) = authorization.refresh().await else { continue };
        if state.status == AuthorizationStatus::Invalid {
            let problem = state.challenges.iter().find_map(|challenge| challenge.error.as_ref());
            findings.push(finding(&state.identifier().to_string(), problem));
        }
    }
    match of_the_order {
        _ if !findings.is_empty() => Trouble::Checks(findings),
        Some(problem) => Trouble::Refused(problem),
        None => Trouble::Checks(vec!["it refused the order, and does not say why".into()]),
    }
}

fn late(error: Error) -> Trouble {
    match error {
        Error::Timeout(_) => Trouble::Undecided(PATIENCE.as_secs() / 60),
        other => other.into(),
    }
}

/// A request for a certificate for `domains`, in DER, and the key it is for, which is new each time.
fn request(domains: &[String]) -> Result<(Vec<u8>, Secret), rcgen::Error> {
    let mut params = CertificateParams::new(domains)?;
    // Names stand in the alternative names only; authorities refuse or ignore anything else.
    params.distinguished_name = DistinguishedName::new();
    let key = KeyPair::generate()?;
    let request = params.serialize_request(&key)?;
    Ok((request.der().to_vec(), Secret::new(key.serialize_der())))
}
