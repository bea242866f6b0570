//! Where the certificate comes from, and who is told when its end is near.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::acme::Keeper;
use crate::clock::{Clock, Timestamp};
use crate::settings::{CertificateOrigin, Problem, Problems, Settings};
use crate::store::Store;
use crate::tls::{CertificateError, Certificates, Files, Tls, Validity};

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
    clock: Clock,
) -> anyhow::Result<Option<Tls>> {
    let Some(tls) = &settings.server.tls else { return Ok(None) };
    if let Some(files) = tls.files() {
        install(files, certificates, clock.now()).context("server.tls")?;
    }
    let tls = Tls::new(Arc::clone(certificates), tls.client_ca.as_deref()).context("server.tls.client_ca")?;
    Ok(Some(match keeper {
        Some(keeper) => tls.answering(keeper.challenges()),
        None => tls,
    }))
}

/// Puts the certificate in `files` in force, and says until when it holds. One that has ended does not take the place of
/// another that holds.
pub(super) fn install(files: &Files, certificates: &Certificates, now: Timestamp) -> Result<(), CertificateError> {
    let (certificate, before) = (files.read()?, certificates.validity());
    let validity = Validity::of(&certificate);
    if let Some(until) = validity.map(|validity| validity.until).filter(|until| *until <= now) {
        if before.is_some_and(|before| before.until > now) {
            return Err(CertificateError::Ended { path: files.certificate.clone(), until });
        }
        warn!(certificate.until = %until, "the certificate ended at {until}: clients will refuse it");
    } else if let Some(Validity { until, .. }) = validity.filter(|_| before != validity) {
        info!(certificate.until = %until, "the certificate in force holds until {until}");
    }
    certificates.install(certificate);
    Ok(())
}

/// What the file of the clients' authority holds.
pub(super) fn client_ca(settings: &Settings) -> Option<blake3::Hash> {
    let path = settings.server.tls.as_ref()?.client_ca.as_ref()?;
    std::fs::read(path).ok().map(|content| blake3::hash(&content))
}

/// Those settings, if the files can be used that they name for TLS. A running server does not ask: it keeps the
/// certificate that it has.
///
/// # Errors
/// All that is wrong with the files.
pub fn with_sound_certificates(settings: Settings) -> Result<Settings, Problems> {
    let Some(tls) = &settings.server.tls else { return Ok(settings) };
    let own = tls.files().and_then(|files| files.read().err());
    let clients = Tls::new(Arc::default(), tls.client_ca.as_deref()).err();
    let told = |error: CertificateError| Problem { path: "server.tls".into(), message: error.to_string() };
    let problems: Vec<_> = own.into_iter().chain(clients).map(told).collect();
    if problems.is_empty() { Ok(settings) } else { Err(Problems(problems)) }
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
