//! Who has answered, where it was not the calferry that was asked: told by status, headers and the beginning of the
//! body. Pure.

use std::sync::LazyLock;

use http::{HeaderName, HeaderValue, StatusCode};
use regex::Regex;
use url::Url;

use super::certificate::shown;
use super::finding::Kind;
use super::visit::Reply;

/// Who answered, with what stands in the words of the finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) kind: Kind,
    pub(super) details: Vec<(&'static str, String)>,
}

/// Cloudflare's own number for what it refuses or cannot do, in its pages and in the one line that it has for programs.
static CODE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"(?i)(?:error(?:\s+code)?:?\s*|cf-error-code">\s*|error</span>\s*<span>\s*)(1\d{3})\b"#)
        .expect("a literal pattern")
});

/// What the front's pages with a challenge have in them.
const CHALLENGES: [&str; 4] = ["challenge-platform", "cf-chl", "_cf_chl_opt", "<title>just a moment"];

/// Who has sent `reply` in the place of the answer that was asked for.
pub(super) fn who(reply: &Reply) -> Verdict {
    let status = reply.status.as_u16();
    let text = reply.text();
    let code = CODE.captures(&text).and_then(|found| found.get(1)).map(|code| code.as_str().to_owned());
    let spoken = ("code", code.as_ref().map(|code| format!(", {code}")).unwrap_or_default());
    let number = ("status", status.to_string());
    if is_challenge(reply, &text) {
        return verdict(Kind::ChallengePage, []);
    }
    if let Some(kept) = cached(reply).filter(|_| reply.content_type() == "text/html") {
        return verdict(Kind::HtmlCached, [("cache", kept)]);
    }
    if reply.status.is_redirection() {
        return verdict(Kind::Redirected, [number, ("target", target(reply))]);
    }
    let ours = is_calferry(reply);
    match (status, code.as_deref()) {
        (_, Some("1010")) => verdict(Kind::BrowserIntegrityCheck, []),
        (429, _) | (_, Some("1015")) => verdict(Kind::RateLimited, []),
        (404, _) if ours => verdict(Kind::OtherInstance, []),
        (400, _) if ours => verdict(Kind::RequestMangled, []),
        (401 | 403 | 451, _) => verdict(Kind::Blocked, [number, spoken]),
        (502 | 503 | 521 | 522 | 523, _) => verdict(Kind::OriginUnreachable, [number]),
        (504 | 524, _) => verdict(Kind::OriginTimeout, [number]),
        (525, _) => verdict(Kind::OriginHandshake, []),
        (526, _) => verdict(Kind::OriginCertificate, []),
        (530, _) => verdict(Kind::TunnelDown, [spoken]),
        (500..=599, _) => verdict(Kind::FrontError, [number, spoken]),
        _ => verdict(Kind::NotCalferry, [number, ("server", server(reply))]),
    }
}

/// Whether it comes from a cache, and what the front says of that.
pub(super) fn cached(reply: &Reply) -> Option<String> {
    let text = |(name, value): (&HeaderName, &HeaderValue)| Some((name.to_string(), value.to_str().ok()?.to_owned()));
    let mut headers = reply.headers.iter().filter_map(text);
    let (name, value) = headers.find(|(name, value)| says_kept(name, value))?;
    // Varnish's numbers are others each time: what is said must not be, or it is told once for each client.
    Some(if name == "x-varnish" { name } else { shown(&format!("{name}: {value}")) })
}

/// Whether a cache says in this header that it had the answer.
fn says_kept(name: &str, value: &str) -> bool {
    let numbers = || value.split([' ', ',']).filter_map(|number| number.parse::<u64>().ok());
    match name {
        // Who made the answer knows its age; one that is made now has none.
        "age" | "x-cache-hits" => numbers().any(|number| number > 0),
        // The request's number, and behind it that of the request for which it was fetched.
        "x-varnish" => numbers().count() > 1,
        // What Squid has found, not what it has sent.
        "x-cache-lookup" => false,
        // RFC 9211. calferry has a member of its own in it.
        "cache-status" => value.split(',').any(|member| {
            let mut parts = member.split(';').map(str::trim);
            parts.next() != Some("calferry") && parts.any(|part| part == "hit")
        }),
        _ if name == "cf-cache-status" || name.starts_with("x-cache") || name == "x-proxy-cache" => {
            let words = value.split(|char: char| !char.is_ascii_alphanumeric());
            let kept = ["HIT", "STALE", "UPDATING", "REVALIDATED"];
            words.into_iter().any(|word| kept.iter().any(|kept| word.eq_ignore_ascii_case(kept)))
        }
        _ => false,
    }
}

/// Whether `later`, asked for more than a second after `first`, is the same answer once more: each of calferry's has the
/// time and the copy's age in it. A front may put a time of its own into it.
pub(super) fn repeated(first: &Reply, later: &Reply) -> Option<String> {
    let same = |name: &&str| !first.header(name).is_empty() && first.header(name) == later.header(name);
    let name = ["date", "cache-status"].into_iter().find(same)?;
    Some(shown(&format!("2x {name}: {}", first.header(name))))
}

/// Whether it is Cloudflare that the answer came through.
pub(super) fn is_cloudflare(reply: &Reply) -> bool {
    reply.headers.contains_key("cf-ray")
}

/// Whether something stands before calferry, which itself says nothing of the kind.
pub(super) fn is_fronted(reply: &Reply) -> bool {
    is_cloudflare(reply) || ["server", "via"].iter().any(|name| reply.headers.contains_key(*name))
}

/// Whether a calferry has written it: the headers of its short answers are on no usual page.
pub(super) fn is_calferry(reply: &Reply) -> bool {
    reply.header("x-robots-tag") == "noindex, nofollow" && reply.header("referrer-policy") == "no-referrer"
}

fn verdict<const N: usize>(kind: Kind, details: [(&'static str, String); N]) -> Verdict {
    Verdict { kind, details: details.into() }
}

fn is_challenge(reply: &Reply, text: &str) -> bool {
    let page = text.to_ascii_lowercase();
    // The script of that name stands in pages of every kind; only a refusal with it is a challenge.
    let refused = [StatusCode::FORBIDDEN, StatusCode::SERVICE_UNAVAILABLE, StatusCode::TOO_MANY_REQUESTS];
    reply.header("cf-mitigated").eq_ignore_ascii_case("challenge")
        || (refused.contains(&reply.status) && CHALLENGES.iter().any(|mark| page.contains(mark)))
}

/// Where a redirect leads, without its path: that may hold a token.
fn target(reply: &Reply) -> String {
    let location = reply.header("location");
    let origin = Url::parse(location).ok().map(|url| url.origin().ascii_serialization());
    origin.map_or_else(|| "?".to_owned(), |origin| shown(&origin))
}

/// The first word of `Server`, and of it only what a product's name has.
fn server(reply: &Reply) -> String {
    let allowed = |char: char| char.is_ascii_alphanumeric() || "-_./".contains(char);
    let word: String = reply.header("server").chars().take_while(|char| allowed(*char)).take(40).collect();
    if word.is_empty() { "?".to_owned() } else { word }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::clock::Timestamp;

    fn reply(status: u16, headers: &[(&'static str, &str)], body: &str) -> Reply {
        let mut map = http::HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        let now = Timestamp::default();
        let (status, took) = (StatusCode::from_u16(status).unwrap(), Duration::ZERO);
        Reply { status, headers: map, body: body.into(), sent: now, received: now, took, certificate: None }
    }

    #[test]
    fn cloudflares_pages_are_told_apart_in_both_of_their_forms() {
        let page = "<div class=\"cf-error-details\"><h1><span>Error</span> <span>1010</span></h1>";
        let older = "<span class=\"cf-error-code\">1020</span>";
        for (status, body, kind, code) in [
            (403, "error code: 1010", Kind::BrowserIntegrityCheck, ""),
            (403, page, Kind::BrowserIntegrityCheck, ""),
            (403, "Error 1010 Ray ID", Kind::BrowserIntegrityCheck, ""),
            (403, older, Kind::Blocked, ", 1020"),
            (403, "no", Kind::Blocked, ""),
            (429, "error code: 1015", Kind::RateLimited, ""),
            (530, "error code: 1033", Kind::TunnelDown, ", 1033"),
            (520, "", Kind::FrontError, ""),
            (524, "error code: 524", Kind::OriginTimeout, ""),
        ] {
            let found = who(&reply(status, &[], body));
            let told = found.details.iter().find(|(name, _)| *name == "code").map_or("", |(_, code)| code);
            assert_eq!((found.kind, told), (kind, code), "{status} {body}");
        }
    }

    #[test]
    fn a_challenge_is_one_whatever_its_status() {
        assert_eq!(who(&reply(200, &[("cf-mitigated", "challenge")], "")).kind, Kind::ChallengePage);
        assert_eq!(who(&reply(503, &[], "<title>Just a moment...</title>")).kind, Kind::ChallengePage);
        let page = "<script src=\"/cdn-cgi/challenge-platform/scripts/jsd/main.js\">";
        assert_eq!(who(&reply(404, &[], page)).kind, Kind::NotCalferry, "the script alone is none");
    }

    #[test]
    fn a_redirect_is_told_without_its_path() {
        let found = who(&reply(301, &[("location", "https://www.example.com/secret.ics?x")], ""));
        assert_eq!(found.details[1].1, "https://www.example.com");
        assert_eq!(who(&reply(302, &[("location", "/secret.ics")], "")).details[1].1, "?");
    }

    #[test]
    fn what_comes_from_a_cache_is_seen_by_what_caches_say() {
        let html = ("content-type", "text/html; charset=utf-8");
        let own = ("cache-status", "calferry; hit; ttl=588; detail=\"fresh, 312 s old\"");
        for kept in [
            ("cf-cache-status", "hit"),
            ("age", "12"),
            ("x-cache", "HIT"),
            ("x-cache", "Hit from cloudfront"),
            ("x-cache", "TCP_MEM_HIT from a1-2-3-4.deploy.example"),
            ("x-cache", "MISS, HIT"),
            ("x-cache-status", "STALE"),
            ("x-cache-hits", "3"),
            ("x-proxy-cache", "UPDATING"),
            ("cache-status", "calferry; hit; ttl=588; detail=\"fresh, 312 s old\", Souin; hit; ttl=30"),
        ] {
            let found = who(&reply(200, &[html, own, kept], ""));
            assert_eq!(found.kind, Kind::HtmlCached, "{kept:?}");
            assert_eq!(found.details[0].1, format!("{}: {}", kept.0, kept.1));
        }
        assert_eq!(cached(&reply(200, &[own, ("x-varnish", "98310 65537")], "")).as_deref(), Some("x-varnish"));
        for asked in [
            ("cf-cache-status", "DYNAMIC"),
            ("age", "0"),
            ("x-cache", "MISS from squid"),
            ("x-cache-lookup", "HIT from squid:3128"),
            ("x-cache-status", "BYPASS"),
            ("x-cache-hits", "0"),
            ("x-varnish", "98310"),
            ("cache-status", "Souin; fwd=uri-miss; stored, calferry; hit; ttl=3"),
            ("via", "1.1 varnish"),
        ] {
            assert_eq!(cached(&reply(200, &[own, asked], "")), None, "{asked:?}");
        }
    }

    #[test]
    fn an_answer_that_comes_again_is_seen_by_its_time_or_the_copys_age() {
        let at = |second: &str, age: &str| {
            let date = format!("Thu, 26 Nov 2026 18:00:{second} GMT");
            let status = format!("calferry; hit; ttl=588; detail=\"fresh, {age} s old\"");
            reply(200, &[("date", &date), ("cache-status", &status)], "")
        };
        assert_eq!(repeated(&at("01", "7"), &at("02", "8")), None);
        let date = "2x date: Thu, 26 Nov 2026 18:00:01 GMT";
        assert_eq!(repeated(&at("01", "7"), &at("01", "7")).as_deref(), Some(date));
        // nginx writes the time anew.
        let found = repeated(&at("01", "7"), &at("02", "7")).unwrap();
        assert!(found.starts_with("2x cache-status: calferry; hit"), "{found}");
        assert_eq!(repeated(&reply(200, &[], ""), &reply(200, &[], "")), None, "nothing says so");
    }
}
