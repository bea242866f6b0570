//! The way a request came, as proxies write it down: `X-Forwarded-For`, and `Forwarded` (RFC 7239). Pure.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use http::header::FORWARDED;
use http::{HeaderMap, HeaderName};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The hops a request came by, from the client's own word to the last proxy's. `None` for a hop that does not say its
/// address, or for a line that cannot be read: what a client has written takes nothing from what a proxy adds.
///
/// Where there are both headers only `Forwarded` is read: a proxy that writes it may pass the other on from whoever wrote
/// that.
pub(super) fn hops(headers: &HeaderMap) -> Vec<Option<IpAddr>> {
    let name = if headers.contains_key(FORWARDED) { FORWARDED } else { X_FORWARDED_FOR };
    let mut hops = Vec::new();
    for value in headers.get_all(&name) {
        if name == FORWARDED {
            hops.extend(value.to_str().ok().and_then(elements).unwrap_or_else(|| vec![None]));
        } else {
            let nodes = value.as_bytes().split(|byte| *byte == b',');
            hops.extend(nodes.map(|text| node(str::from_utf8(text).ok()?)));
        }
    }
    hops
}

/// The `for` of every element of a `Forwarded`.
fn elements(value: &str) -> Option<Vec<Option<IpAddr>>> {
    split_outside_quotes(value, b',')?.into_iter().map(element).collect()
}

/// The `for` of one element; `None` for one that is none.
#[expect(clippy::option_option, reason = "an element that says no address is not one that cannot be read")]
fn element(element: &str) -> Option<Option<IpAddr>> {
    let mut named = None;
    for pair in split_outside_quotes(element, b';')? {
        if pair.trim().is_empty() {
            continue;
        }
        let (name, value) = pair.trim().split_once('=')?;
        if name.eq_ignore_ascii_case("for") {
            // §4: each parameter once.
            if named.is_some() {
                return None;
            }
            named = Some(node(&unquoted(value)?));
        }
    }
    Some(named.flatten())
}

/// An address, with or without a port, IPv6 with or without brackets. Neither `unknown` nor an obfuscated `_name` is one.
fn node(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse::<Ipv6Addr>().ok().map(IpAddr::V6);
    let with_port = || text.parse::<SocketAddr>().ok().map(|address| address.ip());
    text.parse().ok().or_else(bracketed).or_else(with_port).map(|ip: IpAddr| ip.to_canonical())
}

/// `None` if a quote is never closed.
fn split_outside_quotes(text: &str, at: u8) -> Option<Vec<&str>> {
    let (mut parts, mut from, mut quoted, mut escaped) = (Vec::new(), 0, false, false);
    for (index, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ if byte == at && !quoted => {
                parts.push(text.get(from..index)?);
                from = index + 1;
            }
            _ => {}
        }
    }
    parts.push(text.get(from..)?);
    (!quoted).then_some(parts)
}

/// A token as it is, a quoted string without its quotes.
fn unquoted(value: &str) -> Option<String> {
    let Some(rest) = value.strip_prefix('"') else { return (!value.contains('"')).then(|| value.to_owned()) };
    let inner = rest.strip_suffix('"')?;
    let mut text = String::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(char) = chars.next() {
        match char {
            '"' => return None,
            '\\' => text.push(chars.next()?),
            _ => text.push(char),
        }
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(list: &[(&'static str, &str)]) -> Vec<Option<IpAddr>> {
        let mut headers = HeaderMap::new();
        for (name, value) in list {
            headers.append(*name, value.parse().unwrap());
        }
        hops(&headers)
    }

    #[expect(clippy::unnecessary_wraps, reason = "what a hop is")]
    fn ip(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn every_form_of_a_node_is_read() {
        let forwarded = "for=192.0.2.43, For=\"[2001:db8:cafe::17]:4711\";proto=http;by=203.0.113.43,\
                         proto=https;for=\"192.0.2.1:80\", for=\"[2001:db8::1]\";host=\"a,b;c\\\"d\"";
        let expected = ["192.0.2.43", "2001:db8:cafe::17", "192.0.2.1", "2001:db8::1"].map(ip);
        assert_eq!(read(&[("forwarded", forwarded)]), expected);
        let x_forwarded = "192.0.2.43, 192.0.2.1:80 ,2001:db8::1, [2001:db8::2]:99, ::ffff:192.0.2.9";
        let expected = ["192.0.2.43", "192.0.2.1", "2001:db8::1", "2001:db8::2", "192.0.2.9"].map(ip);
        assert_eq!(read(&[("x-forwarded-for", x_forwarded)]), expected);
    }

    #[test]
    fn what_names_no_address_is_a_hop_without_one() {
        let hidden = "for=_hidden, for=unknown, for=\"_SEVKISEK:80\", proto=http, for=2001:db8::zz";
        assert_eq!(read(&[("forwarded", hidden)]), [None; 5]);
        assert_eq!(read(&[("x-forwarded-for", "unknown, , 1.2.3")]), [None; 3]);
    }

    #[test]
    fn a_line_that_cannot_be_read_says_nothing_of_itself_alone() {
        for broken in
            ["for=\"1.2.3.4", "for", "for=1.2.3.4;for=5.6.7.8", "for=\"1.2.3.4\"\"", "for=1.2.3.4\"", "for=\"a\\\""]
        {
            let line = ("forwarded", &*format!("for=192.0.2.1, {broken}"));
            assert_eq!(read(&[line]), [None], "{broken}");
            assert_eq!(read(&[line, ("forwarded", "for=192.0.2.2")]), [None, ip("192.0.2.2")], "{broken}");
        }
    }

    #[test]
    fn of_two_kinds_of_header_only_forwarded_is_read() {
        let both = [("x-forwarded-for", "192.0.2.1"), ("forwarded", "for=192.0.2.2"), ("forwarded", "for=192.0.2.3")];
        assert_eq!(read(&both), [ip("192.0.2.2"), ip("192.0.2.3")]);
        assert_eq!(read(&[("x-forwarded-for", "192.0.2.1"), ("forwarded", "for=_x")]), [None]);
    }
}
