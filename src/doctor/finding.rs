//! What there is to say of a deployment: every finding by a name of its own, which never changes its meaning.

use std::fmt;

use super::words::{self, Language};
use crate::source::FetchError;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// It is as it should be.
    Ok,
    /// It should be known.
    Note,
    /// It works, and not as well as it should.
    Warning,
    /// Subscribers, or some of them, get no calendar; or others can read it.
    Error,
}

impl Severity {
    /// The word of it in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// One line for each kind of finding: what it is, its name, and how bad it is unless something else is said.
macro_rules! kinds {
    ($($(#[$doc:meta])+ $kind:ident $name:literal $severity:ident,)+) => {
        /// What can be found.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Kind {
            $($(#[$doc])+ $kind,)+
        }

        impl Kind {
            /// Every one there is.
            pub const ALL: &[Self] = &[$(Self::$kind),+];

            /// Its name.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$kind => $name,)+
                }
            }

            /// How bad it is, unless something else is said.
            pub fn severity(self) -> Severity {
                match self {
                    $(Self::$kind => Severity::$severity,)+
                }
            }
        }
    };
}

kinds! {
    /// Where the public name leads.
    LeadsTo "leads_to" Ok,
    /// The public name is unknown.
    NameNotFound "name_not_found" Error,
    /// The public name leads into a private network, or to this machine only.
    NotPublic "not_public" Warning,
    /// The port is none of those that Cloudflare passes on.
    PortNotProxied "port_not_proxied" Error,
    /// Nothing accepts connections.
    Unreachable "unreachable" Error,
    /// One of several addresses accepts no connection.
    AddressUnreachable "address_unreachable" Warning,
    /// The URLs are not encrypted.
    NotEncrypted "not_encrypted" Warning,
    /// The port speaks no TLS, or none that is understood.
    NoTls "no_tls" Error,
    /// Until when the certificate holds.
    CertificateHolds "certificate_holds" Ok,
    /// The certificate is about to end.
    CertificateEnds "certificate_ends" Warning,
    /// The certificate has ended.
    CertificateExpired "certificate_expired" Error,
    /// The certificate does not hold yet.
    CertificateNotYetValid "certificate_not_yet_valid" Error,
    /// The certificate is for other names.
    CertificateWrongName "certificate_wrong_name" Error,
    /// Nobody knows who issued the certificate.
    CertificateUnknownIssuer "certificate_unknown_issuer" Error,
    /// The certificate is one for the way from Cloudflare, and phones see it.
    CertificateForCloudflareOnly "certificate_for_cloudflare_only" Error,
    /// The certificate comes without those between it and a known authority.
    CertificateChainIncomplete "certificate_chain_incomplete" Error,
    /// The certificate cannot be accepted for another reason.
    CertificateRefused "certificate_refused" Error,
    /// This machine's clock is wrong.
    ClockWrong "clock_wrong" Warning,
    /// A connection, and no answer on it.
    NoAnswer "no_answer" Error,
    /// A challenge is answered in the place of the calendar.
    ChallengePage "challenge_page" Error,
    /// Cloudflare's Browser Integrity Check turns a client away.
    BrowserIntegrityCheck "browser_integrity_check" Error,
    /// A rule of the front turns a client away.
    Blocked "blocked" Error,
    /// Too many requests.
    RateLimited "rate_limited" Error,
    /// The front answers, and does not reach calferry.
    OriginUnreachable "origin_unreachable" Error,
    /// The front reaches calferry, and gets no answer in time.
    OriginTimeout "origin_timeout" Error,
    /// The front cannot agree with calferry on TLS.
    OriginHandshake "origin_handshake" Error,
    /// The front does not accept calferry's certificate.
    OriginCertificate "origin_certificate" Error,
    /// Cloudflare Tunnel is not connected, or leads nowhere.
    TunnelDown "tunnel_down" Error,
    /// The front makes an error of its own.
    FrontError "front_error" Error,
    /// A web page is kept in the front's cache.
    HtmlCached "html_cached" Error,
    /// A calendar is kept in the front's cache.
    CalendarCached "calendar_cached" Error,
    /// The front leads elsewhere.
    Redirected "redirected" Error,
    /// calferry refuses what the front makes of a request.
    RequestMangled "request_mangled" Error,
    /// A calferry answers that has another key.
    OtherInstance "other_instance" Error,
    /// Something else answers.
    NotCalferry "not_calferry" Error,
    /// calferry answers.
    Answers "answers" Ok,
    /// The way through the front takes long.
    SlowAnswers "slow_answers" Warning,
    /// Another version runs than the one that asks.
    OtherVersion "other_version" Warning,
    /// The client's address does not arrive.
    ClientAddressLost "client_address_lost" Error,
    /// Encrypted on the outside only.
    SslFlexible "ssl_flexible" Error,
    /// The feed that was looked at arrives as it should.
    FeedArrives "feed_arrives" Ok,
    /// The running program does not know a feed's URL.
    FeedUnknown "feed_unknown" Error,
    /// The feed has no calendar yet.
    FeedWithoutCopy "feed_without_copy" Warning,
    /// What arrives is not the calendar.
    FeedDamaged "feed_damaged" Error,
    /// The calendar arrives uncompressed.
    CompressionLost "compression_lost" Warning,
    /// The tag arrives weakened.
    EtagWeakened "etag_weakened" Warning,
    /// The tag does not arrive.
    EtagLost "etag_lost" Warning,
    /// A client that has the calendar already gets it again.
    NotModifiedLost "not_modified_lost" Warning,
    /// What the unencrypted port does: it leads to the encrypted one.
    HttpRedirects "http_redirects" Note,
    /// What the unencrypted port does: it answers.
    HttpAnswers "http_answers" Note,
    /// A source answers.
    SourceAnswers "source_answers" Ok,
    /// A source's host is not reached from here by any way.
    SourceUnreachable "source_unreachable" Error,
    /// One of a source's ways leads nowhere.
    SourceWayFailed "source_way_failed" Warning,
    /// A source's host refuses this machine for now.
    SourceThrottled "source_throttled" Error,
    /// A source's host does not know the secret address any more.
    SourceReset "source_reset" Error,
    /// A source's host refuses access.
    SourceDenied "source_denied" Error,
    /// A source gives no calendar for another reason.
    SourceFailed "source_failed" Error,
    /// A source has moved to another host.
    SourceMoved "source_moved" Warning,
    /// The program has never run here.
    NeverRun "never_run" Error,
    /// Checks that could not be made.
    NotChecked "not_checked" Note,
}

/// A part of a text that is another each time.
#[derive(Debug)]
pub enum Detail {
    /// As it is in any language.
    Text(String),
    /// What went wrong with a fetch, which has words in each.
    Fetch(FetchError),
    /// Checks, by their names.
    Checks(Vec<Check>),
}

/// What is looked at, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Check {
    /// The name and the addresses behind it.
    Name,
    /// Connecting.
    Connection,
    /// The certificate.
    Certificate,
    /// Who answers, and to whom.
    Answer,
    /// A feed.
    Feed,
}

impl Check {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Name, Self::Connection, Self::Certificate, Self::Answer, Self::Feed];

    /// Those that come after this one.
    pub fn later(self) -> Vec<Self> {
        Self::ALL.into_iter().filter(|check| *check > self).collect()
    }
}

/// Something that was found.
#[derive(Debug)]
pub struct Finding {
    /// What.
    pub kind: Kind,
    /// How bad it is.
    pub severity: Severity,
    /// Where: `public_url`, `feed NAME`, `source NAME`.
    pub subject: String,
    details: Vec<(&'static str, Detail)>,
}

impl Finding {
    /// A finding of `kind` about `subject`.
    pub fn new(kind: Kind, subject: impl Into<String>) -> Self {
        Self { kind, severity: kind.severity(), subject: subject.into(), details: Vec::new() }
    }

    /// With what stands for `{name}` in its words.
    #[must_use]
    pub fn with(mut self, name: &'static str, detail: impl Into<Detail>) -> Self {
        self.details.push((name, detail.into()));
        self
    }

    /// Worse, or less bad, than usual.
    #[must_use]
    pub fn at(mut self, severity: Severity) -> Self {
        self.severity = severity;
        self
    }

    /// What was found, in words.
    pub fn words(&self, language: Language) -> String {
        self.filled(words::text(self.kind, language).words, language)
    }

    /// What to do about it; empty where nothing needs to be done.
    pub fn fix(&self, language: Language) -> String {
        self.filled(words::text(self.kind, language).fix, language)
    }

    fn filled(&self, text: &str, language: Language) -> String {
        let mut text = text.to_owned();
        for (name, detail) in &self.details {
            let marks =
                [(format!("{{{name}}}"), detail.words(language)), (format!("{{{name}.fix}}"), detail.fix(language))];
            for (mark, words) in marks {
                text = text.replace(&mark, &words);
            }
        }
        text
    }
}

impl Detail {
    fn words(&self, language: Language) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Fetch(error) => words::fetch(error, language).words.into_owned(),
            Self::Checks(checks) => {
                let named: Vec<_> = checks.iter().map(|check| words::check(*check, language)).collect();
                named.join(words::comma(language))
            }
        }
    }

    fn fix(&self, language: Language) -> String {
        match self {
            Self::Fetch(error) => words::fetch(error, language).fix.to_owned(),
            Self::Text(_) | Self::Checks(_) => String::new(),
        }
    }
}

impl From<String> for Detail {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&str> for Detail {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<FetchError> for Detail {
    fn from(error: FetchError) -> Self {
        Self::Fetch(error)
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
