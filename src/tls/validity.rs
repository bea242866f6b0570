//! From when until when a certificate holds, and what follows from it.

use std::time::Duration;

use rustls::sign::CertifiedKey;

use crate::clock::Timestamp;

/// A certificate is warned of when this much of its time is left…
const WARNED_BEFORE: Duration = Duration::from_hours(14 * 24);
/// …or, if it is one that holds for a short time, this share of it: by then a renewal has long been due.
const WARNED_SHARE: u32 = 6;

/// The time in which a certificate holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    /// Its first second.
    pub from: Timestamp,
    /// Its last second.
    pub until: Timestamp,
}

impl Validity {
    /// That of the server's own certificate, the first of the chain. `None` if it cannot be read as X.509.
    pub fn of(certificate: &CertifiedKey) -> Option<Self> {
        let own = certificate.end_entity_cert().ok()?;
        let (_, parsed) = x509_parser::parse_x509_certificate(own).ok()?;
        let time = |seconds: i64| Timestamp::from_secs(u64::try_from(seconds).unwrap_or_default());
        let validity = parsed.validity();
        Some(Self { from: time(validity.not_before.timestamp()), until: time(validity.not_after.timestamp()) })
    }

    fn length(self) -> Duration {
        self.until.since(self.from)
    }

    /// When a third of its time is left: then it is renewed.
    pub fn renewal(self) -> Timestamp {
        self.from + self.length() * 2 / 3
    }

    /// When its end is near enough to be warned of.
    pub fn warning(self) -> Timestamp {
        let length = self.length();
        self.from + length.saturating_sub(WARNED_BEFORE.min(length / WARNED_SHARE))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_hours(24);

    fn days(length: u32) -> Validity {
        let from = Timestamp::from_secs(1_790_000_000);
        Validity { from, until: from + DAY * length }
    }

    #[test]
    fn it_is_renewed_when_a_third_is_left() {
        assert_eq!(days(90).renewal(), days(90).from + DAY * 60);
        assert_eq!(days(6).renewal(), days(6).from + DAY * 4);
    }

    #[test]
    fn its_end_is_warned_of_two_weeks_before_and_for_a_short_one_later_than_its_renewal() {
        assert_eq!(days(90).warning(), days(90).from + DAY * 76);
        assert_eq!(days(365).warning(), days(365).from + DAY * 351);
        assert_eq!(days(6).warning(), days(6).from + DAY * 5);
        assert_eq!(days(0).warning(), days(0).until);
    }
}
