//! `[fetch]` and `[source.NAME]`: what is fetched, from where, how often, and within which bounds.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::egress::{egress, ports};
use super::resolve::{Context, DAY, HOUR, MINUTE, SECOND};
use super::section::Section;
use super::{Fetch, Problem, Source};
use crate::calendar::Limits;
use crate::refresh::{CollapseRule, HostLimits, Pace};
use crate::source::{Address, Options, Reach, USUAL_PORTS, Way};

/// What holds for a source that says nothing of its own.
pub(super) struct Defaults {
    pace: Pace,
    private: bool,
    ways: Arc<[Way]>,
    ports: Arc<[u16]>,
}

/// The sources that are whole, and the place of every one that is named.
#[derive(Default)]
pub(super) struct Sources {
    pub(super) whole: Vec<Source>,
    /// `None` for one that has a problem, which is told already.
    pub(super) places: HashMap<String, Option<usize>>,
    /// The first source of every address and reach: it is fetched once for all of them.
    addresses: HashMap<([u8; 32], Reach), usize>,
}

impl Sources {
    pub(super) fn read(&mut self, name: String, section: Section, defaults: &Defaults, context: &mut Context<'_>) {
        let path = section.at("egress");
        let source = source(&name, section, defaults, context);
        if let Some(source) = &source {
            let address = (source.address.fingerprint(&[0; 32]), source.reach);
            let first = *self.addresses.entry(address).or_insert(self.whole.len());
            let first = self.whole.get(first);
            if let Some(first) = first.filter(|first| (&first.ways, &first.ports) != (&source.ways, &source.ports)) {
                let message = format!(
                    "source {} has the same address; it is fetched once, so give both the same egress and ports",
                    first.name
                );
                context.found.borrow_mut().push(Problem { path, message });
            }
        }
        self.places.insert(name, source.as_ref().map(|_| self.whole.len()));
        self.whole.extend(source);
    }
}

pub(super) fn fetch(mut section: Section, context: &mut Context<'_>) -> (Fetch, Defaults) {
    let (options, limits, collapse) = (Options::default(), Limits::default(), CollapseRule::default());
    let max_size = section.size("max_size", options.max_size, 1 << 10..=1 << 30);
    let pace = Pace { refresh: 15 * MINUTE, max_backoff: 6 * HOUR };
    let defaults = Defaults {
        pace: read_pace(&mut section, pace),
        private: section.flag("allow_private", false),
        ways: egress(&mut section, context).unwrap_or_else(|| Arc::new([Way::Direct])),
        ports: ports(&mut section).map_or_else(|| USUAL_PORTS.into(), Arc::from_iter),
    };
    let fetch = Fetch {
        options: Options {
            connect_timeout: section.duration("connect_timeout", options.connect_timeout, SECOND..=5 * MINUTE),
            header_timeout: section.duration("header_timeout", options.header_timeout, SECOND..=10 * MINUTE),
            timeout: section.duration("timeout", options.timeout, SECOND..=HOUR),
            max_size,
            max_redirects: section.number("max_redirects", options.max_redirects, 0..=20),
        },
        concurrent: section.number("concurrent", 16, 1..=10_000),
        host: HostLimits {
            concurrent: section.number("per_host", 4, 1..=1000),
            per_minute: u32::try_from(section.number("per_host_minute", 600, 1..=1_000_000)).unwrap_or(600),
            max_pause: defaults.pace.max_backoff,
        },
        limits: Limits {
            size: max_size,
            lines: section.number("max_lines", limits.lines, 10..=100_000_000),
            line: section.size("max_line", limits.line, 1 << 10..=1 << 30),
            depth: section.number("max_depth", limits.depth, 2..=64),
            components: section.number("max_components", limits.components, 1..=100_000_000),
            charset: true,
            properties: section.number("max_properties", limits.properties, 10..=100_000_000),
        },
        collapse: CollapseRule {
            percent: section.number("collapse_percent", collapse.percent, 0..=100),
            least: section.number("collapse_least", collapse.least, 1..=1_000_000),
            fetches: u32::try_from(section.number("collapse_fetches", 3, 1..=1000)).unwrap_or(collapse.fetches),
            over: section.duration("collapse_over", collapse.over, Duration::ZERO..=30 * DAY),
        },
        ca_file: section.text("ca_file").map(|path| context.folder.join(path)),
    };
    section.done();
    (fetch, defaults)
}

fn read_pace(section: &mut Section, usual: Pace) -> Pace {
    let refresh = section.duration("refresh", usual.refresh, MINUTE..=7 * DAY);
    Pace { refresh, max_backoff: section.duration("max_backoff", usual.max_backoff, MINUTE..=7 * DAY).max(refresh) }
}

fn source(name: &str, mut section: Section, defaults: &Defaults, context: &mut Context<'_>) -> Option<Source> {
    let pasted = address_text(&mut section, context);
    let private = section.flag("allow_private", defaults.private);
    let pace = read_pace(&mut section, defaults.pace);
    let ways = egress(&mut section, context).unwrap_or_else(|| Arc::clone(&defaults.ways));
    let ports = ports(&mut section).map_or_else(
        || Arc::clone(&defaults.ports),
        |mut more| {
            more.extend(&*defaults.ports);
            more.into_iter().collect()
        },
    );
    let address = pasted.and_then(|pasted| match Address::parse(&pasted) {
        Ok(address) => Some(address),
        Err(mistake) => {
            section.problem("url", mistake);
            None
        }
    });
    let reach = if private { Reach::Private } else { Reach::Public };
    if let Some(address) = &address {
        if address.literal_ip().is_some_and(|ip| !reach.allows(ip)) {
            section
                .problem("url", "this address is not on the public network; set allow_private = true if it is meant");
        }
        if reach == Reach::Public && !ports.contains(&address.port()) {
            let port = address.port();
            section.problem(
                "url",
                format!("port {port} may not be used; if it is meant, write ports = [{port}] for this source"),
            );
        }
        if !address.is_encrypted() && reach == Reach::Public {
            let message =
                "the way to this source is not encrypted; anybody on it can read the address and the calendar".into();
            context.warnings.push(Problem { path: section.at("url"), message });
        }
    }
    section.done();
    Some(Source { name: name.into(), address: address?, reach, ports, ways, pace })
}

/// The address as it was pasted, from wherever the settings say it is.
fn address_text(section: &mut Section, context: &mut Context<'_>) -> Option<String> {
    let (url, file, variable) = (section.text("url"), section.text("url_file"), section.text("url_env"));
    match (url, file, variable) {
        (Some(url), None, None) => Some(url),
        (None, Some(file), None) => context.secret(section, "url_file", &file),
        (None, None, Some(variable)) => {
            let value = context.environment.iter().find(|(name, _)| *name == variable);
            if value.is_none() {
                section.problem("url_env", format!("there is no environment variable {variable}"));
            }
            value.map(|(_, value)| value.clone())
        }
        (None, None, None) => {
            section.problem("", "needs one of url, url_file, url_env");
            None
        }
        _ => {
            section.problem("", "has more than one of url, url_file, url_env");
            None
        }
    }
}
