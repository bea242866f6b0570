//! Everything that goes wrong between asking for a calendar and having one, each by a name of its own. The name is the
//! log field, the metric label and the word in the health answer alike. No variant can hold an address.

use std::time::Duration;

use crate::calendar::Malformed;

/// Why a fetch brought no calendar.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The host's name could not be resolved.
    #[error("the host's name could not be resolved")]
    Dns(#[source] std::io::Error),
    /// The address, or one that a name or redirect leads to, is not on the public network.
    #[error("the address leads into a private network")]
    PrivateAddress,
    /// A port that is not among those that may be used.
    #[error("the address leads to port {0}, which may not be used")]
    ForbiddenPort(u16),
    /// The proxy is not there, or is none.
    #[error("no connection to the proxy: {0}")]
    ProxyUnreachable(&'static str),
    /// The proxy wants a user name and a password, or others.
    #[error("the proxy does not accept the credentials")]
    ProxyAuth,
    /// The proxy is there, and does not lead to the host.
    #[error("the proxy does not lead to the host: {0}")]
    ProxyRefused(&'static str),
    /// No connection.
    #[error("no connection to the host: {0}")]
    Connect(String),
    /// TLS failed: the certificate, most often.
    #[error("no secure connection to the host: {0}")]
    Tls(String),
    /// A deadline passed.
    #[error("no {phase} within {} s", limit.as_secs())]
    Timeout {
        /// What was waited for.
        phase: &'static str,
        /// How long.
        limit: Duration,
    },
    /// The connection ended in the middle of the answer.
    #[error("the answer broke off")]
    Interrupted,
    /// What came back is not HTTP.
    #[error("the answer is not HTTP")]
    NotHttp,
    /// More redirects than are followed, or a ring.
    #[error("redirected in a ring, or more than {0} times")]
    Redirects(usize),
    /// A redirect from https to http.
    #[error("redirected from https to http")]
    Downgrade,
    /// A redirect without a usable `Location`.
    #[error("redirected to nowhere")]
    BadRedirect,
    /// Redirected to a page for signing in.
    #[error("redirected to a sign-in page")]
    SignIn,
    /// 429, or 503 of the kind that means it.
    #[error("the host says: too many requests (HTTP {status})")]
    Throttled {
        /// 429 or 503.
        status: u16,
        /// When the host wants to be asked again.
        retry_after: Option<Duration>,
    },
    /// A page that wants a human.
    #[error("the host asks for proof that a human is asking (captcha)")]
    Captcha,
    /// 401 or 403.
    #[error("the host refuses access (HTTP {0})")]
    Denied(u16),
    /// 404 or 410.
    #[error("the host does not know this address (HTTP {0})")]
    NotFound(u16),
    /// Another 4xx.
    #[error("the host refuses the request (HTTP {0})")]
    Refused(u16),
    /// A 5xx.
    #[error("the host is in trouble (HTTP {status})")]
    Server {
        /// 500 to 599.
        status: u16,
        /// When the host wants to be asked again.
        retry_after: Option<Duration>,
    },
    /// A status that has no place here: 1xx, 304 unasked, 3xx that is no redirect.
    #[error("an answer that was not asked for (HTTP {0})")]
    Unexpected(u16),
    /// 204, 205, or nothing in the body.
    #[error("the answer is empty")]
    Empty,
    /// 206: a part of something.
    #[error("the answer is only a part")]
    Partial,
    /// HTML.
    #[error("the answer is a web page, not a calendar")]
    WebPage,
    /// Larger than the cap, decoded or not.
    #[error("the answer is larger than {0} bytes")]
    TooLarge(usize),
    /// A content coding that was not asked for.
    #[error("the answer is compressed in a way that was not asked for")]
    UnknownCoding,
    /// gzip that does not decode.
    #[error("the answer's compression is damaged")]
    BadCoding,
    /// Not a calendar, or not a whole one.
    #[error("the answer is not a whole calendar: {0}")]
    Malformed(#[from] Malformed),
    /// Most events are gone at once. Kept aside until it proves itself.
    #[error("most events are gone at once: {was} before, {now} now")]
    Collapsed {
        /// Entries of the copy that is served.
        was: usize,
        /// Entries of the answer.
        now: usize,
    },
    /// The copy could not be written to the disk.
    #[error("the copy could not be stored: {0}")]
    Storage(String),
}

/// Whether asking again may help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// Later, with growing pauses.
    Later,
    /// Not before the host said.
    After(Duration),
    /// Only when a human has changed something; still asked again, rarely.
    Human,
}

impl FetchError {
    /// The name: log field, metric label and word in health answers.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Dns(_) => "dns",
            Self::PrivateAddress => "private_address",
            Self::ForbiddenPort(_) => "forbidden_port",
            Self::ProxyUnreachable(_) => "proxy_unreachable",
            Self::ProxyAuth => "proxy_auth",
            Self::ProxyRefused(_) => "proxy_refused",
            Self::Connect(_) => "connect",
            Self::Tls(_) => "tls",
            Self::Timeout { .. } => "timeout",
            Self::Interrupted => "interrupted",
            Self::NotHttp => "not_http",
            Self::Redirects(_) => "redirects",
            Self::Downgrade => "downgrade",
            Self::BadRedirect => "bad_redirect",
            Self::SignIn => "sign_in",
            Self::Throttled { .. } => "throttled",
            Self::Captcha => "captcha",
            Self::Denied(_) => "denied",
            Self::NotFound(_) => "not_found",
            Self::Refused(_) => "refused",
            Self::Server { .. } => "server_error",
            Self::Unexpected(_) => "unexpected_status",
            Self::Empty => "empty",
            Self::Partial => "partial",
            Self::WebPage => "web_page",
            Self::TooLarge(_) => "too_large",
            Self::UnknownCoding => "unknown_coding",
            Self::BadCoding => "bad_coding",
            Self::Malformed(Malformed::NotCalendar) => "not_calendar",
            Self::Malformed(Malformed::Truncated { .. }) => "truncated",
            Self::Malformed(Malformed::Unbalanced { .. }) => "unbalanced",
            Self::Malformed(Malformed::WrongCharset) => "wrong_charset",
            Self::Malformed(Malformed::TooMuch { .. }) => "too_much",
            Self::Collapsed { .. } => "collapsed",
            Self::Storage(_) => "storage",
        }
    }

    /// Whether asking again may help.
    pub fn retry(&self) -> Retry {
        match self {
            Self::Throttled { retry_after: Some(after), .. } | Self::Server { retry_after: Some(after), .. } => {
                Retry::After(*after)
            }
            Self::NotFound(_)
            | Self::Denied(_)
            | Self::SignIn
            | Self::PrivateAddress
            | Self::ForbiddenPort(_)
            | Self::WebPage => Retry::Human,
            _ => Retry::Later,
        }
    }

    /// Whether the host refuses this machine as a whole, and not this calendar: Google's 429 and captcha pages go to
    /// an address of the network, whatever is asked for.
    pub fn is_refusal(&self) -> bool {
        matches!(self, Self::Throttled { .. } | Self::Captcha)
    }

    /// Whether another way to the host may help: this one does not lead to it, or the host refuses whoever comes by it.
    /// A name that leads into a private network is not asked about again by way of a proxy, which would go there.
    pub fn is_fault_of_way(&self) -> bool {
        self.is_refusal() || self.is_unreached()
    }

    /// Whether the host was not reached, or not heard to the end.
    pub fn is_unreached(&self) -> bool {
        matches!(
            self,
            Self::Dns(_)
                | Self::ProxyUnreachable(_)
                | Self::ProxyAuth
                | Self::ProxyRefused(_)
                | Self::Connect(_)
                | Self::Tls(_)
                | Self::Timeout { .. }
                | Self::Interrupted
        )
    }

    /// What the person with the server can do about it.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::Dns(_) => "Check the host name, and that this machine can resolve names.",
            Self::PrivateAddress => {
                "If the calendar is on your own network, set allow_private = true for this source (--allow-private)."
            }
            Self::ForbiddenPort(_) => "If the port is meant, add it to the ports of this source.",
            Self::ProxyUnreachable(_) => "Check that the proxy runs, and its kind, host and port in egress.",
            Self::ProxyAuth => "Check the user name and the password of the proxy in egress.",
            Self::ProxyRefused(_) => {
                "Check what the proxy allows, and that it reaches the host and resolves its name; or list another way in egress."
            }
            Self::Connect(_) => {
                "Check that this machine can reach the host; from some networks Google is not reachable (see egress)."
            }
            Self::Tls(_) => "Check the host's certificate; for a certificate of your own set fetch.ca_file.",
            Self::Timeout { .. } | Self::Interrupted | Self::Server { .. } => {
                "The host is slow or in trouble; it is asked again."
            }
            Self::NotHttp => "The port answers, but not with HTTP. Check the address.",
            Self::Redirects(_) | Self::BadRedirect => "Open the address in a browser and copy the one it ends at.",
            Self::Downgrade => "The host leads to an address without encryption; ask for an https:// address.",
            Self::SignIn => {
                "The calendar is not shared by this address. In Google Calendar copy \"Secret address in iCal format\"."
            }
            Self::Throttled { .. } | Self::Captcha => {
                "The host refuses this machine for now. Nothing needs to be done; the last good copy is served. If it \
                 stays so for days, fetch less often (refresh) or by another way (egress)."
            }
            Self::Denied(_) => "The address needs a user name and password, or is not shared. Copy it again.",
            Self::NotFound(_) => {
                "The secret address was reset, or the calendar is not public. Copy \"Secret address in iCal format\" again."
            }
            Self::Refused(_) | Self::Unexpected(_) => "Check the address in a browser.",
            Self::WebPage => {
                "This is a web page's address. Use the calendar's iCal address: for Google, \"Secret address in iCal format\"."
            }
            Self::TooLarge(_) => "If the calendar is really that large, raise fetch.max_size.",
            Self::Malformed(Malformed::TooMuch { .. }) => {
                "If the calendar is really like that, raise the limits in [fetch]."
            }
            Self::Malformed(_) | Self::Empty | Self::Partial | Self::BadCoding | Self::UnknownCoding => {
                "The host sent something broken; it is asked again, and the last good copy is served."
            }
            Self::Collapsed { .. } => {
                "It is taken over when three fetches over an hour agree, or at once with: calferry accept SOURCE"
            }
            Self::Storage(_) => "Check the space and the permissions of the state folder.",
        }
    }
}
