//! Alarms that rules add.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::calendar::{escape_text, format_duration, push_line};

/// When an alarm goes off: so many seconds after the start, or before it if there are fewer than none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Alarm {
    seconds: i64,
}

/// A text that is no alarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("write -10m for ten minutes before the start, 0m for the start, 5m for five minutes after it")]
pub struct NoAlarm;

impl FromStr for Alarm {
    type Err = NoAlarm;

    fn from_str(text: &str) -> Result<Self, NoAlarm> {
        let (sign, length) = match text.trim().split_at_checked(1) {
            Some(("-", length)) => (-1, length),
            Some(("+", length)) => (1, length),
            _ => (1, text.trim()),
        };
        let length = if length == "0" { Duration::ZERO } else { humantime::parse_duration(length).map_err(|_| NoAlarm)? };
        // A year is further than any phone looks ahead.
        let seconds = i64::try_from(length.as_secs()).ok().filter(|seconds| *seconds <= 366 * 86_400).ok_or(NoAlarm)?;
        Ok(Self { seconds: sign * seconds })
    }
}

impl fmt::Display for Alarm {
    /// As TRIGGER has it: `-PT10M`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.seconds < 0 { "-" } else { "" };
        write!(f, "{sign}{}", format_duration(Duration::from_secs(self.seconds.unsigned_abs())))
    }
}

impl Alarm {
    /// The alarm as a `VALARM` (RFC 5545 §3.6.6) of the event that `identity` names; `words` are what is shown. The same
    /// event and trigger give the same alarm, so that a phone does not take it for a new one at every fetch.
    pub fn component(self, identity: &[&[u8]], words: &str, out: &mut Vec<u8>) {
        let trigger = self.to_string();
        let mut hasher = blake3::Hasher::new_derive_key("calferry 2026 alarm identities");
        for part in identity.iter().copied().chain([trigger.as_bytes()]) {
            hasher.update(&(part.len() as u64).to_le_bytes()).update(part);
        }
        let hash = hasher.finalize().to_hex();
        let uid = hash.get(..32).unwrap_or_default();
        // RFC 5545 wants a DESCRIPTION, and an empty one shows as an empty box.
        let words = if words.trim().is_empty() { "⏰" } else { words };
        out.extend_from_slice(b"BEGIN:VALARM\r\n");
        // RFC 9074 §4
        push_line("UID", uid, out);
        out.extend_from_slice(b"ACTION:DISPLAY\r\n");
        push_line("TRIGGER", &trigger, out);
        push_line("DESCRIPTION", &escape_text(words), out);
        out.extend_from_slice(b"END:VALARM\r\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alarms_are_read_from_words_and_written_as_triggers() {
        for (text, trigger) in
            [("-10m", "-PT10M"), ("0m", "PT0S"), ("0", "PT0S"), ("+5m", "PT5M"), ("-1d 2h", "-P1DT2H"), ("15min", "PT15M")]
        {
            assert_eq!(text.parse::<Alarm>().unwrap().to_string(), trigger, "{text}");
        }
        for text in ["", "-", "ten", "--5m", "-400d", "5"] {
            assert_eq!(text.parse::<Alarm>(), Err(NoAlarm), "{text}");
        }
    }
}
