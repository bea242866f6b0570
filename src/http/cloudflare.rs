//! Which addresses are Cloudflare's.

use chrono::{Days, NaiveDate};
use ipnet::IpNet;

/// As published at cloudflare.com/ips, with the day they were copied.
const BUILT_IN: &str = include_str!("../../deploy/cloudflare-ips.txt");

/// They change once in some years.
const KEEPS_FOR: Days = Days::new(365);

/// The address ranges of Cloudflare's proxies.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CloudflareRanges {
    ranges: Vec<IpNet>,
    copied: Option<NaiveDate>,
}

impl CloudflareRanges {
    /// Those that were known when this program was built.
    pub fn built_in() -> Self {
        Self::read(BUILT_IN).unwrap_or_default()
    }

    /// Reads one range or address a line; what follows a `#` is a comment, and a date in one, written `2026-11-22`, says
    /// when they were copied.
    ///
    /// # Errors
    /// The number of the line that is neither, or `None` if there is no range at all.
    pub fn read(text: &str) -> Result<Self, Option<usize>> {
        let mut read = Self::default();
        for (index, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
            let (range, comment) = line.split_once('#').unwrap_or((line, ""));
            read.copied = read.copied.or_else(|| date(comment));
            match (range.trim(), self::range(range.trim())) {
                ("", _) => {}
                (_, Some(range)) => read.ranges.push(range),
                (_, None) => return Err(Some(index + 1)),
            }
        }
        if read.ranges.is_empty() { Err(None) } else { Ok(read) }
    }

    pub(super) fn ranges(&self) -> &[IpNet] {
        &self.ranges
    }

    /// The day they were copied, if that is more than a year before `today`.
    pub(super) fn outdated(&self, today: NaiveDate) -> Option<NaiveDate> {
        self.copied.filter(|copied| copied.checked_add_days(KEEPS_FOR).is_some_and(|end| end < today))
    }
}

/// A range, or a single address.
pub(super) fn range(text: &str) -> Option<IpNet> {
    text.parse().ok().or_else(|| text.parse::<std::net::IpAddr>().ok().map(IpNet::from))
}

fn date(comment: &str) -> Option<NaiveDate> {
    comment.split([' ', ',', ';', '.']).find_map(|word| NaiveDate::parse_from_str(word, "%Y-%m-%d").ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_ranges_have_a_date_and_are_old_after_a_year() {
        let ranges = CloudflareRanges::built_in();
        assert_eq!(ranges.ranges.len(), 22);
        let copied = ranges.copied.expect("the file says when");
        assert_eq!(ranges.outdated(copied + Days::new(365)), None);
        assert_eq!(ranges.outdated(copied + Days::new(366)), Some(copied));
    }

    #[test]
    fn a_file_of_ranges_is_read_whole_or_not_at_all() {
        let read = CloudflareRanges::read("\u{feff}# mine\r\n10.0.0.0/8 # here\r\n\r\n2001:db8::1\r\n").unwrap();
        assert_eq!(read.ranges, ["10.0.0.0/8".parse().unwrap(), "2001:db8::1/128".parse().unwrap()]);
        assert_eq!(read.outdated(NaiveDate::MAX), None, "nobody said how old they are");
        assert_eq!(CloudflareRanges::read("10.0.0.0/8\n<html>\n"), Err(Some(2)));
        assert_eq!(CloudflareRanges::read("# nothing\n"), Err(None));
    }
}
