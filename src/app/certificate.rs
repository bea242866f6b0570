//! Where the certificate comes from, and who is told when its end is near.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::acme::Keeper;
use crate::clock::Clock;
use crate::settings::{CertificateOrigin, Settings};
use crate::store::Store;
use crate::tls::{CertificateError, Certificates, Files, Tls};

/// How often it is said that the certificate ends soon.
const WARN_EVERY: Duration = Duration::from_hours(24);
/// How often its end is looked at.
const LOOK_EVERY: Duration = Duration::from_hours(1);

/// Who orders certificates, if anybody does. The one that is kept is shown from here on.
pub(super) fn keeper(
    settings: &Settings,
    store: &Arc<Store>,
    certificates: &Arc<Certificates>,
    clock: Clock,
) -> anyhow::Result<Option<Keeper>> {
    let origin = settings.server.tls.as_ref().map(|tls| &tls.origin);
    let Some(CertificateOrigin::Acme(options)) = origin else { return Ok(None) };
    let keeper = Keeper::open(options.clone(), Arc::clone(store), Arc::clone(certificates), clock);
    keeper.map(Some).context("server.acme")
}

/// TLS of the listeners, with whatever certificate is in force; one in files is read here.
pub(super) fn tls(
    settings: &Settings,
    certificates: &Arc<Certificates>,
    keeper: Option<&Keeper>,
) -> anyhow::Result<Option<Tls>> {
    let Some(tls) = &settings.server.tls else { return Ok(None) };
    if let Some(files) = tls.files() {
        install(files, certificates).context("server.tls")?;
    }
    let tls = Tls::new(Arc::clone(certificates), tls.client_ca.as_deref()).context("server.tls.client_ca")?;
    Ok(Some(match keeper {
        Some(keeper) => tls.answering(keeper.challenges()),
        None => tls,
    }))
}

/// Puts the certificate in `files` in force.
pub(super) fn install(files: &Files, certificates: &Certificates) -> Result<(), CertificateError> {
    certificates.install(files.read()?);
    Ok(())
}

/// Warns, once a day, when the end of the certificate is near: whatever renews it has failed to.
pub(super) async fn warn_of_its_end(certificates: Arc<Certificates>, clock: Clock, stop: CancellationToken) {
    let mut look = tokio::time::interval(LOOK_EVERY);
    let mut warned = None;
    while stop.run_until_cancelled(look.tick()).await.is_some() {
        let now = clock.now();
        let near = certificates.validity().filter(|validity| validity.warning() <= now);
        let Some(until) = near.map(|validity| validity.until) else { continue };
        if warned.is_none_or(|at| now.since(at) >= WARN_EVERY) {
            warned = Some(now);
            warn!(certificate.until = %until, "the certificate ends at {until}: whatever renews it has not done so");
        }
    }
}
