//! What waits for the application: a queue that keeps its room while bursts go on, and gives it back with the first quiet batch.

use std::collections::VecDeque;

/// The room that is never given back.
const QUIET: usize = 64;

/// A queue whose memory follows what it is used for.
#[derive(Debug)]
pub(super) struct Queue<T> {
    items: VecDeque<T>,
    /// The most that have waited at once since the queue was last empty.
    most: usize,
}

impl<T> Queue<T> {
    pub(super) const fn new() -> Self {
        Self { items: VecDeque::new(), most: 0 }
    }

    pub(super) fn push_back(&mut self, item: T) {
        self.items.push_back(item);
        self.most = self.most.max(self.items.len());
    }

    pub(super) fn pop_front(&mut self) -> Option<T> {
        let item = self.items.pop_front()?;
        if self.items.is_empty() {
            let most = std::mem::take(&mut self.most);
            if self.items.capacity() > QUIET && most < self.items.capacity() / 4 {
                self.items.shrink_to(most.max(QUIET));
            }
        }
        Some(item)
    }

    pub(super) fn back_mut(&mut self) -> Option<&mut T> {
        self.items.back_mut()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.items.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(queue: &mut Queue<usize>, count: usize) -> usize {
        (0..count).for_each(|item| queue.push_back(item));
        let taken = std::iter::from_fn(|| queue.pop_front()).collect::<Vec<_>>();
        assert!(taken.into_iter().eq(0..count), "first in, first out");
        queue.items.capacity()
    }

    #[test]
    fn bursts_find_the_room_that_they_left_and_a_quiet_batch_gives_it_back() {
        let mut queue = Queue::new();

        let room = batch(&mut queue, 1_000);
        assert!(room >= 1_000);
        assert_eq!(batch(&mut queue, 900), room, "a burst after a burst allocates nothing");

        assert!(batch(&mut queue, 1) <= QUIET);
    }
}
