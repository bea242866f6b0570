//! One fetch outside of the schedule, for a person who waits for it. Nothing is stored.

use std::sync::Arc;

use super::judge::{MendedAnswer, mend_answer};
use crate::calendar::Limits;
use crate::source::{Address, Fetch, FetchError, Fetched, Order, Reach, Space, Validators, Way};

/// What one fetch is of.
#[derive(Debug, Clone)]
pub struct Target {
    /// The calendar's address.
    pub address: Address,
    /// How far it may lead.
    pub reach: Reach,
    /// Ports it may lead to, if its reach is public.
    pub ports: Arc<[u16]>,
    /// The ways to it, in the order in which they are tried.
    pub ways: Arc<[Way]>,
}

/// What a person should know of the way to an answer.
#[derive(Debug)]
pub enum Remark {
    /// One of several ways did not lead to an answer.
    Way {
        /// Its place in the list, from 1.
        place: usize,
        /// Its kind in one word.
        kind: &'static str,
        /// What went wrong.
        error: FetchError,
    },
    /// The calendar has moved for good to this host.
    Moved(Arc<str>),
}

/// One fetch, read and mended as the server would, by the first way that leads to an answer.
///
/// # Errors
/// As the server would count it; if no way led to an answer, what went wrong with the last.
pub async fn fetch_once(
    fetch: &impl Fetch,
    target: &Target,
    limits: &Limits,
    mut tell: impl FnMut(Remark),
) -> Result<MendedAnswer, FetchError> {
    let space = Space::new(limits.size);
    for (index, way) in target.ways.iter().enumerate() {
        let order = Order {
            address: target.address.clone(),
            reach: target.reach,
            ports: Arc::clone(&target.ports),
            way: way.clone(),
            validators: Validators::default(),
            share: Arc::new(space.share(space.whole())),
        };
        match fetch.fetch(order).await {
            Ok(Fetched::Body { text, moved_to, .. }) => {
                if let Some(host) = moved_to {
                    tell(Remark::Moved(host));
                }
                return Ok(mend_answer(text, limits, &target.address.telltales(), || None)?);
            }
            // It has all the space there is.
            Ok(Fetched::NoSpace) => return Err(FetchError::TooLarge(limits.size)),
            Ok(Fetched::NotModified { .. }) => return Err(FetchError::Unexpected(304)),
            Err(error) if error.is_fault_of_way() && index + 1 < target.ways.len() => {
                tell(Remark::Way { place: index + 1, kind: way.kind(), error });
            }
            Err(error) => return Err(error),
        }
    }
    Err(FetchError::Interrupted)
}
