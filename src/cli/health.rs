//! `calferry health`: whether a running server answers, asked where it listens on this machine.

use std::fmt;
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use bytes::Bytes;
use http_body_util::Empty;
use hyper_util::rt::TokioIo;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::version::TLS12;
use rustls::{AlertDescription, ClientConfig, DigitallySignedStruct, SignatureScheme};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::Place;
use crate::http::Listen;
use crate::settings::Server;

/// How long a server that is well takes at most.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where a server is asked.
struct Door {
    listen: Listen,
    encrypted: bool,
}

impl fmt::Display for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.listen.fmt(f)
    }
}

/// Asks a running server whether it is ready.
pub(super) async fn health(address: Option<SocketAddr>, place: &Place) -> anyhow::Result<ExitCode> {
    let door = match address {
        Some(address) => Door { listen: Listen::Tcp(address), encrypted: false },
        None => door(&place.settings()?.server)?,
    };
    let asked = tokio::time::timeout(PATIENCE, ask(&door)).await;
    let asked = asked.with_context(|| format!("{door} does not answer within {} s", PATIENCE.as_secs()))?;
    let mut out = std::io::stdout();
    // Whoever asks for a password or a certificate is there.
    let is_there = match asked {
        Err(error) if wants_certificate(&error) => {
            writeln!(out, "{door} answers, and lets in only who shows a certificate")?;
            true
        }
        answered => {
            let status = answered?;
            writeln!(out, "{door} answers {status}")?;
            status.is_success() || status == http::StatusCode::UNAUTHORIZED
        }
    };
    Ok(if is_there { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Where the server of these settings can be asked: in clear text at a listener without TLS or at the private one, else
/// by TLS.
fn door(server: &Server) -> anyhow::Result<Door> {
    let has_address = |listen: &&Listen| !matches!(listen, Listen::Systemd(_));
    let is_plain = |listen: &&Listen| server.tls.is_none() || !matches!(listen, Listen::Tcp(_));
    let public = || server.listen.iter().filter(has_address);
    let plain = public().find(is_plain).or(server.admin_listen.as_ref().filter(has_address));
    let door = plain.map(|listen| (listen, false)).or_else(|| public().next().map(|listen| (listen, true)));
    let (listen, encrypted) = door.context("no listener has an address that is known here; give --address")?;
    Ok(Door { listen: reachable(listen), encrypted })
}

async fn ask(door: &Door) -> anyhow::Result<http::StatusCode> {
    let unreachable = || format!("{door} cannot be reached");
    match &door.listen {
        Listen::Tcp(address) => {
            let stream = TcpStream::connect(address).await.with_context(unreachable)?;
            if door.encrypted {
                ask_over(encrypt(stream, *address).await.with_context(unreachable)?, address.to_string()).await
            } else {
                ask_over(stream, address.to_string()).await
            }
        }
        Listen::Unix(path) => {
            ask_over(UnixStream::connect(path).await.with_context(unreachable)?, "localhost".into()).await
        }
        Listen::Systemd(_) => bail!("{door} has no address that is known here; give --address"),
    }
}

async fn ask_over<IO>(stream: IO, host: String) -> anyhow::Result<http::StatusCode>
where
    IO: AsyncRead + AsyncWrite + Unpin + Send,
{
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let request = http::Request::get("/readyz").header("host", host).body(Empty::<Bytes>::new())?;
    let asked = sender.send_request(request);
    tokio::select! {
        answer = asked => Ok(answer?.status()),
        ended = connection => {
            ended?;
            bail!("the connection was closed without an answer")
        }
    }
}

/// By TLS 1.2: there a server says within the handshake that it wants a certificate, and no later part of the conversation
/// can overtake that.
async fn encrypt(stream: TcpStream, address: SocketAddr) -> anyhow::Result<TlsStream<TcpStream>> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(Arc::clone(&provider)).with_protocol_versions(&[&TLS12])?;
    let config = config.dangerous().with_custom_certificate_verifier(Arc::new(Anybody(provider)));
    let connector = TlsConnector::from(Arc::new(config.with_no_client_auth()));
    Ok(connector.connect(ServerName::from(address.ip()), stream).await?)
}

/// Whether the server has refused because no certificate was shown, as it does with `client_ca`.
fn wants_certificate(error: &anyhow::Error) -> bool {
    let mut causes = error.chain().filter_map(|cause| cause.downcast_ref::<std::io::Error>());
    causes.any(|cause| {
        let cause = cause.get_ref().and_then(|cause| cause.downcast_ref());
        matches!(cause, Some(rustls::Error::AlertReceived(AlertDescription::CertificateRequired)))
    })
}

/// Takes any certificate: it is for the public name, which is not what is asked for here, and nothing secret is said.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// A server that listens everywhere is reached on this machine.
fn reachable(listen: &Listen) -> Listen {
    match listen {
        Listen::Tcp(address) => {
            let ip = match address.ip() {
                IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Ipv4Addr::LOCALHOST.into(),
                IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Ipv6Addr::LOCALHOST.into(),
                ip => ip,
            };
            Listen::Tcp(SocketAddr::new(ip, address.port()))
        }
        other => other.clone(),
    }
}
