//! The page that a browser gets at a subscription's address: how fresh the calendar is, how to subscribe to it on the
//! visitor's device, and what takes place on the days ahead.
//!
//! It is made of the published edition, so it shows what a phone gets and nothing else. What takes long is kept: a
//! calendar's heading, and its agenda for a day and a time zone.
//!
//! | file | holds |
//! |---|---|
//! | `words` | what is said, in every language; the message files |
//! | `devices` | which device a visitor has, and how many steps it takes |
//! | `freshness` | how fresh what is shown is, in words |
//! | `template` | the page; everything in it is escaped by the template engine |
//! | `days` | the agenda, day by day |
//! | `style.css`, `script.js` | as they stand in the page |

mod days;
mod devices;
mod freshness;
mod template;
mod words;

use std::sync::Arc;

use bytes::Bytes;
use chrono_tz::Tz;
use moka::future::Cache;
use tokio::sync::Semaphore;
use tracing::warn;

pub use self::devices::Device;
use self::freshness::Clocks;
pub use self::template::{SCRIPT, STYLE, gone, languages};
pub use self::words::Language;
use crate::agenda::{Agenda, Bounds, Heading, Window};
use crate::clock::Timestamp;
use crate::feed::Coding;
use crate::publisher::{Published, Publisher, Served};

/// Days that are shown.
const DAYS: u16 = 14;
/// What of them fits on a page that a phone loads quickly, compressed as it is sent.
const BOUNDS: Bounds = Bounds { instances: 200, text: 36 << 10, notes: 2_000 };
/// Agendas that are kept. Each takes some 50 KiB at most.
const KEPT: u64 = 256;
/// Bytes at the beginning of a calendar in which it says what it is.
const HEADING: usize = 64 << 10;
/// Agendas made at once.
const MAKERS: usize = 2;

/// Who looks at the page, and how they want it.
#[derive(Debug, Clone)]
pub struct Visit {
    /// The address to subscribe to.
    pub url: String,
    /// In which language.
    pub language: Language,
    /// On whose clocks, if they say so.
    pub zone: Option<Tz>,
    /// What they look with.
    pub device: Option<Device>,
    /// The browser is that of 微信, which opens no other app.
    pub is_in_wechat: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    edition: [u8; 32],
    window: Window,
}

/// Makes pages, and keeps what they are made of while there is room.
#[derive(Debug)]
pub struct Pages {
    publisher: Arc<Publisher>,
    headings: Cache<[u8; 32], Arc<Heading>>,
    agendas: Cache<Key, Arc<Agenda>>,
    makers: Arc<Semaphore>,
}

/// What there is to show of a feed.
struct Shown {
    heading: Arc<Heading>,
    agenda: Option<Arc<Agenda>>,
    clocks: Clocks,
}

impl Pages {
    /// Pages of what `publisher` publishes.
    pub fn new(publisher: Arc<Publisher>) -> Self {
        let (headings, agendas) = (Cache::new(KEPT), Cache::new(KEPT));
        Self { publisher, headings, agendas, makers: Arc::new(Semaphore::new(MAKERS)) }
    }

    /// The page of `served` as it is `now`, in `coding`. `published` is its edition, if there is one.
    ///
    /// # Errors
    /// Only if compressing it fails.
    pub async fn page(
        &self,
        served: &Served,
        published: Option<&Arc<Published>>,
        visit: Visit,
        coding: Coding,
        now: Timestamp,
    ) -> std::io::Result<Bytes> {
        let shown = match published {
            Some(published) => self.shown(published, &visit, now).await,
            None => Shown { heading: Arc::default(), agenda: None, clocks: clocks(&visit, None, now) },
        };
        let freshness = shown.clocks.freshness(&served.upstreams);
        let name = shown.heading.name.clone().unwrap_or_else(|| served.feed.id.to_string());
        let made = tokio::task::spawn_blocking(move || {
            let html = template::page(&template::Page {
                name: &name,
                colour: shown.heading.colour.as_deref(),
                own_zone: shown.heading.zone,
                freshness: &freshness,
                visit: &visit,
                clocks: shown.clocks,
                agenda: shown.agenda.as_deref(),
            });
            coding.encode(html.into_string().as_bytes())
        });
        made.await.map_err(std::io::Error::other)?
    }

    async fn shown(&self, published: &Arc<Published>, visit: &Visit, now: Timestamp) -> Shown {
        let edition = published.edition.digest();
        let heading = self.headings.get_with(edition, async { heading(published) }).await;
        let clocks = clocks(visit, heading.zone, now);
        let window = Window { first: clocks.local(now).date(), days: DAYS, zone: clocks.zone };
        let agenda = self.agendas.try_get_with(Key { edition, window }, self.agenda(published, window)).await;
        Shown { heading, agenda: agenda.ok(), clocks }
    }

    /// What takes place in `window`, read away from the threads that serve others.
    async fn agenda(&self, published: &Arc<Published>, window: Window) -> Result<Arc<Agenda>, ()> {
        let _place = self.makers.acquire().await.expect("the semaphore is never closed");
        let text = self.publisher.body(published, Coding::Identity).await.map_err(|_| ())?;
        let made = tokio::task::spawn_blocking(move || Agenda::read(&text, window, BOUNDS).ok()).await;
        let made = made.inspect_err(|error| warn!(%error, "an edition cannot be shown as a page"));
        made.ok().flatten().map(Arc::new).ok_or(())
    }
}

/// What the calendar says of itself; nothing where it cannot be read, as its agenda cannot be then.
fn heading(published: &Published) -> Arc<Heading> {
    let beginning = published.edition.beginning(HEADING).unwrap_or_default();
    Arc::new(Heading::read(&beginning))
}

/// The clocks that `visit` wants, else the calendar's own, else UTC.
fn clocks(visit: &Visit, own: Option<Tz>, now: Timestamp) -> Clocks {
    Clocks { zone: visit.zone.or(own).unwrap_or(Tz::UTC), language: visit.language, now }
}
