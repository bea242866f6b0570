//! Meeting addresses in free text, and the Google Meet block of a description.
//!
//! The first URL on a meeting host is not always the one to join by: invitations also link to phone numbers, options
//! and downloads. So an address whose path looks like a join wins, and known other pages never do. An address comes
//! out byte for byte as it was written, because a passcode that was re-encoded is another passcode.
//!
//! Prose ends a URL where RFC 3986 does, and at brackets: Chinese follows without a space, and editors write `(…)`,
//! `[…](…)` and `<…|…>`. So a room name in raw Chinese is cut; browsers copy such a name percent-encoded.

use std::borrow::Cow;
use std::ops::Range;

use memchr::memmem;
use percent_encoding::percent_decode_str;

/// The longest address that is handed out, in bytes: what every client takes.
const LONGEST: usize = 2048;
/// How many redirectors may be wrapped around an address.
const DEEPEST: usize = 4;

/// A meeting service. In its paths `*` is any segment and `#` a number.
struct Service {
    hosts: &'static [&'static str],
    /// What the path of an address to join by begins with. Empty: whatever is no other page.
    joins: &'static [&'static str],
    /// Paths of its other pages.
    others: &'static [&'static str],
}

/// The hosts that iOS shows a Join button for, and the services it does not know, mostly Chinese ones.
#[rustfmt::skip]
static SERVICES: &[Service] = &[
    // `/u/` lists phone numbers; `/rec/` plays recordings.
    Service { hosts: &["zoom.us", "zoom.com", "zoom.com.cn", "zoomgov.com", "zoom-x.de"],
              joins: &["j", "w", "s", "my", "wc", "ejl"], others: &["u", "zoomconference", "skype", "rec", "*/*/ics"] },
    Service { hosts: &["meet.google.com"], joins: &[], others: &["new", "landing", "about", "tel"] },
    // All of `/l/` opens something in Teams: channels, files, chats.
    Service { hosts: &["teams.microsoft.com", "teams.microsoft.us", "teams.live.com", "teams.microsoftonline.cn"],
              joins: &["l/meetup-join", "meet"], others: &["l", "meetingoptions"] },
    Service { hosts: &["webex.com", "webex.com.cn", "web.ciscospark.com"], others: &["*/globalcallin.php"],
              joins: &["meet", "join", "m", "j.php", "e.php", "wbxmjs", "webappng", "*/j.php", "*/e.php"] },
    Service { hosts: &["meeting.tencent.com", "voovmeeting.com"], joins: &["dm", "p", "s", "l", "r"],
              others: &["cw", "crm", "v2"] },
    Service { hosts: &["vc.feishu.cn", "vc.larksuite.com", "meeting.dingtalk.com"], joins: &["j", "app"], others: &[] },
    Service { hosts: &["gotomeeting.com", "gotomeet.me", "meet.goto.com"], joins: &["join", "#"],
              others: &["install", "system-check", "email-welcome", "*/numbersdisplay.html"] },
    Service { hosts: &["bluejeans.com", "chime.aws", "join.me"], joins: &["#"], others: &["numbers", "dialinnumbers"] },
    Service { hosts: &["v.ringcentral.com", "meetings.ringcentral.com", "facetime.apple.com"], joins: &["join", "j"],
              others: &["teleconference"] },
    Service { hosts: &["whereby.com", "meet.jit.si", "join.skype.com"], joins: &[],
              others: &["information", "user", "blog", "org", "static"] },
];

/// Names in front of a listed host that are never meetings.
const OTHER_NAMES: [&str; 8] = ["support", "help", "status", "blog", "explore", "developers", "docs", "dialin"];
/// Pages that every service with a web site has.
const SITE_PAGES: [&str; 8] = ["download", "client", "support", "help", "pricing", "signin", "signup", "account"];
/// Files that belong to a page. iOS refuses them too.
const FILES: [&str; 9] = ["png", "jpg", "jpeg", "gif", "svg", "webp", "ico", "css", "ics"];

/// Outlook's Safe Links, in mail and in Teams, and Proofpoint's URL Defense.
#[rustfmt::skip]
const REDIRECTORS: [&str; 6] = ["safelinks.protection.outlook.com", "safelinks.protection.office365.us",
    "safelinks.protection.partner.outlook.cn", "statics.teams.cdn.office.net", "urldefense.com", "urldefense.proofpoint.com"];

/// Hosts whose addresses are meetings: those of the well-known services, and the user's own. A host stands for itself
/// and for every name below it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MeetingHosts {
    own: Vec<String>,
}

impl MeetingHosts {
    /// The well-known hosts and `extra`; what is not a host name is left out. Nothing but meetings is expected on an
    /// extra host: each of its addresses counts as one to join by, on every port.
    pub fn with(extra: &[String]) -> Self {
        Self { own: extra.iter().filter(|host| Self::is_host_name(host)).cloned().collect() }
    }

    /// Whether `text` is a host name that may be listed: labels in ASCII (RFC 1123 §2.1), at least two; no IP address.
    pub fn is_host_name(text: &str) -> bool {
        let label = |label: &str| {
            let plain = label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
            (1..=63).contains(&label.len()) && plain && !label.starts_with('-') && !label.ends_with('-')
        };
        let numeric = text.rsplit('.').next().is_some_and(|top| top.bytes().all(|byte| byte.is_ascii_digit()));
        text.len() <= 253 && text.contains('.') && text.split('.').all(label) && !numeric
    }

    /// The service that `host` belongs to, none if it is the user's own, and what stands in front of the listed name.
    fn find<'a>(&self, host: &'a str) -> Option<(Option<&'static Service>, &'a str)> {
        let own = self.own.iter().map(|own| (None, own.as_str()));
        let known = SERVICES.iter().flat_map(|service| service.hosts.iter().map(move |host| (Some(service), *host)));
        own.chain(known).find_map(|(service, listed)| Some((service, below(host, listed)?)))
    }

    /// Whether `address` looks like one to join by. `None` if it is no meeting at all.
    fn joins(&self, address: &Address) -> Option<bool> {
        let file = address.path.rsplit('/').next().and_then(|file| file.rsplit_once('.'));
        let (service, front) = self.find(address.host)?;
        if address.path.is_empty() || file.is_some_and(|(_, kind)| one_of(&FILES, kind)) {
            return None;
        }
        let Some(service) = service else { return Some(true) };
        let begins = |with: &&str| address.begins(with);
        // The services answer on the usual ports; another one is somebody's test.
        if !matches!(address.port, "" | "443" | "80") || front.split('.').any(|name| one_of(&OTHER_NAMES, name)) {
            None
        } else if service.joins.iter().any(begins) {
            Some(true)
        } else if service.others.iter().any(begins) {
            None
        } else if service.joins.is_empty() {
            Some(true)
        } else {
            // `www.` is the web site.
            (!front.eq_ignore_ascii_case("www.") && !SITE_PAGES.iter().any(begins)).then_some(false)
        }
    }
}

/// The pieces of a URL that decide, the host without a dot behind it, the path without the slash in front. Read by
/// hand: most URLs of a calendar lead elsewhere and are never parsed.
struct Address<'a> {
    text: &'a str,
    host: &'a str,
    port: &'a str,
    path: &'a str,
    query: &'a str,
}

impl<'a> Address<'a> {
    /// `None` if it is not `http`, or there is a user in front of the host: `https://zoom.us@example.com/`.
    fn of(text: &'a str) -> Option<Self> {
        let (_, rest) = text.split_once("://").filter(|(scheme, _)| one_of(&["https", "http"], scheme))?;
        let (authority, rest) = rest.split_at_checked(rest.find(['/', '?', '#']).unwrap_or(rest.len()))?;
        let (host, port) = authority.split_once(':').unwrap_or((authority, ""));
        let before_fragment = rest.split('#').next().unwrap_or_default();
        let (path, query) = before_fragment.split_once('?').unwrap_or((before_fragment, ""));
        let host = host.strip_suffix('.').unwrap_or(host);
        let it = Self { text, host, port, path: path.trim_start_matches('/'), query };
        (!authority.contains('@')).then_some(it)
    }

    fn begins(&self, with: &str) -> bool {
        let mut segments = self.path.split('/').filter(|segment| !segment.is_empty());
        with.split('/').all(|wanted| {
            segments.next().is_some_and(|segment| match wanted {
                "*" => true,
                "#" => segment.bytes().all(|byte| byte.is_ascii_digit()),
                _ => segment.eq_ignore_ascii_case(wanted),
            })
        })
    }

    fn is_google_redirect(&self) -> bool {
        let www = self.host.get(..11).is_some_and(|front| front.eq_ignore_ascii_case("www.google."));
        self.path == "url" && (www || self.host.eq_ignore_ascii_case("google.com"))
    }

    fn is_redirector(&self) -> bool {
        self.is_google_redirect() || REDIRECTORS.iter().any(|host| below(self.host, host).is_some())
    }

    /// Where a redirector leads: Google's, Outlook's Safe Links, Proofpoint's URL Defense.
    fn target(&self) -> Option<String> {
        if let Some((_, rest)) = self.text.split_once("/v3/__") {
            // A `*` stands for a character that is listed in Base64 behind the address. Meeting addresses have none.
            return rest.split_once("__;").filter(|(it, _)| !it.contains('*')).map(|(it, _)| it.to_owned());
        }
        let value = |wanted: &str| {
            let pairs = self.query.split('&').filter_map(|pair| pair.split_once('='));
            pairs.map(|(name, value)| (name.trim_start_matches("amp;"), value)).find(|(name, _)| *name == wanted)
        };
        let decode = |value: &str| percent_decode_str(value).decode_utf8().ok().map(Cow::into_owned);
        if self.path.eq_ignore_ascii_case("v2/url") {
            return decode(&value("u")?.1.replace('-', "%").replace('_', "/"));
        }
        decode(value("q").or_else(|| value("url"))?.1)
    }

    /// The last word before an address is handed out.
    fn is_valid(&self) -> bool {
        let sound = self.text.len() <= LONGEST && MeetingHosts::is_host_name(self.host);
        let same = |host: &str| host.trim_end_matches('.').eq_ignore_ascii_case(self.host);
        // Of such a host no parser makes another one.
        let plain = |byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-');
        if self.host.bytes().all(plain) && !self.host.contains("xn--") && self.port.is_empty() {
            return sound;
        }
        sound && url::Url::parse(self.text).is_ok_and(|url| url.host_str().is_some_and(same))
    }
}

fn one_of(names: &[&str], name: &str) -> bool {
    names.iter().any(|other| other.eq_ignore_ascii_case(name))
}

/// What stands in front of `listed` in `host`, if `host` is `listed` or a name below it.
fn below<'a>(host: &'a str, listed: &str) -> Option<&'a str> {
    let (front, end) = host.split_at_checked(host.len().checked_sub(listed.len())?)?;
    (end.eq_ignore_ascii_case(listed) && (front.is_empty() || front.ends_with('.'))).then_some(front)
}

/// The URL that `text` begins with, and the punctuation behind it. Ends before the next URL of a list.
fn url_run(text: &str) -> &str {
    let next = |at: usize| text.get(at + 1..at + 5).is_some_and(|next| next.eq_ignore_ascii_case("http"));
    let goes_on = |at: usize, byte: u8| match byte {
        b'a'..=b'z'
        | b'A'..=b'Z'
        | b'0'..=b'9'
        | b'-'
        | b'.'
        | b'_'
        | b'~'
        | b'/'
        | b'?'
        | b'#'
        | b'&'
        | b'='
        | b'%'
        | b':'
        | b'@'
        | b'!'
        | b'$'
        | b'*'
        | b'+' => true,
        b',' | b';' => !next(at),
        _ => false,
    };
    let end = text.bytes().enumerate().position(|(at, byte)| !goes_on(at, byte));
    end.and_then(|end| text.get(..end)).unwrap_or(text)
}

/// The URL that `text` begins with.
fn url_at(text: &str) -> &str {
    url_run(text).trim_end_matches(['.', ',', ';', ':', '!', '?', '*'])
}

/// Where the scheme that ends at `colon` begins, if it is `https` or `http`.
fn scheme_start(text: &str, colon: usize) -> Option<usize> {
    let mut starts = [5, 4].into_iter().filter_map(|length| colon.checked_sub(length));
    starts.find(|start| text.get(*start..colon).is_some_and(|scheme| one_of(&["https", "http"], scheme)))
}

/// `address` without the redirectors around it.
fn unwrapped(mut address: Cow<'_, str>) -> Option<Cow<'_, str>> {
    for _ in 0..=DEEPEST {
        match Address::of(&address)? {
            wrapped if wrapped.is_redirector() => address = Cow::Owned(url_at(&wrapped.target()?).to_owned()),
            _ => return Some(address),
        }
    }
    None
}

/// Where a link through Google's redirector leads. Calendars fetched from Google hold many, and they stop at a page
/// that asks whether to go on.
pub(super) fn behind_google(address: &str) -> Option<String> {
    let target = Address::of(address).filter(Address::is_google_redirect)?.target()?;
    Address::of(url_at(&target)).map(|target| target.text.to_owned())
}

/// The first meeting address in `text`, cleaned of its wrapping: the first that looks like one to join by, or else the
/// first other page of a meeting host. `http` is taken as it is; as on iOS, an address without a path is none.
pub fn meeting_link(text: &str, hosts: &MeetingHosts) -> Option<String> {
    let (mut page, mut html, mut behind) = (None, None, 0);
    let colons = memchr::memchr_iter(b':', text.as_bytes());
    for colon in colons.filter(|at| text.as_bytes().get(*at..at + 3) == Some(b"://")) {
        let Some(start) = scheme_start(text, colon).filter(|start| *start >= behind) else { continue };
        let (before, rest) = text.split_at_checked(start)?;
        let found = url_run(rest);
        // What is inside a URL belongs to it: a page about a meeting's address is not the meeting.
        behind = start + found.len();
        if !Address::of(found).is_some_and(|it| it.is_redirector() || hosts.find(it.host).is_some()) {
            continue;
        }
        let quoted = before.ends_with("=\"") || before.ends_with("='");
        let escaped = found.contains('&') && (quoted || *html.get_or_insert_with(|| super::html::is_html(text)));
        let decoded = if escaped { html_escape::decode_html_entities(found) } else { Cow::Borrowed(found) };
        let Some(link) = unwrapped(Cow::Borrowed(url_at(&decoded))) else { continue };
        match Address::of(&link).filter(Address::is_valid).and_then(|address| hosts.joins(&address)) {
            Some(true) => return Some(link.into_owned()),
            Some(false) if page.is_none() => page = Some(link.into_owned()),
            _ => {}
        }
    }
    page
}

/// The first bar in `text` at or after `from`: `-::~:~::~:~ … :~::~:~::-`.
fn next_bar(text: &str, from: usize) -> Option<Range<usize>> {
    const HEAD: &str = "-::~:~::~";
    const TAIL: &str = "~::~:~::-";
    memmem::find_iter(text.get(from..)?.as_bytes(), HEAD).find_map(|at| {
        let start = from + at;
        let inner = text.get(start + 1..)?.bytes().position(|byte| !matches!(byte, b':' | b'~'))?;
        let bar = start..start + inner + 2;
        (bar.len() >= HEAD.len() + TAIL.len() && text.get(bar.clone())?.ends_with(TAIL)).then_some(bar)
    })
}

/// The Google Meet block of a DESCRIPTION: from its first bar to the end of its second. `None` unless both are there
/// and byte-identical, as iOS wants them before it reads the block.
pub(crate) fn meet_block(description: &str) -> Option<Range<usize>> {
    let first = next_bar(description, 0)?;
    let second = next_bar(description, first.end)?;
    (description.get(first.clone()) == description.get(second.clone())).then_some(first.start..second.end)
}

/// How many bars of Google Meet blocks a DESCRIPTION has. A change must never leave exactly one.
pub(crate) fn bars(description: &str) -> usize {
    std::iter::successors(next_bar(description, 0), |bar| next_bar(description, bar.end)).count()
}

#[cfg(test)]
mod tests;
