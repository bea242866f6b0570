//! `[server.acme]`: the authority that certificates are ordered from, and the names they are for.

use url::{Host, Url};

use super::resolve::Context;
use super::section::Section;
use super::units::address;
use crate::acme::{LETS_ENCRYPT, LETS_ENCRYPT_STAGING, Options};

/// Names of one certificate: what Let's Encrypt takes.
const DOMAINS_MAX: usize = 100;

/// What is wanted of whom; `None` if the section is not there, or has a problem.
pub(super) fn acme(mut section: Section, context: &Context<'_>) -> Option<Options> {
    let written = !section.is_empty();
    let problems = section.problems();
    let (domains, contact) = (domains(&mut section), contact(&mut section));
    let directory = directory(&mut section);
    let ca_file = section.text("ca_file").map(|path| context.folder.join(path));
    if written && domains.is_empty() && section.problems() == problems {
        section.problem("domains", "is missing; name what the certificate is for, as in [\"cal.example.com\"]");
    }
    let whole = written && section.problems() == problems;
    section.done();
    whole.then_some(Options { directory, domains, contact, ca_file })
}

fn domains(section: &mut Section) -> Vec<String> {
    let mut domains = Vec::new();
    for (index, text) in section.list("domains").unwrap_or_default().iter().enumerate() {
        match domain(text) {
            Ok(domain) if domains.contains(&domain) => {}
            Ok(domain) => domains.push(domain),
            Err(message) => section.problem(&format!("domains[{index}]"), message),
        }
    }
    if domains.len() > DOMAINS_MAX {
        section.problem("domains", format!("are more than {DOMAINS_MAX}, and no certificate is for so many"));
    }
    domains
}

/// A name as it stands in a certificate: ASCII, lower case.
fn domain(text: &str) -> Result<String, &'static str> {
    const FORM: &str = "is no name a certificate can be for; write it as in cal.example.com";
    let text = text.trim();
    if text.starts_with("*.") {
        return Err(
            "is a wildcard, which TLS-ALPN-01 cannot prove; write every name, or use a certificate in [server.tls]",
        );
    }
    let name = match Host::parse(text) {
        Ok(Host::Domain(name)) => name,
        Ok(Host::Ipv4(_) | Host::Ipv6(_)) => return Err("is an address; a certificate is for a name"),
        Err(_) => return Err(FORM),
    };
    let label = |label: &str| {
        let plain = label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        plain && (1..=63).contains(&label.len()) && !label.starts_with('-') && !label.ends_with('-')
    };
    if name.len() <= 253 && name.contains('.') && name.split('.').all(label) { Ok(name) } else { Err(FORM) }
}

fn contact(section: &mut Section) -> Vec<String> {
    let mut addresses = Vec::new();
    for (index, text) in section.list("contact").unwrap_or_default().iter().enumerate() {
        match address(text) {
            Ok(address) => addresses.push(address),
            Err(message) => section.problem(&format!("contact[{index}]"), message),
        }
    }
    addresses
}

fn directory(section: &mut Section) -> String {
    let (staging, written) = (section.flag("staging", false), section.text("directory"));
    let usual = if staging { LETS_ENCRYPT_STAGING } else { LETS_ENCRYPT };
    let Some(text) = written else { return usual.into() };
    if staging {
        section.problem("staging", "is that of Let's Encrypt; leave it out, since directory names an authority");
    }
    match Url::parse(&text) {
        Ok(url) if url.scheme() == "https" && url.username().is_empty() && url.password().is_none() => url.into(),
        _ => {
            section.problem(
                "directory",
                "is no address of an ACME directory; write it as https://ca.example.com/directory",
            );
            usual.into()
        }
    }
}
