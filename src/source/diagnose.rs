//! Why no answer came, from the layers of errors that a connection ends with. Only kinds and fixed words are taken from
//! them: texts of libraries may hold addresses.

use std::error::Error;
use std::io;
use std::time::Duration;

use super::connect::{ConnectTimeout, Forbidden, Unresolved};
use super::error::FetchError;
use super::tunnel::ProxyFault;

/// What `error` means, where `connect_timeout` was allowed for connecting.
pub(super) fn diagnose(error: &(dyn Error + 'static), connect_timeout: Duration) -> FetchError {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if error.is::<Forbidden>() {
            return FetchError::PrivateAddress;
        }
        if let Some(ConnectTimeout { phase }) = error.downcast_ref() {
            return FetchError::Timeout { phase, limit: connect_timeout };
        }
        if let Some(Unresolved(error)) = error.downcast_ref() {
            return FetchError::Dns(io::Error::from(error.kind()));
        }
        if let Some(fault) = error.downcast_ref::<ProxyFault>() {
            return proxy_error(*fault);
        }
        if let Some(io) = error.downcast_ref::<io::Error>() {
            return diagnose_io(io, connect_timeout);
        }
        if let Some(hyper) = error.downcast_ref::<hyper::Error>()
            && (hyper.is_parse() || hyper.is_parse_too_large())
        {
            return FetchError::NotHttp;
        }
        cause = error.source();
    }
    FetchError::Interrupted
}

fn diagnose_io(error: &io::Error, connect_timeout: Duration) -> FetchError {
    // An io::Error that wraps another skips it in its own chain of sources.
    let inner = error.get_ref();
    if let Some(tls) = inner.and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        return FetchError::Tls(tls.to_string());
    }
    if let Some(wrapped) = inner.and_then(|inner| inner.downcast_ref::<io::Error>()) {
        return diagnose_io(wrapped, connect_timeout);
    }
    match error.kind() {
        io::ErrorKind::TimedOut => FetchError::Timeout { phase: "connection", limit: connect_timeout },
        kind => connection_error(kind),
    }
}

fn connection_error(kind: io::ErrorKind) -> FetchError {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    match kind {
        BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof => FetchError::Interrupted,
        kind => FetchError::Connect(kind.to_string()),
    }
}

fn proxy_error(fault: ProxyFault) -> FetchError {
    match fault {
        ProxyFault::Unreachable(words) => FetchError::ProxyUnreachable(words),
        ProxyFault::Credentials => FetchError::ProxyAuth,
        ProxyFault::Refused(words) => FetchError::ProxyRefused(words),
    }
}
