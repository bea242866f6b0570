//! How much of what is large may be in memory at a time. What is small needs no leave; what is larger has a share of one
//! space for as long as it is there, so that large calendars come one after another, however many there are.
//!
//! A share is had as a whole, and nobody who has one waits for another: there is no ring of those who wait.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// What a share is counted in.
const UNIT: usize = 16 << 10;
/// Of the largest answer, what part is small.
const PART: usize = 16;
/// Bounds of what is small.
const SMALL: (usize, usize) = (64 << 10, 4 << 20);

/// The space: as large as the largest answer may be.
#[derive(Debug, Clone)]
pub struct Space {
    left: Arc<Semaphore>,
    whole: usize,
    small: usize,
}

impl Space {
    /// A space for answers of at most `largest` bytes.
    pub fn new(largest: usize) -> Self {
        let whole = largest.div_ceil(UNIT).clamp(1, Semaphore::MAX_PERMITS.min(u32::MAX as usize));
        let small = (largest / PART).clamp(SMALL.0, SMALL.1);
        Self { left: Arc::new(Semaphore::new(whole)), whole: whole * UNIT, small }
    }

    /// All of it.
    pub fn whole(&self) -> usize {
        self.whole
    }

    /// Whether so many bytes need no share.
    pub fn is_small(&self, bytes: usize) -> bool {
        bytes <= self.small
    }

    /// Whether there is a share of `bytes` now.
    pub fn has(&self, bytes: usize) -> bool {
        self.is_small(bytes) || self.left.available_permits() >= self.units(bytes) as usize
    }

    /// A share of `bytes` if there is one now; otherwise one for what is small.
    pub fn share(&self, bytes: usize) -> Share {
        let share = Share { space: self.clone(), held: Mutex::default() };
        share.grow(bytes);
        share
    }

    /// A share of `bytes`, once there is one. Those who wait get it in turn.
    pub async fn wait(&self, bytes: usize) -> OwnedSemaphorePermit {
        let taken = Arc::clone(&self.left).acquire_many_owned(self.units(bytes)).await;
        taken.expect("the semaphore is never closed")
    }

    /// What is larger than all of it has all of it.
    fn units(&self, bytes: usize) -> u32 {
        u32::try_from(bytes.min(self.whole).div_ceil(UNIT)).unwrap_or(u32::MAX)
    }
}

/// What one answer has of the space. It is given back when this is dropped.
#[derive(Debug)]
pub struct Share {
    space: Space,
    held: Mutex<Option<OwnedSemaphorePermit>>,
}

impl Share {
    /// How many bytes it is enough for.
    pub fn covers(&self) -> usize {
        let units = self.held().as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        // All of the space is for one answer, however large.
        if units * UNIT >= self.space.whole { usize::MAX } else { self.space.small.max(units * UNIT) }
    }

    /// Whether it is for more than what is small.
    pub fn is_large(&self) -> bool {
        self.held().is_some()
    }

    fn held(&self) -> MutexGuard<'_, Option<OwnedSemaphorePermit>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the share is enough for `bytes`, which it becomes if there is space now. Never waits.
    pub fn grow(&self, bytes: usize) -> bool {
        if self.space.is_small(bytes) {
            return true;
        }
        let mut held = self.held();
        let has = held.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let lacks = self.space.units(bytes).saturating_sub(u32::try_from(has).unwrap_or(u32::MAX));
        if lacks == 0 {
            return true;
        }
        let Ok(more) = Arc::clone(&self.space.left).try_acquire_many_owned(lacks) else { return false };
        match &mut *held {
            Some(held) => held.merge(more),
            None => *held = Some(more),
        }
        true
    }

    /// Gives back what is more than `bytes` need.
    pub fn shrink(&self, bytes: usize) {
        let mut held = self.held();
        let needs = if self.space.is_small(bytes) { 0 } else { self.space.units(bytes) as usize };
        if let Some(held) = &mut *held {
            drop(held.split(held.num_permits().saturating_sub(needs)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_small_needs_no_share_and_what_is_large_has_no_more_than_there_is() {
        let space = Space::new(64 << 20);
        let first = space.share(40 << 20);
        assert!(!space.has(25 << 20) && space.has(24 << 20) && space.has(4 << 20));
        let second = space.share(usize::MAX);
        assert!(second.grow(4 << 20) && !second.grow((4 << 20) + 1 + (24 << 20)));
        assert!(second.grow(24 << 20) && !space.has((4 << 20) + 1));
        first.shrink(5 << 20);
        assert!(space.has(35 << 20) && !space.has(36 << 20));
        drop((first, second));
        let all = space.share(usize::MAX);
        assert!(all.grow(usize::MAX) && !space.has((4 << 20) + 1) && space.has(0));
    }

    #[tokio::test]
    async fn those_who_wait_get_their_share_in_turn() {
        let space = Space::new(64 << 20);
        let first = space.wait(60 << 20).await;
        let mut second = std::pin::pin!(space.wait(64 << 20));
        let mut third = std::pin::pin!(space.wait(1));
        let soon = std::time::Duration::from_millis(50);
        assert!(tokio::time::timeout(soon, second.as_mut()).await.is_err());
        assert!(tokio::time::timeout(soon, third.as_mut()).await.is_err(), "it does not overtake");
        drop(first);
        drop(second.await);
        drop(third.await);
    }
}
