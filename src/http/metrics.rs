//! Every metric, with its help text. Labels are closed sets: never a feed, a source or a client.

use std::fmt;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::answer::Freshness;
use super::sparing::Sparing;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Word {
    word: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct WayWord {
    way: &'static str,
    word: &'static str,
}

/// What is counted while it happens. Cheap to count: a counter each, found without looking.
#[derive(Debug, Default)]
pub struct Metrics {
    pub(super) fresh: Counter,
    pub(super) stale: Counter,
    pub(super) waited: Counter,
    pub(super) not_modified: Counter,
    pub(super) no_copy: Counter,
    pub(super) pages: Counter,
    pub(super) unknown: Counter,
    pub(super) revoked: Counter,
    pub(super) limited: Counter,
    pub(super) refused: Counter,
    pub(super) sent_bytes: Counter,
    pub(super) connections: Counter,
    pub(super) open_connections: Gauge,
    connection_places: Gauge,
    pub(super) cut_connections: Counter,
    pub(super) crowded_connections: Counter,
    pub(super) failed_handshakes: Counter,
    pub(super) refused_certificates: Sparing,
}

/// What exists elsewhere and is read at the moment of asking.
#[derive(Debug, Default)]
pub(super) struct Readings {
    pub(super) fetches: Vec<(&'static str, u64)>,
    pub(super) tries: Vec<((&'static str, &'static str), u64)>,
    pub(super) sources: Vec<(&'static str, i64)>,
    pub(super) oldest_confirmation_seconds: i64,
    /// Until when the certificate holds, in seconds since 1970; 0 without one.
    pub(super) certificate_expiry: i64,
    /// Tries in a row that gave no new certificate.
    pub(super) certificate_failures: i64,
    pub(super) devices: i64,
    pub(super) editions: i64,
    pub(super) edition_bytes: i64,
}

/// A connection is open until this is dropped, however it ends.
#[derive(Debug)]
pub(super) struct Open<'a>(&'a Gauge);

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl Metrics {
    /// Where `places` connections may be open at once.
    pub fn with_places(places: usize) -> Self {
        let metrics = Self::default();
        metrics.connection_places.set(i64::try_from(places).unwrap_or(i64::MAX));
        metrics
    }

    pub(super) fn open(&self) -> Open<'_> {
        self.connections.inc();
        self.open_connections.inc();
        Open(&self.open_connections)
    }

    /// A connection was closed at once.
    pub(super) fn crowded(&self) {
        self.connections.inc();
        self.crowded_connections.inc();
    }

    pub(super) fn served(&self, freshness: Freshness, not_modified: bool, bytes: usize) {
        let counter = match (not_modified, freshness) {
            (true, _) => &self.not_modified,
            (false, Freshness::Fresh) => &self.fresh,
            (false, Freshness::Stale) => &self.stale,
            (false, Freshness::Waited) => &self.waited,
        };
        counter.inc();
        self.sent_bytes.inc_by(bytes as u64);
    }

    /// The whole exposition in `OpenMetrics` text.
    pub(super) fn expose(&self, readings: &Readings) -> Result<String, fmt::Error> {
        let mut registry = Registry::with_prefix("calferry");
        let requests = Family::<Word, Counter>::default();
        for (word, counter) in [
            ("fresh", &self.fresh),
            ("stale", &self.stale),
            ("waited", &self.waited),
            ("not_modified", &self.not_modified),
            ("no_copy", &self.no_copy),
            ("page", &self.pages),
            ("unknown", &self.unknown),
            ("revoked", &self.revoked),
            ("limited", &self.limited),
            ("refused", &self.refused),
        ] {
            requests.get_or_create(&Word { word }).inc_by(counter.get());
        }
        let fetches = Family::<Word, Counter>::default();
        for (word, count) in &readings.fetches {
            fetches.get_or_create(&Word { word }).inc_by(*count);
        }
        let tries = Family::<WayWord, Counter>::default();
        for ((way, word), count) in &readings.tries {
            tries.get_or_create(&WayWord { way, word }).inc_by(*count);
        }
        let sources = Family::<Word, Gauge>::default();
        for (word, count) in &readings.sources {
            sources.get_or_create(&Word { word }).set(*count);
        }
        registry.register("requests", "Requests of subscribers, by how they were served", requests);
        registry.register("sent_bytes", "Bytes of calendars sent, as compressed", self.sent_bytes.clone());
        registry.register("connections", "Connections accepted", self.connections.clone());
        registry.register(
            "cut_connections",
            "Connections ended because the client was silent, slow or idle",
            self.cut_connections.clone(),
        );
        registry.register(
            "crowded_connections",
            "Connections closed at once because their client had too many",
            self.crowded_connections.clone(),
        );
        registry.register("failed_handshakes", "TLS handshakes that failed", self.failed_handshakes.clone());
        registry.register(
            "refused_certificates",
            "TLS handshakes that failed because the client showed no certificate of client_ca, or one that does not hold",
            self.refused_certificates.counter(),
        );
        registry.register("open_connections", "Connections open now", self.open_connections.clone());
        registry.register(
            "connection_places",
            "Connections that may be open at once: max_connections",
            self.connection_places.clone(),
        );
        registry.register("fetches", "Fetches, by how they ended", fetches);
        registry.register("tries", "Tries of fetches, by kind of way and by how they ended", tries);
        registry.register("sources", "Sources, by state", sources);
        for (name, help, value) in [
            (
                "certificate_expiry_timestamp_seconds",
                "Until when the certificate of this server holds; 0 without one",
                readings.certificate_expiry,
            ),
            (
                "certificate_failures",
                "Orders by ACME since the latest certificate that gave no new one",
                readings.certificate_failures,
            ),
            (
                "oldest_confirmation_seconds",
                "Age of the copy that was confirmed the longest ago",
                readings.oldest_confirmation_seconds,
            ),
            ("devices", "Devices that have a URL", readings.devices),
            ("editions", "Editions held in memory", readings.editions),
            ("edition_bytes", "Bytes of editions held in memory", readings.edition_bytes),
        ] {
            let gauge = Gauge::<i64>::default();
            gauge.set(value);
            registry.register(name, help, gauge);
        }
        let mut text = String::new();
        encode(&mut text, &registry)?;
        Ok(text)
    }
}
