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

/// Reads a duration, with its sign: `PT15M`, `-P1DT2H`, `P2W`. A day counts as 24 hours.
pub fn parse_duration(text: &[u8]) -> Option<chrono::Duration> {
    let text = text.trim_ascii();
    let (negative, rest) = match text.split_first()? {
        (b'-', rest) => (true, rest),
        (b'+', rest) => (false, rest),
        _ => (false, text),
    };
    let mut parts = rest.strip_prefix(b"P").or_else(|| rest.strip_prefix(b"p"))?;
    let (mut seconds, mut in_time, mut any) = (0i64, false, false);
    while let Some((first, behind)) = parts.split_first() {
        if first.eq_ignore_ascii_case(&b'T') && !in_time {
            (in_time, parts) = (true, behind);
            continue;
        }
        let digits = parts.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (number, behind) = parts.split_at(digits);
        let (unit, behind) = behind.split_first()?;
        let each = match (unit.to_ascii_uppercase(), in_time) {
            (b'W', false) => 7 * 86_400,
            (b'D', false) => 86_400,
            (b'H', true) => 3_600,
            (b'M', true) => 60,
            (b'S', true) => 1,
            _ => return None,
        };
        // Seven digits of weeks are more than anybody's calendar holds, and cannot overflow.
        let number: i64 = std::str::from_utf8(number).ok().filter(|number| number.len() <= 7)?.parse().ok()?;
        seconds += number * each;
        (parts, any) = (behind, true);
    }
    any.then(|| chrono::Duration::seconds(if negative { -seconds } else { seconds }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_with_their_sign_and_nothing_else_is() {
        for (text, seconds) in
            [("PT15M", 900), ("-P1DT2H", -93_600), ("+P2W", 1_209_600), ("P0D", 0), ("-P0DT0H30M0S", -1_800)]
        {
            assert_eq!(parse_duration(text.as_bytes()), Some(chrono::Duration::seconds(seconds)), "{text}");
        }
        for text in ["", "P", "PT", "15M", "P1H", "PT1D", "PM", "P1", "P99999999W", "PTT1M", "P-1D"] {
            assert_eq!(parse_duration(text.as_bytes()), None, "{text}");
        }
    }

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
