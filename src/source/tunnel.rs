//! From a proxy to a connection with a host, by hyper-util's two tunnels.
//!
//! Their traps: both go to port 443 where the target names none, so the port is always named. Neither waits with a
//! deadline; the connector does. Their errors cannot be named and may quote, so they end here, as a [`ProxyFault`].
//! The proxy resolves the host's name, which therefore cannot be checked here; a number can, and is.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::{SocksV5, Tunnel};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tower_service::Service;

use super::connect::{BoxError, Resolver};
use super::way::{Proxy, Speaks};

type Inner = HttpConnector<Resolver>;
type TunnelError = <Tunnel<Inner> as Service<Uri>>::Error;
type SocksError = <SocksV5<Inner> as Service<Uri>>::Error;

/// What is wrong with a proxy. The words are fixed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum ProxyFault {
    /// There is none, or not of this kind.
    #[error("{0}")]
    Unreachable(&'static str),
    /// It wants other credentials.
    #[error("the proxy wants other credentials")]
    Credentials,
    /// It does not lead to the host.
    #[error("{0}")]
    Refused(&'static str),
}

/// Connects by way of one proxy.
#[derive(Clone)]
pub(super) enum Through {
    Http(Tunnel<Inner>),
    Socks(SocksV5<Inner>),
}

impl Through {
    /// `tcp` reaches the proxy.
    pub(super) fn new(proxy: &Proxy, tcp: Inner) -> Self {
        let place = proxy.place.clone();
        match proxy.speaks {
            Speaks::Http => {
                let tunnel = Tunnel::new(place, tcp);
                Self::Http(match proxy.authorization() {
                    Some(authorization) => tunnel.with_auth(authorization),
                    None => tunnel,
                })
            }
            Speaks::Socks => {
                let socks = SocksV5::new(place, tcp).local_dns(false);
                Self::Socks(match proxy.credentials.clone() {
                    Some((user, password)) => socks.with_auth(user, password),
                    None => socks,
                })
            }
        }
    }
}

impl Service<Uri> for Through {
    type Response = TokioIo<TcpStream>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, target: Uri) -> Self::Future {
        let Some(target) = with_port(&target) else {
            return Box::pin(async { Err(ProxyFault::Refused("the address has no host").into()) });
        };
        match self {
            Self::Http(tunnel) => {
                let connecting = tunnel.call(target);
                Box::pin(async move { connecting.await.map_err(|error| tunnel_fault(&error).into()) })
            }
            Self::Socks(socks) => {
                let connecting = socks.call(target);
                Box::pin(async move { connecting.await.map_err(|error| socks_fault(&error).into()) })
            }
        }
    }
}

/// How much of the time for connecting goes to reaching the proxy, so that a proxy that does not answer is told from a
/// host that does not.
pub(super) fn share_of_proxy(timeout: Duration) -> Duration {
    timeout / 2
}

fn with_port(target: &Uri) -> Option<Uri> {
    let usual = if target.scheme_str() == Some("http") { 80 } else { 443 };
    let port = target.port_u16().unwrap_or(usual);
    format!("{}://{}:{port}", target.scheme_str()?, target.host()?).parse().ok()
}

fn tunnel_fault(error: &TunnelError) -> ProxyFault {
    match error {
        TunnelError::ConnectFailed(error) => unreachable(&**error),
        TunnelError::Io(_) | TunnelError::TunnelUnexpectedEof => {
            ProxyFault::Unreachable("it ended the connection without an answer")
        }
        TunnelError::ProxyHeadersTooLong => ProxyFault::Unreachable("its answer has no end"),
        TunnelError::ProxyAuthRequired => ProxyFault::Credentials,
        TunnelError::MissingHost | TunnelError::TunnelUnsuccessful => {
            ProxyFault::Refused("its answer to CONNECT is not 200")
        }
    }
}

fn socks_fault(error: &SocksError) -> ProxyFault {
    match error {
        SocksError::Inner(error) => unreachable(error),
        SocksError::Io(_) => ProxyFault::Unreachable("it ended the connection without an answer"),
        SocksError::Parsing(_) => ProxyFault::Unreachable("it does not speak SOCKS 5"),
        SocksError::V5(error) => said(&error.to_string()),
        SocksError::Serialize(_)
        | SocksError::DnsFailure
        | SocksError::MissingHost
        | SocksError::MissingPort
        | SocksError::V4(_) => ProxyFault::Refused("the host's name is too long for it"),
    }
}

/// What a SOCKS proxy said, from hyper-util's words for it: the type behind them has no name outside that crate.
fn said(words: &str) -> ProxyFault {
    const CREDENTIALS: [&str; 3] = [
        "credentials not accepted",
        "server does not support user/pass authentication",
        "server implements authentication incorrectly",
    ];
    const ANSWERS: [&str; 8] = [
        "general server failure",
        "connection not allowed",
        "network unreachable",
        "host unreachable",
        "connection refused",
        "ttl expired",
        "command not supported",
        "address type not supported",
    ];
    if CREDENTIALS.contains(&words) {
        return ProxyFault::Credentials;
    }
    let known = ANSWERS.into_iter().find(|known| *known == words);
    ProxyFault::Refused(known.unwrap_or("it does not say why"))
}

/// Why the proxy was not reached.
fn unreachable(error: &(dyn std::error::Error + 'static)) -> ProxyFault {
    let mut cause = Some(error);
    let mut kind = None;
    while let Some(error) = cause {
        kind = kind.or(error.downcast_ref::<io::Error>().map(io::Error::kind));
        if error.is::<super::connect::Unresolved>() {
            return ProxyFault::Unreachable("its name could not be resolved");
        }
        cause = error.source();
    }
    ProxyFault::Unreachable(match kind {
        Some(io::ErrorKind::ConnectionRefused) => "connection refused",
        Some(io::ErrorKind::TimedOut) => "it does not answer",
        Some(io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable) => "there is no way to it",
        _ => "no connection",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_is_always_named_and_hosts_are_left_as_they_are() {
        for (target, named) in [
            ("http://cal.example/a.ics", "http://cal.example:80/"),
            ("https://cal.example/a.ics?b", "https://cal.example:443/"),
            ("https://[2606:4700::1111]/", "https://[2606:4700::1111]:443/"),
            ("http://cal.example:8080/", "http://cal.example:8080/"),
        ] {
            assert_eq!(with_port(&target.parse().unwrap()).unwrap().to_string(), named);
        }
    }
}
