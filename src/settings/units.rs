//! How single values are written: lengths of time, days, hours, weekdays, zones, colours, addresses. Each reader says in
//! words what it would have taken, and never repeats what it was given.

use chrono::{Duration, NaiveDate};
use chrono_tz::Tz;
use csscolorparser::NAMED_COLORS;

use crate::calendar::iana;
use crate::feed::{Colour, Comparison, Date};

/// Farther from today, and longer, is nothing.
const FARTHEST: i64 = 36_600;
/// Events are moved by a year at most.
const LONGEST_SHIFT: i64 = 366;

/// Why a value was not taken.
pub(super) type Refusal = &'static str;

fn length(text: &str) -> Option<Duration> {
    let text = text.trim();
    let length = if text == "0" { std::time::Duration::ZERO } else { humantime::parse_duration(text).ok()? };
    let whole = length.subsec_nanos() == 0;
    let length = Duration::from_std(length).ok().filter(|_| whole)?;
    (length <= Duration::days(FARTHEST)).then_some(length)
}

fn sign(text: &str) -> (i32, &str) {
    let text = text.trim();
    match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    }
}

/// `-15m`, `8h`: how far an event moves.
pub(super) fn shift(text: &str) -> Result<Duration, Refusal> {
    let (sign, rest) = sign(text);
    let by = length(rest).map(|by| by * sign).ok_or("write -15m for a quarter of an hour earlier, 8h for later")?;
    if by.is_zero() {
        return Err("moves nothing");
    }
    if by.abs() > Duration::days(LONGEST_SHIFT) { Err("is more than 366 days") } else { Ok(by) }
}

/// `30d`: so many whole days.
pub(super) fn whole_days(text: &str) -> Result<i64, Refusal> {
    let whole = length(text).filter(|length| *length == Duration::days(length.num_days()));
    whole.map(|length| length.num_days()).ok_or("write whole days, such as 30d or 8weeks, 36600 at most")
}

/// `2026-12-01`, or `-30d` for thirty days ago.
pub(super) fn date(text: &str) -> Result<Date, Refusal> {
    if let Ok(date) = NaiveDate::parse_from_str(text.trim(), "%Y-%m-%d") {
        return Ok(Date::On(date));
    }
    let (sign, rest) = sign(text);
    let days = whole_days(rest).map_err(|_| "write a day as 2026-12-01, or as -30d or 7d, seen from today")?;
    Ok(Date::FromToday(days * i64::from(sign)))
}

const DAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

/// `mon-fri` or `sat`: which days, Monday first. A range may go over the end of the week.
pub(super) fn weekdays(text: &str) -> Result<[bool; 7], Refusal> {
    let day = |name: &str| {
        let name = name.trim().to_ascii_lowercase();
        DAYS.iter().position(|day| *day == name || day.get(..3) == Some(&name))
    };
    let (from, to) = text.split_once('-').unwrap_or((text, text));
    let (Some(from), Some(to)) = (day(from), day(to)) else { return Err("write mon-fri, or sat, or sat,sun") };
    let mut days = [false; 7];
    for (index, day) in days.iter_mut().enumerate() {
        *day = (index + 7 - from) % 7 <= (to + 7 - from) % 7;
    }
    Ok(days)
}

/// `08:00-20:00`: from a minute of the day to before another; it may go over midnight.
pub(super) fn hours(text: &str) -> Result<(u32, u32), Refusal> {
    const FORM: Refusal = "write 08:00-20:00, or 22:00-06:00 for over midnight";
    let minute = |text: &str| -> Option<u32> {
        let (hour, minute) = text.trim().split_once(':')?;
        let digits = |text: &str, most| text.len() <= 2 && text.bytes().all(|byte| byte.is_ascii_digit()) && most;
        let whole = digits(hour, true) && digits(minute, minute.len() == 2);
        let (hour, minute): (u32, u32) = (hour.parse().ok()?, minute.parse().ok()?);
        (whole && minute < 60 && hour * 60 + minute <= 24 * 60).then_some(hour * 60 + minute)
    };
    let (from, to) = text.split_once('-').ok_or(FORM)?;
    let (from, to) = (minute(from).ok_or(FORM)?, minute(to).ok_or(FORM)?);
    if from == 24 * 60 {
        return Err("begins at 24:00; write 00:00");
    }
    if from == to { Err("begins when it ends, and can never match") } else { Ok((from, to)) }
}

/// `>= 2h`; with a comma between two, both must hold: `>= 15m, < 2h`.
pub(super) fn lengths(text: &str) -> Result<Vec<(Comparison, Duration)>, Refusal> {
    let comparisons = text.split(',').map(comparison).collect::<Result<Vec<_>, _>>()?;
    if is_possible(&comparisons) { Ok(comparisons) } else { Err("can never match") }
}

fn comparison(text: &str) -> Result<(Comparison, Duration), Refusal> {
    const SIGNS: [(&str, Comparison); 5] = [
        ("<=", Comparison::AtMost),
        (">=", Comparison::AtLeast),
        ("<", Comparison::Less),
        (">", Comparison::More),
        ("=", Comparison::Equal),
    ];
    let signed = SIGNS.iter().find_map(|(sign, comparison)| Some((*comparison, text.trim().strip_prefix(sign)?)));
    let (comparison, rest) = signed.ok_or("begin with one of <, <=, =, >=, >, as in >= 2h")?;
    Ok((comparison, length(rest).ok_or("write a length such as >= 2h or < 15m")?))
}

/// Whether some length, in whole seconds and none below zero, fits all.
fn is_possible(comparisons: &[(Comparison, Duration)]) -> bool {
    let (mut least, mut most) = (0, i64::MAX);
    for (comparison, length) in comparisons {
        let length = length.num_seconds();
        let (low, high) = match comparison {
            Comparison::Less => (0, length - 1),
            Comparison::AtMost => (0, length),
            Comparison::Equal => (length, length),
            Comparison::AtLeast => (length, i64::MAX),
            Comparison::More => (length + 1, i64::MAX),
        };
        (least, most) = (least.max(low), most.min(high));
    }
    least <= most
}

/// A time zone, by the name it has in the IANA time zone database, or in Windows.
pub(super) fn zone(text: &str) -> Result<Tz, Refusal> {
    iana(text).ok_or("is no time zone; write its name as in Asia/Shanghai")
}

/// `me@example.com`, lower case.
pub(super) fn address(text: &str) -> Result<String, Refusal> {
    let text = text.trim().to_lowercase();
    let address = text.strip_prefix("mailto:").unwrap_or(&text);
    let mut parts = address.split('@');
    let whole = [parts.next(), parts.next()].iter().all(|part| part.is_some_and(|part| !part.is_empty()));
    let plain = address
        .chars()
        .all(|char| !char.is_whitespace() && !char.is_control() && !matches!(char, '<' | '>' | ':' | '/'));
    if whole && plain && parts.next().is_none() {
        Ok(address.to_owned())
    } else {
        Err("write an address as in me@example.com")
    }
}

/// `#FF2968`, or the name of a CSS colour.
pub(super) fn colour(text: &str) -> Result<Colour, Refusal> {
    const FORM: Refusal = "write #FF2968, or the name of a CSS colour, such as tomato";
    let channels = match text.trim().strip_prefix('#') {
        Some(digits) => hex(digits),
        None => NAMED_COLORS.get(text.trim().into()).copied(),
    };
    let [red, green, blue] = channels.ok_or(FORM)?;
    let hex = format!("#{red:02X}{green:02X}{blue:02X}");
    let own = css3_name(text.trim());
    let name = own.or_else(|| {
        NAMED_COLORS
            .entries()
            .find_map(|(name, known)| (*known == [red, green, blue]).then(|| css3_name(name.as_str())).flatten())
    });
    Ok(Colour { hex, name })
}

/// The name as CSS 3 has it: those that RFC 7986 §5.9 knows.
pub(super) fn css3_name(text: &str) -> Option<&'static str> {
    let name = NAMED_COLORS.get_key(text.into())?.as_str();
    (name != "rebeccapurple").then_some(name)
}

fn hex(digits: &str) -> Option<[u8; 3]> {
    let digit = |char: char| char.to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let digits = digits.chars().map(digit).collect::<Option<Vec<_>>>()?;
    let channels: Vec<u8> = match digits.len() {
        3 => digits.iter().map(|digit| digit * 17).collect(),
        6 => digits.chunks(2).map(|pair| pair.iter().fold(0, |number, digit| number * 16 + digit)).collect(),
        _ => return None,
    };
    channels.try_into().ok()
}
