//! Durations as RFC 5545 §3.3.6 writes them.

use std::time::Duration;

/// `PT15M`, `P1D`, `PT1H30M5S`: always positive, always with its `T`. One phone maker's importer fails on the whole
/// calendar for an hour written as `P1H`.
///
/// Fractions of a second are rounded up, so that no duration comes out as nothing.
pub fn format_duration(duration: Duration) -> String {
    let total = duration.as_secs() + u64::from(duration.subsec_nanos() > 0);
    let (days, rest) = (total / 86_400, total % 86_400);
    let mut out = String::from("P");
    if days > 0 {
        out.push_str(&format!("{days}D"));
    }
    let (hours, minutes, seconds) = (rest / 3600, rest % 3600 / 60, rest % 60);
    if rest > 0 || days == 0 {
        out.push('T');
        if hours > 0 {
            out.push_str(&format!("{hours}H"));
        }
        // The grammar has no seconds right behind hours: `PT2H0M5S`.
        if minutes > 0 || (hours > 0 && seconds > 0) {
            out.push_str(&format!("{minutes}M"));
        }
        if seconds > 0 || rest == 0 {
            out.push_str(&format!("{seconds}S"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_written_as_rfc_5545_wants_them() {
        let cases = [
            (Duration::from_mins(15), "PT15M"),
            (Duration::from_hours(1), "PT1H"),
            (Duration::from_hours(24), "P1D"),
            (Duration::from_secs(86_400 + 3_661), "P1DT1H1M1S"),
            (Duration::from_secs(7_200 + 5), "PT2H0M5S"),
            (Duration::from_millis(1), "PT1S"),
            (Duration::ZERO, "PT0S"),
        ];
        for (duration, expected) in cases {
            assert_eq!(format_duration(duration), expected);
        }
    }
}
