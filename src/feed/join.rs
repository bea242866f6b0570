//! Meeting addresses where phones look for them: iOS shows its button for the first address it finds in LOCATION, URL and
//! the notes, calendars that know RFC 7986 look for CONFERENCE.

use super::meeting::{MeetingHosts, meeting_link};
use super::rule::{Draft, Field};
use crate::calendar::{Entry, Property};

/// Where addresses are looked for, the surest first; with the field by which rules may have written there.
const PLACES: [(Property, Option<Field>); 6] = [
    (Property::XGoogleConference, None),
    (Property::XSkypeTeamsMeetingUrl, None),
    (Property::Conference, Some(Field::CONFERENCE)),
    (Property::Location, Some(Field::LOCATION)),
    (Property::Url, Some(Field::URL)),
    (Property::Description, Some(Field::DESCRIPTION)),
];

/// The address of the meeting that `entry` is, if it is on a well-known host.
pub fn meeting_of(entry: &Entry<'_, '_>) -> Option<String> {
    link(entry, &MeetingHosts::default())
}

/// The address of the meeting that `entry` is, as its source sent it.
pub(super) fn link(entry: &Entry<'_, '_>, hosts: &MeetingHosts) -> Option<String> {
    PLACES.iter().find_map(|(place, _)| meeting_link(&entry.text(*place), hosts))
}

/// Puts the meeting address, if there is one, into URL, CONFERENCE, and LOCATION if that is empty. Another address that
/// stands in URL stays there.
pub(super) fn join(entry: &Entry<'_, '_>, hosts: &MeetingHosts, draft: &mut Draft) {
    // What rules have taken out is not brought back.
    let link = PLACES.iter().find_map(|(property, field)| {
        let text = match field {
            Some(field) => draft.text(entry, field),
            None if draft.takes_out_line(entry, *property) => return None,
            None => entry.text(*property),
        };
        meeting_link(&text, hosts)
    });
    let Some(link) = link else { return };
    let text = |draft: &Draft, field: &Field| draft.text(entry, field).into_owned();
    let url = text(draft, &Field::URL);
    if url.is_empty() || url != link && meeting_link(&url, hosts).as_ref() == Some(&link) {
        draft.set(&Field::URL, vec![link.clone()]);
    }
    if text(draft, &Field::LOCATION).trim().is_empty() {
        draft.set(&Field::LOCATION, vec![link.clone()]);
    }
    if !draft.texts(entry, &Field::CONFERENCE).contains(&link) {
        draft.add_conference(&link);
    }
}
