//! Alarms that rules add.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use crate::calendar::{escape_text, format_duration, push_line};

/// When an alarm goes off, as TRIGGER has it: `-PT10M`, ten minutes before the start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alarm {
    trigger: Arc<str>,
}

/// A text that is no alarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("write -10m for ten minutes before the start, 0m for the start, 5m for five minutes after it")]
pub struct NoAlarm;

impl FromStr for Alarm {
    type Err = NoAlarm;

    fn from_str(text: &str) -> Result<Self, NoAlarm> {
        let (before, length) = match text.trim().split_at_checked(1) {
            Some(("-", length)) => (true, length),
            Some(("+", length)) => (false, length),
            _ => (false, text.trim()),
        };
        let length =
            if length == "0" { Duration::ZERO } else { humantime::parse_duration(length).map_err(|_| NoAlarm)? };
        // A year is further than any phone looks ahead.
        if length.as_secs() > 366 * 86_400 {
            return Err(NoAlarm);
        }
        let sign = if before && !length.is_zero() { "-" } else { "" };
        Ok(Self { trigger: format!("{sign}{}", format_duration(length)).into() })
    }
}

impl fmt::Display for Alarm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.trigger)
    }
}

impl Alarm {
    /// The alarm as a `VALARM` (RFC 5545 §3.6.6) of the event that `identity` names; `words` are what is shown. The same
    /// event and trigger give the same alarm, so that a phone does not take it for a new one at every fetch.
    pub fn component(&self, identity: &[&[u8]], words: &str, out: &mut Vec<u8>) {
        let mut named = Vec::with_capacity(160);
        for part in identity.iter().copied().chain([self.trigger.as_bytes()]) {
            named.extend_from_slice(&(part.len() as u64).to_le_bytes());
            named.extend_from_slice(part);
        }
        let hash = blake3::hash(&named).to_hex();
        let uid = hash.get(..32).unwrap_or_default();
        // RFC 5545 wants a DESCRIPTION, and an empty one shows as an empty box.
        let blank = words.chars().all(|char| char.is_whitespace() || char.is_control());
        let words = if blank { "⏰" } else { words };
        out.extend_from_slice(b"BEGIN:VALARM\r\n");
        // RFC 9074 §4
        push_line("UID", uid, out);
        out.extend_from_slice(b"ACTION:DISPLAY\r\n");
        push_line("TRIGGER", &self.trigger, out);
        push_line("DESCRIPTION", &escape_text(words), out);
        out.extend_from_slice(b"END:VALARM\r\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alarms_are_read_from_words_and_written_as_triggers() {
        for (text, trigger) in [
            ("-10m", "-PT10M"),
            ("0m", "PT0S"),
            ("0", "PT0S"),
            ("+5m", "PT5M"),
            ("-1d 2h", "-P1DT2H"),
            ("15min", "PT15M"),
        ] {
            assert_eq!(text.parse::<Alarm>().unwrap().to_string(), trigger, "{text}");
        }
        for text in ["", "-", "ten", "--5m", "-400d", "5"] {
            assert_eq!(text.parse::<Alarm>(), Err(NoAlarm), "{text}");
        }
    }
}
