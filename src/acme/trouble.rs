//! What went wrong on the way to a certificate, in words: what happened, to which name, and what to do next.

use instant_acme::{Error, Problem};

use super::client::NoAnswer;
use super::issued::Unusable;
use super::schedule::Ending;
use crate::store::StoreError;

/// Begins the type of each problem that RFC 8555 §6.7 names.
const KINDS: &str = "urn:ietf:params:acme:error:";
/// Longest text of the authority that is repeated.
const SAID_MAX: usize = 500;

/// Why an order gave no certificate.
#[derive(Debug, thiserror::Error)]
pub(super) enum Trouble {
    /// The authority gave no answer that can be read.
    #[error(
        "{0}; check server.acme.directory, this machine's way to it, and server.acme.ca_file if its own certificate \
             is of a private authority"
    )]
    NoAnswer(NoAnswer),
    /// It refused something.
    #[error("{}", refusal(.0))]
    Refused(Problem),
    /// It checked names, and did not find what it looked for.
    #[error("{}", .0.join("; "))]
    Checks(Vec<String>),
    /// It has other ways of checking a name only.
    #[error(
        "it does not check {0} by TLS-ALPN-01, the only way calferry can answer; set another server.acme.directory"
    )]
    NoCheck(String),
    /// What it gave cannot be used.
    #[error("the certificate it gave was not taken: {0}")]
    Unusable(#[from] Unusable),
    /// It was still at work when the order had taken too long.
    #[error("it had not decided after {0} minutes; if that goes on, look at the status page of the authority")]
    Undecided(u64),
    /// It does not speak as RFC 8555 says.
    #[error("its answer makes no sense ({0}); check that server.acme.directory is the address of an ACME directory")]
    Odd(Error),
    /// A key or a request could not be made.
    #[error("a key could not be made: {0}")]
    Own(Box<dyn std::error::Error + Send + Sync>),
    /// What has to be remembered could not be.
    #[error("the state folder: {0}")]
    Store(#[from] StoreError),
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        match error {
            Error::Api(problem) => Self::Refused(problem),
            Error::Other(cause) => match cause.downcast::<NoAnswer>() {
                Ok(error) => Self::NoAnswer(*error),
                Err(cause) => Self::Odd(Error::Other(cause)),
            },
            other => Self::Odd(other),
        }
    }
}

impl Trouble {
    /// The authority does not know the account any more (RFC 8555 §6.7): it has been deleted, or the authority set up
    /// anew.
    pub(super) fn account_is_gone(&self) -> bool {
        matches!(self, Self::Refused(problem) if kind(problem) == "accountDoesNotExist")
    }

    /// How a try ends that ends with this before there was an order.
    pub(super) fn ending(&self) -> Ending {
        match self {
            Self::NoAnswer(NoAnswer::TooLarge)
            | Self::Refused(_)
            | Self::Checks(_)
            | Self::NoCheck(_)
            | Self::Unusable(_)
            | Self::Undecided(_)
            | Self::Odd(_)
            | Self::Own(_)
            | Self::Store(_) => Ending::Refused,
            Self::NoAnswer(_) => Ending::Unreached,
        }
    }
}

/// What the authority found when it checked `name`.
pub(super) fn finding(name: &str, problem: Option<&Problem>) -> String {
    match problem {
        Some(problem) => format!("{name}: {}", refusal(problem)),
        None => format!("{name}: the check failed, and the authority does not say why"),
    }
}

/// What the authority says, and what to do about it.
fn refusal(problem: &Problem) -> String {
    let mut words = format!("it says: {}", said(problem.detail.as_deref(), kind(problem)));
    for part in problem.subproblems.iter().take(20) {
        words.push_str(&format!("; {}", said(Some(&part.to_string()), "")));
    }
    let advice = advice(kind(problem));
    if advice.is_empty() { words } else { format!("{words}. {advice}") }
}

/// The last part of a problem's type: `connection`.
fn kind(problem: &Problem) -> &str {
    let kind = problem.r#type.as_deref().unwrap_or_default();
    kind.strip_prefix(KINDS).unwrap_or(kind)
}

/// Text from outside, on one line and not for ever.
fn said(detail: Option<&str>, kind: &str) -> String {
    let plain = |text: &str| -> String {
        let printable = text.chars().map(|char| if char.is_control() { ' ' } else { char });
        printable.take(SAID_MAX).collect()
    };
    match (detail, kind) {
        (Some(detail), "") => plain(detail),
        (Some(detail), kind) => format!("{} ({})", plain(detail), plain(kind)),
        (None, kind) => plain(kind),
    }
}

/// What to do about a problem of `kind` (RFC 8555 §6.7).
fn advice(kind: &str) -> &'static str {
    match kind {
        "connection" => {
            "Nobody answered there on port 443: let it through the firewall, forward it to this program's server.listen, \
             and see that all of the name's addresses, A and AAAA, are those of this machine"
        }
        "tls" | "unauthorized" | "incorrectResponse" => {
            "Not this program answered there on port 443, if anybody did: another machine, another server, a firewall, or a \
             proxy that ends TLS. The name must lead straight to this program's server.listen; behind Cloudflare's proxy \
             use an Origin CA certificate in [server.tls] instead"
        }
        "dns" => "See that the name has an A or AAAA record, and that its name servers answer",
        "caa" => "A CAA record of the name forbids this authority: add the authority to it",
        "rateLimited" => "Nothing can be done but wait; calferry waits as long as the authority asks",
        "rejectedIdentifier" | "unsupportedIdentifier" => "Check server.acme.domains",
        "invalidContact" | "unsupportedContact" => "Check server.acme.contact",
        "externalAccountRequired" => {
            "It wants accounts that were made on its website, which calferry cannot use: set another server.acme.directory"
        }
        "userActionRequired" => "It wants you to do something on its website first",
        "serverInternal" => "The trouble is the authority's own, and calferry tries again",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(kind: &str, detail: &str) -> Problem {
        serde_json::from_value(serde_json::json!({ "type": format!("{KINDS}{kind}"), "detail": detail })).unwrap()
    }

    #[test]
    fn every_usual_refusal_says_what_to_do() {
        for kind in ["connection", "tls", "unauthorized", "incorrectResponse", "dns", "caa", "rateLimited"] {
            let words = finding("cal.example.com", Some(&problem(kind, "no")));
            assert!(words.starts_with(&format!("cal.example.com: it says: no ({kind}). ")), "{words}");
            assert!(words.len() > 60, "{words}");
        }
        assert_eq!(refusal(&problem("malformed", "no")), "it says: no (malformed)");
    }

    #[test]
    fn what_comes_from_outside_stays_on_one_line_and_ends() {
        let words = refusal(&problem("dns", &format!("a\r\nb\u{1b}[31m{}", "x".repeat(10_000))));
        assert!(words.starts_with("it says: a  b [31mxxx") && words.len() < 700, "{words}");
    }

    #[test]
    fn only_an_authority_that_was_not_reached_is_asked_again_soon() {
        assert_eq!(Trouble::NoAnswer(NoAnswer::Late).ending(), Ending::Unreached);
        assert_eq!(Trouble::NoAnswer(NoAnswer::TooLarge).ending(), Ending::Refused);
        assert_eq!(Trouble::Refused(problem("rateLimited", "no")).ending(), Ending::Refused);
        assert!(Trouble::Refused(problem("accountDoesNotExist", "no")).account_is_gone());
        assert!(!Trouble::Refused(problem("unauthorized", "no")).account_is_gone());
    }
}
