//! A source's address. It is a password: whoever has it reads the calendar. So it has no `Display`, and `Debug` shows
//! nothing of it.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::uri::PathAndQuery;
use http::{HeaderValue, Uri};
use percent_encoding::percent_decode_str;
use url::{Host, Url};

/// What was pasted in the place of a calendar's address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Mistake {
    /// Nothing at all.
    #[error("the address is empty")]
    Empty,
    /// Text that is no URL.
    #[error("this is not a web address; it should start with https://")]
    NotAUrl,
    /// A scheme that is not http, https or webcal.
    #[error("only https://, http:// and webcal:// addresses can be fetched")]
    Scheme,
    /// A page of Google Calendar itself.
    #[error(
        "this is the address of the Google Calendar page, not of a calendar; in Google Calendar on a computer open \
         Settings, choose your calendar on the left, and copy \"Secret address in iCal format\""
    )]
    GooglePage,
    /// A `?cid=` link.
    #[error(
        "this is Google's link for adding a calendar to another Google account; copy \"Secret address in iCal format\" \
         from the calendar's settings instead"
    )]
    GoogleShareLink,
    /// An embed link.
    #[error(
        "this is Google's address for showing a calendar inside a web page; copy \"Secret address in iCal format\" \
         from the calendar's settings instead"
    )]
    GoogleEmbed,
    /// The HTML half of Outlook's two links.
    #[error("this is Outlook's HTML link; under Settings, Calendar, Shared calendars, copy the ICS link instead")]
    OutlookPage,
    /// The iCloud web page.
    #[error("this is the iCloud web page; share the calendar as a Public Calendar and copy the webcal:// link")]
    ICloudPage,
}

/// The address of a calendar. As text, which is parsed for a request and for nothing else: there may be a hundred thousand
/// of them, and one that is parsed takes thrice as much.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    /// As a [`Uri`] has it: with a scheme, an authority, and a path that begins with `/`.
    text: Arc<str>,
    /// The value of `Authorization`.
    credentials: Option<Arc<str>>,
}

impl Address {
    /// Reads what a user pasted. `webcal://` means `https://`. The path and query are kept to the letter: Google
    /// answers 404 when `%40` comes as `%2540` or as `@`.
    ///
    /// # Errors
    /// [`Mistake`] says what was pasted instead, and where the right address is to be found.
    pub fn parse(pasted: &str) -> Result<Self, Mistake> {
        let pasted = pasted.trim().trim_matches(['<', '>', '"', '\'']).trim();
        if pasted.is_empty() {
            return Err(Mistake::Empty);
        }
        let (scheme, rest) = pasted.split_once("://").ok_or(Mistake::NotAUrl)?;
        let scheme = match scheme.to_ascii_lowercase().as_str() {
            "https" | "webcal" | "webcals" => "https",
            "http" => "http",
            _ => return Err(Mistake::Scheme),
        };
        let url = Url::parse(&format!("{scheme}://{rest}")).map_err(|_| Mistake::NotAUrl)?;
        if let Some(mistake) = web_page(&url) {
            return Err(mistake);
        }
        Self::assemble(&url, rest).ok_or(Mistake::NotAUrl)
    }

    fn assemble(url: &Url, rest: &str) -> Option<Self> {
        let path_start = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let raw = rest.get(path_start..)?.split('#').next()?;
        let raw = if raw.starts_with('/') { raw.to_owned() } else { format!("/{raw}") };
        let path = PathAndQuery::try_from(raw).ok().filter(|path| path.as_str().is_ascii());
        let path = match path {
            Some(path) => path,
            // Spaces and characters beyond ASCII cannot be sent as they are.
            None => PathAndQuery::try_from(&url[url::Position::BeforePath..url::Position::AfterQuery]).ok()?,
        };
        let authority = &url[url::Position::BeforeHost..url::Position::AfterPort];
        let text = format!("{}://{authority}{path}", url.scheme());
        // It can be too long as a whole.
        text.parse::<Uri>().ok()?;
        Some(Self { text: text.into(), credentials: credentials(url).map(Arc::from) })
    }

    /// Where a redirect of this address leads. `None` if `location` is no address.
    pub(super) fn join(&self, location: &str) -> Option<Self> {
        let joined = Url::parse(&self.text).ok()?.join(location).ok()?;
        if !matches!(joined.scheme(), "http" | "https") {
            return None;
        }
        let text = joined.as_str();
        let mut next = Self::assemble(&joined, text.split_once("://")?.1)?;
        // Credentials stay with the origin they were given for, and a redirect gives none.
        next.credentials = if next.origin() == self.origin() { self.credentials.clone() } else { None };
        Some(next)
    }

    /// The scheme and the authority.
    fn origin(&self) -> &str {
        self.split().0
    }

    /// The origin, and the path with the query.
    fn split(&self) -> (&str, &str) {
        let authority = self.text.find("://").map_or(0, |end| end + 3);
        let path =
            self.text.get(authority..).and_then(|rest| rest.find('/')).map_or(self.text.len(), |at| authority + at);
        self.text.split_at(path)
    }

    fn authority(&self) -> &str {
        self.origin().split_once("://").map_or("", |(_, authority)| authority)
    }

    /// The whole address, for the request and for nothing else.
    pub(super) fn uri(&self) -> Uri {
        self.text.parse().expect("it was parsed when it was put together")
    }

    /// What to send as `Authorization`, if the address came with a user name and password.
    pub(super) fn credentials(&self) -> Option<HeaderValue> {
        let mut value = HeaderValue::from_str(self.credentials.as_ref()?).expect("Base64 is visible ASCII");
        value.set_sensitive(true);
        Some(value)
    }

    /// The host's name: what budgets and circuits are kept by. It is no secret; the path is.
    pub fn host(&self) -> &str {
        let authority = self.authority();
        // The colons of an IPv6 address stand in brackets.
        let end = authority.find(']').map_or_else(|| authority.find(':'), |bracket| Some(bracket + 1));
        authority.get(..end.unwrap_or(authority.len())).unwrap_or_default()
    }

    /// The port at the host.
    pub fn port(&self) -> u16 {
        let written = self.authority().strip_prefix(self.host()).and_then(|rest| rest.strip_prefix(':'));
        written.and_then(|port| port.parse().ok()).unwrap_or(if self.is_encrypted() { 443 } else { 80 })
    }

    /// Whether the way to the host is encrypted.
    pub fn is_encrypted(&self) -> bool {
        self.text.starts_with("https://")
    }

    /// The address of the host, if it is written as a number.
    pub fn literal_ip(&self) -> Option<IpAddr> {
        literal_ip(self.host())
    }

    /// A name for this address that says nothing about it to whoever has not got `key`.
    pub fn fingerprint(&self, key: &[u8; 32]) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new_keyed(key);
        hasher.update(self.text.as_bytes());
        hasher.update(self.credentials.as_deref().unwrap_or_default().as_bytes());
        *hasher.finalize().as_bytes()
    }

    /// Texts whose appearance in a calendar would give this address away.
    pub fn telltales(&self) -> Vec<Vec<u8>> {
        let (_, path) = self.split();
        // A bare host, or `/calendar.ics`, may stand in a calendar for good reasons.
        let place = format!("{}{path}", self.authority());
        let decoded = percent_decode_str(&place).decode_utf8_lossy().into_owned();
        let escaped = place.replace('\\', "\\\\").replace(',', "\\,").replace(';', "\\;");
        let secret_part = path.split('/').find(|part| part.starts_with("private-") && part.len() >= 24);
        let mut telltales: Vec<Vec<u8>> =
            if path.len() < 16 { Vec::new() } else { [place, decoded, escaped].map(String::into_bytes).into() };
        telltales.extend(secret_part.map(|part| part.as_bytes().to_vec()));
        telltales.sort();
        telltales.dedup();
        telltales
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Address(…)")
    }
}

/// The address of `host`, if it is written as a number. Never goes through a resolver, so it is checked on its own.
pub(super) fn literal_ip(host: &str) -> Option<IpAddr> {
    host.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

fn credentials(url: &Url) -> Option<String> {
    let decode = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let (user, password) = (decode(url.username()), decode(url.password().unwrap_or_default()));
    if user.is_empty() && password.is_empty() {
        return None;
    }
    Some(format!("Basic {}", STANDARD.encode(format!("{user}:{password}"))))
}

fn web_page(url: &Url) -> Option<Mistake> {
    let Some(Host::Domain(host)) = url.host() else { return None };
    let path = url.path();
    let extension = path.rsplit('.').next().unwrap_or_default().to_ascii_lowercase();
    let is_ics = extension == "ics";
    match host {
        "calendar.google.com" | "www.google.com" | "google.com" if !is_ics => {
            if url.query_pairs().any(|(name, _)| name == "cid") {
                Some(Mistake::GoogleShareLink)
            } else if path.contains("/embed") {
                Some(Mistake::GoogleEmbed)
            } else if path.contains("/ical/") {
                None
            } else {
                Some(Mistake::GooglePage)
            }
        }
        "outlook.office365.com" | "outlook.live.com" | "outlook.office.com" if extension == "html" => {
            Some(Mistake::OutlookPage)
        }
        "www.icloud.com" | "www.icloud.com.cn" => Some(Mistake::ICloudPage),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "https://calendar.google.com/calendar/ical/lin%40example.com/private-0123456789abcdef0123456789abcdef/basic.ics";

    #[test]
    fn the_path_is_sent_exactly_as_pasted() {
        for path in [
            "/a%40b/c.ics",
            "/a%2540b/c.ics",
            "/a@b/c.ics",
            "/A/../b.ics",
            "/x?q=%7e+~&r=%2F",
            "/?export",
            "/%e4%BD%a0",
        ] {
            let address = Address::parse(&format!("webcal://Example.com{path}#part")).unwrap();
            assert_eq!(address.uri().to_string(), format!("https://example.com{path}"));
        }
        assert_eq!(Address::parse("https://example.com?x=1").unwrap().uri().to_string(), "https://example.com/?x=1");
    }

    #[test]
    fn what_cannot_be_sent_as_it_is_is_encoded() {
        let address = Address::parse(" <https://example.com/日历 1.ics> ").unwrap();
        assert_eq!(address.uri().path(), "/%E6%97%A5%E5%8E%86%201.ics");
    }

    #[test]
    fn a_page_pasted_for_a_calendar_is_told_apart() {
        let cases = [
            ("", Mistake::Empty),
            ("basic.ics", Mistake::NotAUrl),
            ("ftp://example.com/a.ics", Mistake::Scheme),
            ("https://", Mistake::NotAUrl),
            ("https://calendar.google.com/calendar/u/0/r/week", Mistake::GooglePage),
            ("https://calendar.google.com/calendar/u/0?cid=bGluQGV4YW1wbGUuY29t", Mistake::GoogleShareLink),
            (
                "https://calendar.google.com/calendar/embed?src=lin%40example.com&ctz=Asia%2FShanghai",
                Mistake::GoogleEmbed,
            ),
            ("https://outlook.office365.com/owa/calendar/a@b/c/calendar.html", Mistake::OutlookPage),
            ("https://www.icloud.com/calendar/", Mistake::ICloudPage),
        ];
        for (pasted, mistake) in cases {
            assert_eq!(Address::parse(pasted).unwrap_err(), mistake, "{pasted}");
        }
        assert!(Address::parse(SECRET).is_ok());
    }

    #[test]
    fn hosts_written_as_numbers_are_seen_in_every_spelling() {
        for (pasted, ip) in [
            ("http://0x7f.1/", "127.0.0.1"),
            ("http://2130706433/", "127.0.0.1"),
            ("http://0177.0.0.1/", "127.0.0.1"),
            ("http://127.1/", "127.0.0.1"),
            ("http://[::ffff:7f00:1]/", "::ffff:127.0.0.1"),
            ("http://user@169.254.169.254/", "169.254.169.254"),
        ] {
            assert_eq!(Address::parse(pasted).unwrap().literal_ip(), Some(ip.parse().unwrap()), "{pasted}");
        }
    }

    #[test]
    fn its_parts_are_found_in_its_text() {
        for (pasted, host, port) in [
            ("https://Cal.example.com", "cal.example.com", 443),
            ("webcal://cal.example.com:443?at=8:00", "cal.example.com", 443),
            ("http://lin:81@cal.example.com:8080/a:1/b]", "cal.example.com", 8080),
            ("http://[2001:DB8::1]/a", "[2001:db8::1]", 80),
            ("https://[2001:db8::1]:8443/a", "[2001:db8::1]", 8443),
        ] {
            let address = Address::parse(pasted).unwrap();
            assert_eq!((address.host(), address.port()), (host, port), "{pasted}");
            assert_eq!(address.uri().host(), Some(host), "{pasted}");
        }
        let long = format!("https://example.com/{}", "a".repeat(65_530));
        assert_eq!(Address::parse(&long).unwrap_err(), Mistake::NotAUrl);
    }

    #[test]
    fn credentials_go_to_their_own_origin_only() {
        let address = Address::parse("https://lin:p%40ss@cal.example.com/a.ics").unwrap();
        assert_eq!(address.credentials().unwrap(), "Basic bGluOnBAc3M=");
        assert!(!address.uri().to_string().contains("lin"));
        assert!(address.join("/b.ics").unwrap().credentials().is_some());
        assert!(address.join("https://elsewhere.example.com/b.ics").unwrap().credentials().is_none());
    }

    #[test]
    fn the_address_cannot_be_printed_and_its_telltales_are_found() {
        let address = Address::parse(SECRET).unwrap();
        assert_eq!(format!("{address:?}"), "Address(…)");
        let telltales: Vec<_> = address.telltales().into_iter().map(|text| String::from_utf8(text).unwrap()).collect();
        assert!(telltales.contains(&"private-0123456789abcdef0123456789abcdef".to_owned()));
        assert!(telltales.iter().any(|text| text.starts_with("calendar.google.com/calendar/ical/lin@example.com/")));
        assert!(telltales.iter().all(|text| !"mailto:lin@example.com".contains(text.as_str())));
    }
}
