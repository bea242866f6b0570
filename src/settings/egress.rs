//! `egress` and `ports`: which ways lead to a source, and which ports it may use.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::resolve::Context;
use super::section::Section;
use crate::source::Way;

/// More ways than these are a mistake: each is tried before a fetch counts as failed.
const MOST: usize = 16;

/// The ways at `egress` or in the file at `egress_file`, in order; `None` if neither is there.
pub(super) fn egress(section: &mut Section, context: &mut Context<'_>) -> Option<Arc<[Way]>> {
    let (list, file) = (section.item("egress"), section.text("egress_file"));
    let ways: Vec<_> = match (list, file) {
        (None, None) => return None,
        (Some(_), Some(_)) => {
            section.problem("", "has both egress and egress_file");
            return None;
        }
        (Some(list), None) => {
            let items = list.each_word();
            items.iter().filter_map(|item| item.note(Way::parse(&item.text()?))).collect()
        }
        (None, Some(file)) => {
            let lines = context.secret_lines(section, "egress_file", &file)?;
            if lines.is_empty() {
                section.problem("egress_file", "the file names no way; write one on each line");
            }
            let way = |(number, line): (usize, String)| match Way::parse(&line) {
                Ok(way) => Some(way),
                Err(mistake) => {
                    section.problem("egress_file", format!("line {number}: {mistake}"));
                    None
                }
            };
            lines.into_iter().filter_map(way).collect()
        }
    };
    if ways.len() > MOST {
        section.problem("egress", format!("has more than {MOST} ways"));
    }
    if ways.iter().enumerate().any(|(index, way)| ways.iter().take(index).any(|earlier| earlier == way)) {
        section.problem("egress", "names a way twice");
    }
    // An empty list is told already, and nothing may be fetched by it.
    Some(ways.into())
}

/// The ports at `ports`.
pub(super) fn ports(section: &mut Section) -> Option<BTreeSet<u16>> {
    let items = section.item("ports")?.each_word();
    let port = |text: String| match text.parse() {
        Ok(port) if port > 0 => Ok(port),
        _ => Err("write a port, 1 to 65535"),
    };
    Some(items.iter().filter_map(|item| item.note(port(item.text()?))).collect())
}
