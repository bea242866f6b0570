//! Large calendars wait here for their share of the space, not at their hosts and not in a fetch: meanwhile the places of
//! both are free for small ones.

use std::collections::{HashSet, VecDeque};

use crate::source::{Share, Space};
use crate::store::UpstreamId;

#[derive(Debug)]
pub(super) struct Large {
    space: Space,
    /// Who waits for a share, in turn.
    waiting: VecDeque<UpstreamId>,
    /// Whose turn it is: as soon as their hosts may be asked.
    called: HashSet<UpstreamId>,
    /// Whose last answer turned out larger than what it had a share for.
    unknown: HashSet<UpstreamId>,
}

impl Large {
    pub(super) fn new(space: Space) -> Self {
        Self { space, waiting: VecDeque::new(), called: HashSet::new(), unknown: HashSet::new() }
    }

    /// What an answer of `id` needs, whose copy has `size` bytes: some more, for calendars grow.
    fn need(&self, id: &UpstreamId, size: usize) -> usize {
        match size {
            _ if self.unknown.contains(id) => self.space.whole(),
            size if self.space.is_small(size) => 0,
            size => size + size / 4,
        }
    }

    /// Whether a fetch of `id` may start. If not, it waits here until [`Large::next`] names it.
    pub(super) fn admits(&mut self, id: UpstreamId, size: usize) -> bool {
        let need = self.need(&id, size);
        // Nobody overtakes: one that needs all of the space would wait for ever.
        let admitted = need == 0 || (self.space.has(need) && (self.waiting.is_empty() || self.called.contains(&id)));
        if !admitted && !self.waiting.contains(&id) {
            self.waiting.push_back(id);
        }
        admitted
    }

    /// The share of a fetch of `id`, which starts now.
    pub(super) fn share(&mut self, id: &UpstreamId, size: usize) -> Share {
        self.called.remove(id);
        self.space.share(self.need(id, size))
    }

    /// A fetch of `id` ended for want of space.
    pub(super) fn postpone(&mut self, id: UpstreamId) {
        self.unknown.insert(id);
        self.waiting.push_back(id);
    }

    /// A fetch of `id` ended in another way: from now on the size of its copy tells.
    pub(super) fn ended(&mut self, id: &UpstreamId) {
        self.unknown.remove(id);
    }

    /// Whose turn it is, if there is space for it; `size_of` tells the size of a copy, nothing if it is not waited for.
    pub(super) fn next(&mut self, size_of: impl Fn(&UpstreamId) -> Option<usize>) -> Option<UpstreamId> {
        while let Some(id) = self.waiting.front().copied() {
            let size = size_of(&id);
            if size.is_some_and(|size| !self.space.has(self.need(&id, size))) {
                return None;
            }
            self.waiting.pop_front();
            if size.is_some() {
                self.called.insert(id);
                return Some(id);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1 << 20;

    #[test]
    fn large_ones_take_turns_and_small_ones_never_wait() {
        let mut large = Large::new(Space::new(64 * MIB));
        let [first, whole, third, small] = [[1; 32], [2; 32], [3; 32], [4; 32]];
        assert!(large.admits(first, 10 * MIB));
        let share = large.share(&first, 10 * MIB);
        // Another found out too late that it is large: it needs all, and nobody passes it by.
        large.postpone(whole);
        assert_eq!(large.next(|_| Some(0)), None);
        assert!(!large.admits(third, 10 * MIB) && large.admits(small, 4 * MIB));
        drop(share);
        assert_eq!(large.next(|_| Some(0)), Some(whole));
        assert!(large.admits(whole, 0), "others wait, but it is its turn");
        let share = large.share(&whole, 0);
        assert_eq!(large.next(|_| Some(10 * MIB)), None);
        large.ended(&whole);
        drop(share);
        assert_eq!(large.next(|id| (*id != third).then_some(0)), None, "it is not waited for any more");
        assert!(large.waiting.is_empty());
    }
}
