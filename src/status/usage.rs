//! What every device fetched, since the program started. Written by requests, so it must cost them next to nothing: a few
//! atomic numbers for each device that has a URL, and no lock.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::clock::Timestamp;
use crate::publisher::Served;

/// Longest word for a client that is kept.
const AGENT: usize = 24;

/// A device's URL: where it leads, and what came of it.
#[derive(Debug)]
pub struct Subscription {
    /// The device's name in the settings.
    pub device: Arc<str>,
    /// The feed it is of.
    pub served: Arc<Served>,
    /// What it fetched.
    pub usage: Arc<Usage>,
}

/// A feed with all who subscribe to it.
#[derive(Debug)]
pub struct Listed {
    /// The feed.
    pub served: Arc<Served>,
    /// Its devices, in the order of the settings.
    pub devices: Vec<Arc<Subscription>>,
}

/// Counters of one device. Each is right by itself; read while a request is counted, they may be one request apart.
#[derive(Debug, Default)]
pub struct Usage {
    last: AtomicU64,
    /// A word of ASCII letters, so that two that are mixed up by requests at the same time are still such a word.
    agent: [AtomicU64; AGENT / 8],
    full: AtomicU64,
    not_modified: AtomicU64,
    sent: AtomicU64,
    saved_unchanged: AtomicU64,
    saved_compressed: AtomicU64,
}

/// What [`Usage`] says at a moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Figures {
    /// When the device last fetched.
    pub last: Option<Timestamp>,
    /// What it fetched with, in one word.
    pub agent: String,
    /// Answers that held the calendar.
    pub full: u64,
    /// Answers that said it is unchanged.
    pub not_modified: u64,
    /// Bytes of calendars sent, as compressed.
    pub sent: u64,
    /// Bytes that were not sent because nothing had changed.
    pub saved_unchanged: u64,
    /// Bytes that compression took off what was sent.
    pub saved_compressed: u64,
}

impl Usage {
    /// Counts an answer. `len` is the calendar's length as this client gets it, `plain` without compression.
    pub fn count(&self, now: Timestamp, agent: &str, is_unchanged: bool, len: usize, plain: usize) {
        let add = |counter: &AtomicU64, number: usize| counter.fetch_add(number as u64, Ordering::Relaxed);
        if is_unchanged {
            add(&self.not_modified, 1);
            add(&self.saved_unchanged, len);
        } else {
            add(&self.full, 1);
            add(&self.sent, len);
            add(&self.saved_compressed, plain.saturating_sub(len));
        }
        let mut bytes = agent.bytes().filter(u8::is_ascii_graphic);
        for part in &self.agent {
            let word = std::array::from_fn(|_| bytes.next().unwrap_or_default());
            part.store(u64::from_le_bytes(word), Ordering::Relaxed);
        }
        self.last.store(now.as_secs(), Ordering::Relaxed);
    }

    /// What has been counted.
    pub fn figures(&self) -> Figures {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let last = read(&self.last);
        let agent = self.agent.iter().flat_map(|part| read(part).to_le_bytes()).filter(|byte| *byte != 0);
        Figures {
            last: (last != 0).then(|| Timestamp::from_secs(last)),
            agent: agent.map(char::from).collect(),
            full: read(&self.full),
            not_modified: read(&self.not_modified),
            sent: read(&self.sent),
            saved_unchanged: read(&self.saved_unchanged),
            saved_compressed: read(&self.saved_compressed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_answer_counts_once_and_the_latest_client_is_known() {
        let usage = Usage::default();
        assert_eq!(usage.figures(), Figures::default());
        usage.count(Timestamp::from_secs(5), "accountsd", false, 30, 100);
        usage.count(Timestamp::from_secs(9), "a-word-of-24-characters.", true, 30, 100);
        usage.count(Timestamp::from_secs(7), "ICSx5", true, 40, 100);
        let figures = usage.figures();
        assert_eq!((figures.last, &*figures.agent), (Some(Timestamp::from_secs(7)), "ICSx5"));
        assert_eq!((figures.full, figures.not_modified), (1, 2));
        assert_eq!((figures.sent, figures.saved_unchanged, figures.saved_compressed), (30, 70, 70));
    }
}
