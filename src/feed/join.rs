//! Meeting addresses where phones look for them: iOS shows its button for the first address it finds in LOCATION, URL and
//! the notes, calendars that know RFC 7986 look for CONFERENCE.

use super::meeting::{MeetingHosts, meeting_link};
use super::rule::{Draft, Field};
use crate::calendar::{Entry, Property};

/// Where addresses are looked for, the surest first.
const PLACES: [Property; 6] = [
    Property::XGoogleConference,
    Property::XSkypeTeamsMeetingUrl,
    Property::Conference,
    Property::Location,
    Property::Url,
    Property::Description,
];

/// The address of the meeting that `entry` is, as its source sent it.
pub(super) fn link(entry: &Entry<'_, '_>, hosts: &MeetingHosts) -> Option<String> {
    PLACES.into_iter().find_map(|place| meeting_link(&entry.text(place), hosts))
}

/// Puts the meeting address, if there is one, into URL, CONFERENCE, and LOCATION if that is empty. Another address that
/// stands in URL stays there.
pub(super) fn join(entry: &Entry<'_, '_>, hosts: &MeetingHosts, draft: &mut Draft) {
    let known = |property| match property {
        Property::Location => "LOCATION",
        Property::Url => "URL",
        Property::Description => "DESCRIPTION",
        Property::Conference => "CONFERENCE",
        Property::XGoogleConference => "X-GOOGLE-CONFERENCE",
        _ => "X-MICROSOFT-SKYPETEAMSMEETINGURL",
    };
    // What rules have taken out is not brought back.
    let text = |draft: &Draft, property| draft.text(entry, &Field::known(known(property))).into_owned();
    let Some(link) = PLACES.into_iter().find_map(|place| meeting_link(&text(draft, place), hosts)) else { return };
    let url = text(draft, Property::Url);
    if url.is_empty() || url != link && meeting_link(&url, hosts).as_ref() == Some(&link) {
        draft.set(&Field::known("URL"), vec![link.clone()]);
    }
    if text(draft, Property::Location).trim().is_empty() {
        draft.set(&Field::known("LOCATION"), vec![link.clone()]);
    }
    if !draft.texts(entry, &Field::known("CONFERENCE")).contains(&link) {
        draft.add_conference(link);
    }
}
