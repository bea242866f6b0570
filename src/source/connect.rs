//! From a name to a connection: resolve, check every address, connect to one that was checked, then TLS. Behind a proxy
//! there is nothing to resolve, and only numbers can be checked.
//!
//! hyper-util's connector does the connecting, with IPv6 and IPv4 racing. What is ours is the check between resolving
//! and connecting: the connector gets only addresses that passed, so there is no second look-up to be told otherwise.

use std::future::Future;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::Name;
use hyper_util::rt::TokioIo;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tower_service::Service;

use super::address::literal_ip;
use super::guard::{Reach, is_local_name};
use super::tunnel::{Through, share_of_proxy};
use super::way::Way;

pub(super) type BoxError = Box<dyn std::error::Error + Send + Sync>;
type Stream = MaybeHttpsStream<TokioIo<TcpStream>>;

/// The certificates to trust: the system's, or where it has none (a bare container) the ones built in, and the ones in
/// `extra`, a PEM file.
///
/// # Errors
/// If `extra` cannot be read or holds no certificate.
pub fn roots(extra: Option<&Path>) -> Result<RootCertStore, rustls::pki_types::pem::Error> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    if let Some(path) = extra {
        let certificates = CertificateDer::pem_file_iter(path)?.collect::<Result<Vec<_>, _>>()?;
        if roots.add_parsable_certificates(certificates).0 == 0 {
            return Err(rustls::pki_types::pem::Error::NoItemsFound);
        }
    }
    Ok(roots)
}

/// Makes connections by one way, as far as its reach goes.
#[derive(Clone)]
pub(super) struct Connector {
    https: HttpsConnector<Tcp>,
    reach: Reach,
    proxied: bool,
    timeout: Duration,
}

impl Connector {
    /// `timeout` covers all of it: resolving, connecting, what a proxy takes, and TLS.
    pub(super) fn new(way: &Way, reach: Reach, timeout: Duration, roots: RootCertStore) -> Self {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("the provider has suites for TLS 1.2 and 1.3")
            .with_root_certificates(roots)
            .with_no_client_auth();
        let tcp = match way {
            Way::Direct => Tcp::Direct(straight(reach, timeout)),
            // The operator's proxy may be on the operator's network.
            Way::Proxy(proxy) => Tcp::Through(Through::new(proxy, straight(Reach::Private, share_of_proxy(timeout)))),
        };
        let proxied = matches!(tcp, Tcp::Through(_));
        let https =
            HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_all_versions().wrap_connector(tcp);
        Self { https, reach, proxied, timeout }
    }

    /// Whether the host may not be asked for, as far as that shows before it is resolved.
    fn forbids(&self, uri: &Uri) -> bool {
        // A number never reaches the resolver, and a proxy would resolve this machine's name to itself.
        let number = uri.host().and_then(literal_ip).is_some_and(|ip| !self.reach.allows(ip));
        let local = self.proxied && self.reach == Reach::Public && uri.host().is_some_and(is_local_name);
        number || local
    }
}

fn straight(reach: Reach, timeout: Duration) -> HttpConnector<Resolver> {
    let mut tcp = HttpConnector::new_with_resolver(Resolver { reach, places: Arc::new(Semaphore::new(LOOK_UPS)) });
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(timeout));
    tcp
}

/// The part below TLS.
#[derive(Clone)]
enum Tcp {
    Direct(HttpConnector<Resolver>),
    Through(Through),
}

impl Service<Uri> for Tcp {
    type Response = TokioIo<TcpStream>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        match self {
            Self::Direct(tcp) => tcp.poll_ready(cx).map_err(Into::into),
            Self::Through(through) => through.poll_ready(cx),
        }
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        match self {
            Self::Direct(tcp) => {
                let connecting = tcp.call(uri);
                Box::pin(async move { Ok(connecting.await?) })
            }
            Self::Through(through) => through.call(uri),
        }
    }
}

impl Service<Uri> for Connector {
    type Response = Stream;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Stream, BoxError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.https.poll_ready(cx)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        if self.forbids(&uri) {
            return Box::pin(async { Err(Forbidden.into()) });
        }
        let (connecting, timeout) = (self.https.call(uri), self.timeout);
        let phase = if self.proxied { "connection through the proxy" } else { "connection" };
        Box::pin(async move {
            match tokio::time::timeout(timeout, connecting).await {
                Ok(connected) => connected,
                Err(_) => Err(ConnectTimeout { phase }.into()),
            }
        })
    }
}

/// Every address of the host lies outside the reach.
#[derive(Debug, thiserror::Error)]
#[error("the address is not public")]
pub(super) struct Forbidden;

/// Connecting took too long.
#[derive(Debug, thiserror::Error)]
#[error("connecting took too long")]
pub(super) struct ConnectTimeout {
    /// What was waited for.
    pub(super) phase: &'static str,
}

/// The name did not resolve.
#[derive(Debug, thiserror::Error)]
#[error("the name did not resolve")]
pub(super) struct Unresolved(#[source] pub(super) std::io::Error);

/// Look-ups at once. The system's resolver blocks its thread for as long as it likes, and goes on when nobody waits for
/// it any more; without a bound, a dead name server would take every thread that copies are read on.
const LOOK_UPS: usize = 16;

/// The system's resolver, and only such addresses as may be reached.
#[derive(Clone)]
pub(super) struct Resolver {
    reach: Reach,
    places: Arc<Semaphore>,
}

impl Service<Name> for Resolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let (reach, places) = (self.reach, Arc::clone(&self.places));
        Box::pin(async move {
            let place = places.acquire_owned().await?;
            let look_up = tokio::task::spawn_blocking(move || {
                let found = (name.as_str(), 0).to_socket_addrs().map(Iterator::collect::<Vec<_>>);
                drop(place);
                found
            });
            let found = look_up.await?.map_err(Unresolved)?;
            // One forbidden address spoils the name: a public host has no business there, and picking the others would
            // only make an attack need more tries.
            if found.iter().any(|address| !reach.allows(address.ip())) {
                return Err(Forbidden.into());
            }
            Ok(found.into_iter())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_name_is_looked_up_when_there_is_a_place_for_it() {
        let places = Arc::new(Semaphore::new(1));
        let place = Arc::clone(&places).acquire_owned().await.unwrap();
        let mut resolver = Resolver { reach: Reach::Private, places };
        let mut found = resolver.call("127.0.0.1".parse().unwrap());
        assert!(tokio::time::timeout(Duration::from_millis(200), found.as_mut()).await.is_err());
        drop(place);
        assert_eq!(found.await.unwrap().count(), 1);
    }
}
