//! What a TZID means (RFC 5545 §3.2.19). The RFC leaves the name to whoever writes it; in the wild it is a name of the IANA
//! time zone database, one with a path in front, or the name of a Windows zone.

use chrono_tz::{TZ_VARIANTS, Tz};

/// Longer texts are no zone's name: the longest of the database has 32 letters, and the paths before them are short.
const LONGEST: usize = 128;

/// The zone that `tzid` names: as the IANA time zone database calls it, with or without a path before it, or as Windows
/// does.
pub fn iana(tzid: &str) -> Option<Tz> {
    let name = plain(tzid)?;
    known(name).or_else(|| behind_path(name)).or_else(|| windows(name))
}

/// The zone that `tzid` names as Windows does, by the table of CLDR (`windowsZones`, territory 001).
///
/// Exchange numbers a name that means two things in one calendar (`Eastern Standard Time 1`). What it shows to people,
/// as `(UTC+08:00) Beijing, Chongqing, Hong Kong, Urumqi`, is not looked up: it differs by version and language, and its
/// offset alone does not say when clocks change. `Customized Time Zone` means whatever the calendar declares.
pub fn windows(tzid: &str) -> Option<Tz> {
    let name = plain(tzid)?;
    let unnumbered = || {
        let (name, number) = name.rsplit_once(' ')?;
        (number.len() <= 3 && number.bytes().all(|byte| byte.is_ascii_digit())).then_some(name.trim_end())
    };
    let of = |name| localzone::win_zone_to_iana(name, Some("001"));
    of(name).or_else(|| of(unnumbered()?))?.parse().ok()
}

/// Without the quotes and white space around it; nothing for what cannot be a name.
fn plain(tzid: &str) -> Option<&str> {
    let name = tzid.trim().trim_matches('"').trim();
    (name.len() <= LONGEST && !name.chars().any(char::is_control)).then_some(name)
}

fn known(name: &str) -> Option<Tz> {
    let in_any_case = || TZ_VARIANTS.into_iter().find(|tz| tz.name().eq_ignore_ascii_case(name));
    name.parse().ok().or_else(in_any_case)
}

/// `/mozilla.org/20050126_1/Europe/Berlin`: the longest end that is a name. A single word counts only behind a path that
/// is clearly one: `Office/Singapore` may be anything.
fn behind_path(name: &str) -> Option<Tz> {
    let path = name.starts_with('/') || name.contains("://");
    let ends = name.match_indices('/').filter_map(|(at, _)| name.get(at + 1..));
    ends.filter(|end| path || end.contains('/')).find_map(known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_of_the_database_is_found_however_it_is_wrapped() {
        let names = [
            "Europe/Berlin",
            " \"Europe/Berlin\" ",
            "europe/berlin",
            "/mozilla.org/20050126_1/Europe/Berlin",
            "/freeassociation.sourceforge.net/Tzfile/Europe/Berlin",
            "freeassociation.sourceforge.net/Europe/Berlin",
            "W. Europe Standard Time",
            "\"W. Europe Standard Time\"",
        ];
        for name in names {
            assert_eq!(iana(name), Some(Tz::Europe__Berlin), "{name}");
        }
        assert_eq!(iana("/citadel.org/20210210_1/America/Argentina/Salta"), Some(Tz::America__Argentina__Salta));
        assert_eq!(iana("tzone://Microsoft/Utc"), Some(Tz::UTC));
    }

    #[test]
    fn every_name_of_the_database_means_itself() {
        for tz in TZ_VARIANTS {
            assert_eq!(iana(tz.name()), Some(tz));
        }
    }

    #[test]
    fn windows_names_are_found_with_exchanges_number() {
        assert_eq!(windows("Eastern Standard Time 1"), Some(Tz::America__New_York));
        assert_eq!(windows("China Standard Time"), Some(Tz::Asia__Shanghai));
        assert_eq!(windows("UTC-11"), Some(Tz::Etc__GMTPlus11));
    }

    #[test]
    fn what_names_no_zone_for_certain_is_not_guessed() {
        let unsure = [
            "",
            "Customized Time Zone",
            "Customized Time Zone 1",
            "(UTC+08:00) Beijing, Chongqing, Hong Kong, Urumqi",
            "GMT+0800",
            "Office/Singapore",
            "Eastern Standard Time 12345",
            "Europe/Berlin\r\nBEGIN:VEVENT",
            "/x\n/Europe/Berlin",
        ];
        for name in unsure {
            assert_eq!(iana(name), None, "{name}");
        }
        assert_eq!(iana(&"/".repeat(1 << 20)), None);
    }
}
