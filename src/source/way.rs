//! The ways to a host: straight, or through a proxy of the operator's. A proxy's address holds credentials, so it has no
//! `Display`, and `Debug` shows the kind only.
//!
//! No proxy is taken from the environment: a variable that something else has set must not decide where calendars go.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderValue, Uri};
use percent_encoding::percent_decode_str;
use url::Url;

/// Bytes that a SOCKS proxy's user name and password may have together: what hyper-util has room for beside a host's
/// name of 120 bytes.
const SOCKS_CREDENTIALS: usize = 128;

/// Why a way was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WayMistake {
    /// Nothing that is known.
    #[error("write direct, http://HOST:PORT or socks5h://HOST:PORT")]
    Unknown,
    /// `socks5://`, which lets this machine resolve names.
    #[error("write socks5h:// for socks5://; the proxy then resolves the names, and this machine never does")]
    LocalNames,
    /// Another SOCKS.
    #[error("only version 5 of SOCKS is spoken; write socks5h://HOST:PORT")]
    OldSocks,
    /// A proxy that is spoken to over TLS.
    #[error(
        "a proxy cannot be spoken to over TLS; write http://HOST:PORT, calendars are encrypted on their whole way as it is"
    )]
    OverTls,
    /// No port.
    #[error("needs a port, as in http://proxy.example:3128")]
    Port,
    /// More than a host and a port.
    #[error("has something behind the port; write HOST:PORT and no more")]
    Path,
    /// Credentials that the protocol cannot carry.
    #[error("the user name and the password are too long (128 bytes together), or hold what cannot be sent")]
    Credentials,
}

/// What a proxy speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Speaks {
    /// CONNECT (RFC 9110 §9.3.6), for http:// targets too: the proxy sees a host and a port, never an address.
    Http,
    /// SOCKS 5 (RFC 1928) with names, which the proxy resolves.
    Socks,
}

/// A proxy.
#[derive(PartialEq, Eq)]
pub struct Proxy {
    pub(super) speaks: Speaks,
    /// `http://host:port`, whatever it speaks.
    pub(super) place: Uri,
    pub(super) credentials: Option<(String, String)>,
}

impl Hash for Proxy {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.speaks, &self.place, &self.credentials).hash(state);
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Proxy(…)")
    }
}

/// A way to a host.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Way {
    /// Straight from this machine.
    Direct,
    /// Through this proxy.
    Proxy(Arc<Proxy>),
}

impl Way {
    /// Reads `direct`, `http://[USER:PASSWORD@]HOST:PORT` or `socks5h://[USER:PASSWORD@]HOST:PORT`.
    ///
    /// # Errors
    /// [`WayMistake`] says what to write; it never repeats what was written.
    pub fn parse(text: &str) -> Result<Self, WayMistake> {
        let text = text.trim();
        if text.eq_ignore_ascii_case("direct") {
            return Ok(Self::Direct);
        }
        let (scheme, rest) = text.split_once("://").ok_or(WayMistake::Unknown)?;
        let speaks = match scheme.to_ascii_lowercase().as_str() {
            "http" => Speaks::Http,
            "socks5h" => Speaks::Socks,
            "socks5" => return Err(WayMistake::LocalNames),
            "socks" | "socks4" | "socks4a" => return Err(WayMistake::OldSocks),
            "https" => return Err(WayMistake::OverTls),
            _ => return Err(WayMistake::Unknown),
        };
        // Read as http:// whatever it is, so that hosts are read in one way.
        let url = Url::parse(&format!("http://{rest}")).map_err(|_| WayMistake::Unknown)?;
        if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
            return Err(WayMistake::Path);
        }
        let authority = rest.trim_end_matches('/').rsplit('@').next().unwrap_or_default();
        let port = authority.rsplit_once(':').map(|(_, port)| port).and_then(|port| port.parse::<u16>().ok());
        let (Some(host), Some(port)) = (url.host_str(), port.filter(|port| *port > 0)) else {
            return Err(WayMistake::Port);
        };
        let place = format!("http://{host}:{port}").parse().map_err(|_| WayMistake::Unknown)?;
        Ok(Self::Proxy(Arc::new(Proxy { speaks, place, credentials: credentials(&url, speaks)? })))
    }

    /// The kind in one word: the word of metrics and of the status answer.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Proxy(proxy) => match proxy.speaks {
                Speaks::Http => "http",
                Speaks::Socks => "socks5h",
            },
        }
    }
}

impl Proxy {
    /// What to send as `Proxy-Authorization`.
    pub(super) fn authorization(&self) -> Option<HeaderValue> {
        let (user, password) = self.credentials.as_ref()?;
        // Base64 is always a header's value.
        HeaderValue::from_str(&format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))).ok()
    }
}

fn credentials(url: &Url, speaks: Speaks) -> Result<Option<(String, String)>, WayMistake> {
    if url.username().is_empty() && url.password().is_none() {
        return Ok(None);
    }
    let decode = |text: &str| percent_decode_str(text).decode_utf8().map(std::borrow::Cow::into_owned);
    let (Ok(user), Ok(password)) = (decode(url.username()), decode(url.password().unwrap_or_default())) else {
        return Err(WayMistake::Credentials);
    };
    let fits = match speaks {
        // A colon would end the user name at the other side.
        Speaks::Http => !user.contains(':') && user.len() + password.len() <= 4096,
        Speaks::Socks => user.len() + password.len() <= SOCKS_CREDENTIALS,
    };
    if fits { Ok(Some((user, password))) } else { Err(WayMistake::Credentials) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxy(text: &str) -> Arc<Proxy> {
        match Way::parse(text).unwrap() {
            Way::Proxy(proxy) => proxy,
            Way::Direct => panic!("{text} is a proxy"),
        }
    }

    #[test]
    fn ways_are_read_and_what_cannot_be_one_is_told_what_to_write() {
        assert_eq!(Way::parse(" Direct "), Ok(Way::Direct));
        let plain = proxy("http://Proxy.example:80/");
        assert_eq!((plain.place.to_string().as_str(), &plain.credentials), ("http://proxy.example:80/", &None));
        let full = proxy("socks5h://lin:p%40ss%2Cw:rd@[::1]:1080");
        assert_eq!(full.place.to_string(), "http://[::1]:1080/");
        assert_eq!(full.credentials, Some(("lin".into(), "p@ss,w:rd".into())));
        for (text, mistake) in [
            ("", WayMistake::Unknown),
            ("proxy:3128", WayMistake::Unknown),
            ("ftp://proxy:21", WayMistake::Unknown),
            ("http://:3128", WayMistake::Unknown),
            ("socks5://proxy:1080", WayMistake::LocalNames),
            ("socks4a://proxy:1080", WayMistake::OldSocks),
            ("https://proxy:443", WayMistake::OverTls),
            ("http://proxy", WayMistake::Port),
            ("http://[::1]", WayMistake::Port),
            ("http://lin:3128@proxy", WayMistake::Port),
            ("http://proxy:0", WayMistake::Port),
            ("http://proxy:3128/path", WayMistake::Path),
            ("http://proxy:3128?x", WayMistake::Path),
            ("http://li%3An:x@proxy:3128", WayMistake::Credentials),
            ("http://%ff:x@proxy:3128", WayMistake::Credentials),
        ] {
            assert_eq!(Way::parse(text), Err(mistake), "{text}");
        }
        let long = format!("socks5h://lin:{}@proxy:1080", "x".repeat(SOCKS_CREDENTIALS));
        assert_eq!(Way::parse(&long), Err(WayMistake::Credentials));
    }

    #[test]
    fn a_way_cannot_be_printed() {
        let way = Way::parse("http://lin:secret@proxy.example:3128").unwrap();
        assert_eq!(format!("{way:?}"), "Proxy(Proxy(…))");
        assert_eq!(way.kind(), "http");
    }
}
